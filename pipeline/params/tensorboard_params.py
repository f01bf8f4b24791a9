"""`tensorboard`: which replicas of each variant `make tensorboard` shows."""

from typing import Annotated, Any, Final

from pydantic import Field, PlainValidator, field_validator

from pipeline.foundations.errors import UserError
from pipeline.params.file import StrictSection

MEDIAN: Final = "median"
BEST: Final = "best"
EACH_CAUSE: Final = "each_cause"
WORDS: Final = (MEDIAN, BEST, EACH_CAUSE)


def _choice(value: Any) -> str | int:
    if value in WORDS or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"must be {', '.join(WORDS)} or a replica's number, from 0")


class TensorBoardParams(StrictSection):
    """`median` and `best` by final test accuracy, `each_cause` the first of each cause that occurs, or numbers."""

    replicas: Annotated[tuple[Annotated[str | int, PlainValidator(_choice)], ...], Field(strict=False)]

    @field_validator("replicas")
    @classmethod
    def _some(cls, replicas: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if not replicas:
            raise ValueError(f"must name at least one of {', '.join(WORDS)} or a replica's number")
        return replicas


def expect_replicas(params: TensorBoardParams, replicas: int) -> None:
    """Raises: UserError: a number is chosen that none of so many replicas has."""
    for place, choice in enumerate(params.replicas):
        if isinstance(choice, int) and choice >= replicas:
            allowed = f"{', '.join(WORDS)} or 0 to {replicas - 1}, for `training.replicas` is {replicas}"
            raise UserError(f"tensorboard.replicas.{place}: {choice}: must be {allowed}")
