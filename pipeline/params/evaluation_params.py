"""`evaluation`: the score that a replica must pass to count as learned."""

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from pipeline.params.file import StrictSection, one_of

MAIN_SCORE: Final = "score"  # the main score of the data's task: accuracy or R²
RULE: Final = "must be a number, or one score and the number that it must pass, such as {accuracy: 0.75}"
SKILL: Final = "skill"  # every task has it, because it follows from the loss
# All scores, each with its definition in words for figures and pages. The best value of each is 1.
SCORES: Final[Mapping[str, str]] = {
    "accuracy": "share of the rows that is classified correctly",
    "balanced_accuracy": "mean over classes of the share of its rows that is classified correctly",
    "r2": "coefficient of determination, 1 - squared error / squared error of the mean",
    SKILL: "1 - loss / loss of the best constant prediction",
}
AUC: Final = "auc"
TOP_K: Final = "top_k_accuracy"
WORST_OUTPUT: Final = "worst_output"
# Further scores, which only watched fits have, because the compiled metrics or the outputs ask for them.
FIT_SCORES: Final[Mapping[str, str]] = {
    AUC: "area under the ROC curve, the mean over classes",
    TOP_K: "share of the rows whose class is among the k most probable ones, with k of the compiled metric",
    WORST_OUTPUT: "way of the worst output's score from guessing (0) to its own threshold (1)",
}


def _rule(value: Any) -> dict[str, float] | None:
    """Take a bare number as the threshold of the task's main score.

    Args:
        value: the value in params.yaml, or the argument `learned` of a script.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return {MAIN_SCORE: _number(value)}
    if len(value) != 1:
        raise ValueError(RULE)
    ((score, threshold),) = value.items()
    if score not in (*SCORES, AUC, TOP_K, MAIN_SCORE):
        raise ValueError(f"{score}: {one_of(SCORES, score)}")
    return {score: _number(threshold)}


def _number(threshold: Any) -> float:
    """Return the number as a float; scripts may pass NumPy numbers.

    Raises:
        ValueError: the threshold is not a number.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise ValueError(RULE)
    try:
        return float(threshold)
    except OverflowError:
        raise ValueError(RULE) from None


Threshold = Annotated[float, Field(lt=1)]  # the best value of each score is 1


class EvaluationParams(StrictSection):
    """The threshold of the evaluation; after a change nothing is trained again.

    learned: a score, and the number that it must exceed after the last epoch; None for the task's usual threshold.
    """

    learned: Annotated[dict[str, Threshold] | None, BeforeValidator(_rule)] = None
