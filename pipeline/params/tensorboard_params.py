"""`tensorboard`: which replicas of each variant `make tensorboard` shows."""

from typing import Annotated, Final

from pydantic import Field, PlainValidator, field_validator

from pipeline.foundations.errors import UserError
from pipeline.params.file import Plain, StrictSection

MEDIAN: Final = "median"
BEST: Final = "best"
EACH_CAUSE: Final = "each_cause"
WORDS: Final = (MEDIAN, BEST, EACH_CAUSE)


def _expect_choice(value: Plain) -> str | int:
    if isinstance(value, str) and value in WORDS:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"must be {', '.join(WORDS)} or a replica's number, from 0")


class TensorBoardParams(StrictSection):
    """The section `tensorboard`.

    replicas: the replicas to show: `median` and `best` by the final test score, `each_cause` (the first replica of each
        cause), or the numbers of replicas.
    """

    replicas: Annotated[tuple[Annotated[str | int, PlainValidator(_expect_choice)], ...], Field(strict=False)]

    @field_validator("replicas")
    @classmethod
    def _expect_any(cls, replicas: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if not replicas:
            raise ValueError(f"must name at least one of {', '.join(WORDS)} or a replica's number")
        return replicas


def expect_replicas(params: TensorBoardParams, replicas: int) -> None:
    """Check that every chosen replica exists.

    Args:
        replicas: the number of replicas.

    Raises:
        UserError: there is no replica of a chosen number.
    """
    for place, choice in enumerate(params.replicas):
        if isinstance(choice, int) and choice >= replicas:
            allowed = f"{', '.join(WORDS)} or 0 to {replicas - 1}, because `training.replicas` is {replicas}"
            raise UserError(f"tensorboard.replicas.{place}: {choice}: must be {allowed}")
