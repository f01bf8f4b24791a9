"""`evaluation`: what counts as having learned."""

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from pipeline.params.file import StrictSection, one_of

MAIN_SCORE: Final = "score"  # of whatever task the data have: accuracy, or R²
RULE: Final = "must be a number, or one score and the number that it must pass, such as {accuracy: 0.75}"
SCORES: Final = (
    "accuracy",
    "balanced_accuracy",
    "r2",
    "skill",
)  # a test compares them with those of `data.split.tasks`


def _rule(value: Any) -> Any:
    """A number is a threshold of the task's main score."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return {MAIN_SCORE: _number(value)}
    if len(value) != 1:
        raise ValueError(RULE)
    ((score, threshold),) = value.items()
    if score not in (*SCORES, MAIN_SCORE):
        raise ValueError(f"{score}: {one_of(SCORES, score)}")
    return {score: _number(threshold)}


def _number(threshold: Any) -> float:
    """A script's number may be one of NumPy's."""
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise ValueError(RULE)
    try:
        return float(threshold)
    except OverflowError:
        raise ValueError(RULE) from None


Threshold = Annotated[float, Field(lt=1)]  # the best value of every score is 1


class EvaluationParams(StrictSection):
    """Thresholds of the evaluation; moving one retrains nothing.

    learned: a score and the number that it must pass at the end; where it is left out, the task's usual one.
    """

    learned: Annotated[dict[str, Threshold] | None, BeforeValidator(_rule)] = None
