"""The rule by which a replica has learned, and the scores that the rule can use."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.data.reference.quick_models import MODELS, ModelName
from pipeline.data.reference.reference import Reference
from pipeline.data.reference.yardstick import JudgedOutput, Yardstick
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.params.evaluation_params import AUC, MAIN_SCORE, SCORES, SKILL, TOP_K, WORST_OUTPUT

SPELLED = {"r2": "R²", AUC: "AUC", TOP_K: "top-k accuracy"}  # other names are spelled with spaces


@dataclass(frozen=True)
class Rule:
    """A replica has learned if its final `score` on the judged part of the data is above `threshold`.

    reference: the scores of quick models on the same rows; None if no quick model was fitted.
    guess: the score of guessing.
    """

    score: str
    threshold: float
    reference: Reference | None = None
    guess: float = 0.0

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
        yardstick = Yardstick.of_task(task)
        return Rule(yardstick.score, yardstick.bar(reference), reference, yardstick.guess)
    ((score, threshold),) = learned.items()
    known = (*task.of_kind.scores, SKILL)
    if score == MAIN_SCORE:
        return Rule(task.score, threshold, reference, task.guessing(task.score))
    if score not in known:
        raise UserError(f"evaluation.learned: {score}: must be one of {', '.join(known)} for a {task.kind} task")
    return Rule(score, threshold, reference, task.guessing(score))


def rule_of(history: xr.Dataset, learned: Mapping[str, float] | None) -> Rule | None:
    """Return the rule for a watched training; None if nothing in its record can judge it.

    Args:
        learned: a score and its threshold; None for the record's yardstick and reference.

    Raises:
        UserError: the record does not have the score.
    """
    reference = reference_of(history)
    yardstick = _yardstick_of(history)
    is_task_known = bool(history.attrs.get("task_is_known"))
    if learned is None:
        if yardstick is not None:
            return Rule(yardstick.score, yardstick.bar(reference), reference, yardstick.guess)
        return rule_for(record.task_of(history), None, reference) if is_task_known else None
    ((score, threshold),) = learned.items()
    guess = yardstick.guess if yardstick is not None and score in (yardstick.score, MAIN_SCORE) else 0.0
    if has_score(history, score) and not (is_task_known and score in SCORES):
        return Rule(score, threshold, reference, guess)
    if is_task_known:
        return rule_for(record.task_of(history), learned, reference)
    if score == MAIN_SCORE and yardstick is not None and yardstick.score != WORST_OUTPUT:
        return Rule(yardstick.score, threshold, reference, guess)
    if yardstick is None:
        return None
    raise UserError(f"evaluation.learned: {score}: this model has no such score")


def reference_of(history: xr.Dataset) -> Reference | None:
    """Return the reference that was fitted for a watched training; None if there is none."""
    text = history.attrs.get(record.REFERENCE)
    return None if text is None else Reference.model_validate_json(text)


def judged_outputs(history: xr.Dataset) -> tuple[JudgedOutput, ...]:
    """Return the scores of several outputs and their thresholds; empty for a model with one output."""
    texts = json.loads(history.attrs.get(record.OUTPUTS, "[]"))
    return tuple(JudgedOutput.model_validate_json(json.dumps(each)) for each in texts)


def outputs_in_words(outputs: Sequence[JudgedOutput]) -> str:
    """Return the score of each output: "`price` R² 0.630 (learned means above 0.3)"."""
    return ", ".join(
        f"`{each.yardstick.name}` {spelled_score(each.yardstick.score)} {each.value:.3f} "
        f"(learned means above {each.bar:g})"
        for each in outputs
    )


def _yardstick_of(history: xr.Dataset) -> Yardstick | None:
    text = history.attrs.get(record.YARDSTICK)
    return None if text is None else Yardstick.model_validate_json(text)


def reference_in_words(rule: Rule) -> str:
    """Return a sentence on the scores of the reference, or on why it has none; "" if no reference was requested."""
    if rule.reference is None:
        return ""
    if rule.reference.skipped:
        return f"No reference was fitted: {rule.reference.skipped}."
    if not rule.references:
        return f"The reference has no {rule.name}."
    *first, last = (f"{MODELS[name]} reaches {value:.2f}" for name, value in rule.references.items())
    scores = " and ".join([*([", ".join(first)] if first else []), last])
    is_by_folds = rule.reference.part == "folds"
    rows = "in three folds of the training rows" if is_by_folds else f"on the {rule.reference.part} rows"
    return f"For comparison, {scores} ({rule.name} {rows})."


def spelled_score(score: str) -> str:
    """Return the name of a score in words: "balanced accuracy" for "balanced_accuracy", "R²" for "r2"."""
    return SPELLED.get(score, score.replace("_", " "))


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
    if score == SKILL and f"{part}_{SKILL}" not in history:
        return f"{part}_constant_loss" in history.attrs and f"{part}_loss" in history
    return f"{part}_{score}" in history


def score_curve(history: xr.Dataset, score: str, part: str | None = None) -> xr.DataArray:
    """Return the score over the epochs, float [replica, epoch], on a part of the data, by default the judged part.

    On rows of one class the baseline loss is 0, so the skill is not finite. NaN if the record lacks the score.
    """
    part = part or record.judged_part(history)
    if not has_score(history, score, part):
        return xr.full_like(history.train_loss, np.nan)
    if score == SKILL and f"{part}_{SKILL}" not in history:
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
