"""When a replica has learned: the rule, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.data.reference import MODELS, ModelName, Reference
from pipeline.data.split.tasks import SKILL, Task
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.evaluation_params import MAIN_SCORE


@dataclass(frozen=True)
class Rule:
    """A replica has learned if its final `score` on the judged part of the data is above `threshold`.

    reference: what quick models reach on the same rows; None where none was fitted.
    """

    score: str
    threshold: float
    reference: Reference | None = None

    @property
    def plain(self) -> dict[str, float]:
        """As params.yaml has it."""
        return {self.score: self.threshold}

    @property
    def references(self) -> dict[ModelName, float]:
        """The score of each quick model on the same rows."""
        return {} if self.reference is None else self.reference.by_model(self.score)

    @property
    def name(self) -> str:
        """The score in words: `balanced accuracy`."""
        return spelled_score(self.score)


def rule_for(task: Task, learned: Mapping[str, float] | None, reference: Reference | None = None) -> Rule:
    """Return the rule that params.yaml states, or the usual one of the task, lowered to what the rows allow.

    Args:
        learned: `evaluation.learned`.
        reference: what quick models reach on the same rows. It never changes a stated threshold.

    Raises:
        UserError: the score is none of this task.
    """
    if learned is None:
        score, usual = task.usual_threshold
        return Rule(score, usual if reference is None else reference.bar(task, score, usual), reference)
    ((score, threshold),) = learned.items()
    known = (*task.of_kind.scores, SKILL)
    if score == MAIN_SCORE:
        return Rule(task.score, threshold, reference)
    if score not in known:
        raise UserError(f"evaluation.learned: {score}: must be one of {', '.join(known)} for a {task.kind} task")
    return Rule(score, threshold, reference)


def reference_in_words(rule: Rule) -> str:
    """Return a sentence on what the reference reaches, or on why there is none; "" where nobody asked for one."""
    if rule.reference is None:
        return ""
    if rule.reference.skipped:
        return f"No reference was fitted: {rule.reference.skipped}."
    if not rule.references:
        return f"The reference has no {rule.name}."
    reached = " and ".join(f"{MODELS[name]} reaches {value:.2f}" for name, value in rule.references.items())
    rows = (
        "in three folds of the training rows"
        if rule.reference.part == "folds"
        else f"on the {rule.reference.part} rows"
    )
    return f"For comparison, {reached} ({rule.name} {rows})."


def spelled_score(score: str) -> str:
    """ "balanced_accuracy" -> "balanced accuracy", "r2" -> "R²"."""
    return "R²" if score == "r2" else score.replace("_", " ")


def score_in_words(column: str) -> str:
    """ "test_accuracy" -> "test accuracy", "test_r2_median" -> "test R²"."""
    part, _, score = column.removesuffix("_median").partition("_")
    return f"{part} {spelled_score(score)}"


def has_score(history: xr.Dataset, score: str, part: str | None = None) -> bool:
    """Whether the record can tell the score on a part of the data, the judged one by default."""
    part = part or record.judged_part(history)
    if score == SKILL:
        return f"{part}_constant_loss" in history.attrs and f"{part}_loss" in history
    return f"{part}_{score}" in history


def score_curve(history: xr.Dataset, score: str, part: str | None = None) -> xr.DataArray:
    """The score over the epochs on a part of the data, the judged one by default; float [replica, epoch].

    Where a constant makes no mistake, on a part with one class alone, nothing has skill.
    """
    part = part or record.judged_part(history)
    if score == SKILL:
        with np.errstate(divide="ignore", invalid="ignore"):
            # The entropy of one class is -0.0.
            return 1 - history[f"{part}_loss"] / abs(history.attrs[f"{part}_constant_loss"])
    return history[f"{part}_{score}"]


def learned_at(history: xr.Dataset, rule: Rule, part: str | None = None) -> xr.DataArray:
    """bool [replica, epoch]: the score is above the threshold, and the replica never diverged.

    Args:
        part: of the data, by default the one that decides.
    """
    return (score_curve(history, rule.score, part) > rule.threshold) & ~record.diverged(history)


def epochs_to_learn(learned: np.ndarray) -> np.ndarray:
    """The first epoch from which each row of bool [replica, epoch] stays true; NaN where the last is false."""
    still_true = np.logical_and.accumulate(learned[:, ::-1], axis=1)[:, ::-1]
    return np.where(still_true[:, -1], still_true.argmax(axis=1), np.nan)
