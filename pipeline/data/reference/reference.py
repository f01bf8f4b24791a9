"""Fit the reference: quick models of scikit-learn, whose scores on the same rows show what a network can reach.

Few tables allow a perfect score. On a census, on clicks or on the diabetes rows even the true probabilities score far
below 1, so the threshold "halfway from guessing to perfect" would call good networks failures. The reference is the
score of a linear model and of a forest of random trees on these rows. A weak reference proves nothing: both models fail
to learn a parity, or to see a line anywhere in a picture, and a good network learns both.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from pydantic import Field

from pipeline.data.reference.guessing import guessing_bound
from pipeline.data.reference.quick_models import (
    MODELS,
    TREES,
    Fold,
    ModelName,
    counted,
    folds,
    predictions,
    standardised,
)
from pipeline.data.reference.ranking_scores import mean_auc, top_k_accuracy
from pipeline.data.split.samples import Samples, Split, Stored
from pipeline.data.split.tasks import Task
from pipeline.foundations.files import reading, save_text
from pipeline.params.evaluation_params import AUC, SKILL, TOP_K

REFERENCE: Final = Path("data/reference/reference.json")
ROWS: Final = 2000  # the most rows to fit on, and the most rows to score on
ENTRIES: Final = 2_000_000  # rows x columns that take about two seconds; a larger table gets no reference
FEWEST: Final = 20  # with fewer rows there is no reference
LEAST_PROBABILITY: Final = 1 / (2 * TREES)  # of a class that no tree votes for; the logarithm of 0 is infinite
# Rows are imbalanced if a class has more than so many times the rows of another class. A model that predicts the most
# probable class may then never predict the rare one, so a linear model with class weights is fitted, too.
IMBALANCED: Final = 2.0
# For these kinds of inputs the reference sets the bar, the score above which a network has learned. On pictures and on
# sequences with one target, a weak model proves nothing.
WITH_BAR: Final = ("columns", "steps")

Inputs = Literal["columns", "ids", "array", "steps"]
# Takes targets and predictions of the judged rows, in their order.
ScoreOf = Callable[[np.ndarray, np.ndarray], float]


class Reference(Stored):
    """The scores of the quick models.

    scores: the scores on rows that the model was not fitted on, by model and score.
    inputs: the kind of the inputs: `columns` of numbers, in any order; `ids`, which were counted; an `array` of more
        dimensions, which was flattened; or `steps` of sequences with a target for each step, where a model gets the
        inputs of the step and of the step before.
    fitted: the number of rows that the models were fitted on.
    judged: the number of rows that the scores are from.
    part: the part of the data to which these rows belong; "folds" for cross-validation on the training rows.
    bound: for each score, the value that guessing exceeds on these rows in 2.5% of all cases.
    skipped: the reason why there are no scores; "" if there are scores.
    has_class_weights: whether the network is trained with weights of classes or rows. If not, the bar ignores the score
        of `weighted_linear`, which shows what class weights would reach.
    """

    scores: dict[ModelName, dict[str, float]] = Field(default_factory=dict)
    inputs: Inputs = "columns"
    fitted: int = 0
    judged: int = 0
    part: str = ""
    bound: dict[str, float] = Field(default_factory=dict)
    skipped: str = ""
    has_class_weights: bool = False

    def by_model(self, score: str) -> dict[ModelName, float]:
        """Return the score of each model that has it."""
        return {name: scores[score] for name, scores in self.scores.items() if score in scores}

    def best(self, score: str) -> tuple[ModelName, float] | None:
        """Return the best model of those that may set the bar, and its score; None if there is no such score."""
        values = self.by_model(score)
        if not self.has_class_weights:
            values.pop("weighted_linear", None)
        name = max(values, key=values.__getitem__, default=None)
        return None if name is None else (name, values[name])

    def greatest(self, score: str) -> float | None:
        """Return the best score of all models, with class weights and without; None if no model has it."""
        return max(self.by_model(score).values(), default=None)

    def has_bar(self, score: str) -> bool:
        """Return whether the models' scores set the bar."""
        return self.inputs in WITH_BAR and self.best(score) is not None

    def bar(self, score: str, guess: float, usual: float) -> float:
        """Return the score above which a network has learned.

        This bar is halfway from guessing to the best model, but at least the upper bound of guessing, and at most
        `usual`. If the kind of the inputs is not in WITH_BAR, it is `usual`: there, a weak model proves nothing.

        Args:
            guess: the score of guessing.
            usual: the task's usual threshold.
        """
        best = self.best(score)
        if best is None or not self.has_bar(score):
            return usual
        return min(usual, round(max((guess + best[1]) / 2, self.bound.get(score, usual)), 3))


def save_reference(reference: Reference) -> None:
    """Write the reference as JSON."""
    text = reference.model_dump_json(indent=2, exclude={"has_class_weights"})  # only a watched fit has them
    save_text(text + "\n", REFERENCE)


def load_reference() -> Reference:
    """Read the reference that the stage `reference` wrote.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    with reading(REFERENCE, "a reference as the stage `reference` writes it"):
        return Reference.model_validate_json(REFERENCE.read_text(encoding="utf-8"))


def of_split(split: Split) -> Reference:
    """Fit the reference on the training rows, and score it on the rows by which networks are judged."""
    if len(split.shape) == 2:
        return Reference(inputs="array", skipped="each row is a sequence, which has no columns")
    part = "test" if split.validation is None else "validation"
    inputs: Inputs = "columns" if len(split.shape) == 1 else "array"
    return fit(split.task, split.train, split.parts[part], part, inputs)


def fit(
    task: Task,
    train: Samples,
    judge: Samples | None,
    part: str,
    inputs: Inputs,
    *,
    further: Mapping[str, ScoreOf] = MappingProxyType({}),
    top_k: int = 1,
    has_class_weights: bool = False,
) -> Reference:
    """Fit the models on at most ROWS rows, and score them on other rows: in one thread, with fixed seeds.

    Args:
        train: the rows to fit on, inputs float [row, ...] or ids int [row, step].
        judge: the rows to score on; None for FOLDS folds of the training rows.
        part: the name of the rows to score on.
        inputs: the kind of the inputs, as in `Reference`.
        further: further scores, by name.
        top_k: the number of classes for the score TOP_K.
        has_class_weights: see `Reference`.
    """
    rows = sample(task, train)
    judge_rows = None if judge is None else sample(task, judge)
    reason = _reason_to_skip(task, rows, judge_rows, inputs)
    if reason:
        return Reference(inputs=inputs, skipped=reason)
    encode = counted if np.issubdtype(rows.inputs.dtype, np.integer) and inputs in ("ids", "steps") else standardised
    columns, judge_columns = encode(rows.inputs, None if judge_rows is None else judge_rows.inputs)
    if columns.size > ENTRIES:
        size = f"{len(columns):,} rows of {columns.shape[1]:,} columns"
        return Reference(inputs=inputs, skipped=f"{size} take too long")
    pairs = list(folds(task, columns, rows.targets, judge_columns, judge_rows))
    targets = np.concatenate([fold.judge_targets for fold in pairs])
    scores = {name: _scores_of(task, name, pairs, targets, further) for name in _models(task, rows.targets)}
    return Reference(
        scores=scores,
        inputs=inputs,
        fitted=len(rows),
        judged=len(targets),
        part="folds" if judge_rows is None else part,
        bound={score: guessing_bound(task, score, targets, top_k) for score in scores["trees"]},
        has_class_weights=has_class_weights,
    )


def ranking_scores(task: Task, top_k: int) -> dict[str, ScoreOf]:
    """Return the scores of a classification that depend on the order of predictions, by name."""

    def auc(targets: np.ndarray, predicted: np.ndarray) -> float:
        if task.kind == "binary":
            return mean_auc(targets[:, None] == 1, predicted)
        return mean_auc(targets[:, None] == np.arange(len(task.names)), predicted)

    return {AUC: auc, TOP_K: lambda targets, predicted: top_k_accuracy(targets, predicted, top_k)}


def _models(task: Task, targets: np.ndarray) -> Iterator[ModelName]:
    """Yield the names of the models to fit; with class weights only if the rows are imbalanced."""
    counts = np.unique(targets, return_counts=True)[1] if task.is_classification else np.ones(1)
    for name in MODELS:
        if name != "weighted_linear" or counts.max() > IMBALANCED * counts.min():
            yield name


def _reason_to_skip(task: Task, rows: Samples, judge_rows: Samples | None, inputs: Inputs) -> str:
    """Return the reason why no reference can be fitted; "" if it can."""
    parts = [rows] if judge_rows is None else [rows, judge_rows]
    if min(map(len, parts)) < FEWEST:
        return f"fewer than {FEWEST} rows"
    if not all(np.isfinite(part.inputs).all() and np.isfinite(part.targets).all() for part in parts):
        return "NaN or infinite values"
    if task.is_classification and len(np.unique(rows.targets)) < 2:
        return "the training rows have one class"
    if inputs == "ids" and min(part.inputs.min() for part in parts) < 0:
        return "negative ids"
    return ""


def sample(task: Task, samples: Samples) -> Samples:
    """Draw at most ROWS rows, with a fixed seed; the classes keep their shares."""
    if len(samples) <= ROWS:
        return samples
    random = np.random.default_rng(0)
    order = random.permutation(len(samples))
    if task.is_classification:  # evenly spaced rows, in the order of their classes, keep the shares
        order = order[np.argsort(samples.targets[order], kind="stable")]
        order = order[np.linspace(0, len(order) - 1, ROWS).astype(int)]
    rows = np.sort(order[:ROWS])
    return Samples(samples.inputs[rows], samples.targets[rows])


def _scores_of(
    task: Task, name: ModelName, pairs: Sequence[Fold], targets: np.ndarray, further: Mapping[str, ScoreOf]
) -> dict[str, float]:
    """Fit a model, and return its finite scores on the rows that it was not fitted on.

    Args:
        pairs: the rows to fit on and to score on, of each fold.
        targets: the targets of all rows to score on.
    """
    predicted = np.concatenate([predictions(task, name, fold) for fold in pairs])
    scores = {**task.scores(targets, predicted), SKILL: _skill(task, targets, predicted)}
    scores |= {further_name: score(targets, predicted) for further_name, score in further.items()}
    if name == "weighted_linear":  # class weights distort its probabilities, so only this score has a meaning
        scores = {"balanced_accuracy": scores["balanced_accuracy"]}
    return {score: value for score, value in scores.items() if np.isfinite(value)}


def _skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return 1 - loss / baseline loss; NaN if the baseline loss is 0."""
    baseline = task.constant_loss(targets)
    if not baseline:
        return float("nan")
    if not task.is_classification:
        return float(1 - ((targets - predictions) ** 2).mean() / baseline)
    probabilities = np.column_stack([1 - predictions, predictions]) if task.kind == "binary" else predictions
    of_true_class = probabilities[np.arange(len(targets)), targets].clip(min=LEAST_PROBABILITY)
    return float(1 + np.log(of_true_class).mean() / baseline)
