"""The rule by which a replica has learned, and the scores that the rule can use."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.data.reference import MODELS, ModelName, Reference
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.evaluation_params import MAIN_SCORE, SKILL


@dataclass(frozen=True)
class Rule:
    """A replica has learned if its final `score` on the judged part of the data is above `threshold`.

    reference: the scores of quick models on the same rows; None if no quick model was fitted.
    """

    score: str
    threshold: float
    reference: Reference | None = None

    @property
    def plain(self) -> dict[str, float]:
        """The rule as params.yaml writes it: `{accuracy: 0.75}`."""
        return {self.score: self.threshold}

    @property
    def references(self) -> dict[ModelName, float]:
        """The score of each quick model on the same rows."""
        return {} if self.reference is None else self.reference.by_model(self.score)

    @property
    def name(self) -> str:
        """The name of the score in words: `balanced accuracy`."""
        return spelled_score(self.score)


def rule_for(task: Task, learned: Mapping[str, float] | None, reference: Reference | None = None) -> Rule:
    """Return the rule of params.yaml; without one, the task's usual rule, with a threshold that the rows allow.

    Args:
        learned: `evaluation.learned` of params.yaml.
        reference: the scores of quick models on the same rows; weak scores lower the task's threshold.

    Raises:
        UserError: the task does not have the score.
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
    """Return a sentence on the scores of the reference, or on why it has none; "" if no reference was requested."""
    if rule.reference is None:
        return ""
    if rule.reference.skipped:
        return f"No reference was fitted: {rule.reference.skipped}."
    if not rule.references:
        return f"The reference has no {rule.name}."
    scores = " and ".join(f"{MODELS[name]} reaches {value:.2f}" for name, value in rule.references.items())
    rows = (
        "in three folds of the training rows"
        if rule.reference.part == "folds"
        else f"on the {rule.reference.part} rows"
    )
    return f"For comparison, {scores} ({rule.name} {rows})."


def spelled_score(score: str) -> str:
    """Return the name of a score in words: "balanced accuracy" for "balanced_accuracy", "R²" for "r2"."""
    return "R²" if score == "r2" else score.replace("_", " ")


def score_in_words(column: str) -> str:
    """Return the name of a score's column in words: "test R²" for "test_r2_median"."""
    part, _, score = column.removesuffix("_median").partition("_")
    return f"{part} {spelled_score(score)}"


def score_column(table: pd.DataFrame) -> str:
    """Return the name of the column with the median main score on the test set, in a table of variants or cells."""
    return next(name for name in table if name.startswith("test_") and name.endswith("_median"))


def has_score(history: xr.Dataset, score: str, part: str | None = None) -> bool:
    """Return whether the record holds the score on a part of the data, by default the judged part."""
    part = part or record.judged_part(history)
    if score == SKILL:
        return f"{part}_constant_loss" in history.attrs and f"{part}_loss" in history
    return f"{part}_{score}" in history


def score_curve(history: xr.Dataset, score: str, part: str | None = None) -> xr.DataArray:
    """Return the score over the epochs, float [replica, epoch], on a part of the data, by default the judged part.

    On rows of one class the baseline loss is 0, so the skill is not finite.
    """
    part = part or record.judged_part(history)
    if score == SKILL:
        with np.errstate(divide="ignore", invalid="ignore"):
            # The entropy of one class is -0.0; with 0.0 the skill is minus infinity, not plus infinity.
            return 1 - history[f"{part}_loss"] / abs(history.attrs[f"{part}_constant_loss"])
    return history[f"{part}_{score}"]


def learned_at(history: xr.Dataset, rule: Rule, part: str | None = None) -> xr.DataArray:
    """Return bool [replica, epoch]: whether the score is above the threshold and the replica never diverged.

    Args:
        part: a part of the data, by default the judged part.
    """
    return (score_curve(history, rule.score, part) > rule.threshold) & ~record.diverged(history)


def epochs_to_learn(learned: np.ndarray) -> np.ndarray:
    """Return the first epoch from which each row of bool [replica, epoch] stays true; NaN for a row that ends false."""
    still_true = np.logical_and.accumulate(learned[:, ::-1], axis=1)[:, ::-1]
    return np.where(still_true[:, -1], still_true.argmax(axis=1), np.nan)
