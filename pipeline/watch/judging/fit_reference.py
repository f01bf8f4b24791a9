"""Fit the reference for a watched fit: scikit-learn's quick models on the rows that `fit` trains on.

Imports TensorFlow with the user's own settings.
"""

from dataclasses import dataclass
from math import prod
from typing import Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.reference.ranking_scores import mean_auc
from pipeline.data.reference.reference import (
    ENTRIES,
    FEWEST,
    LEAST_PROBABILITY,
    ROWS,
    Reference,
    ScoreOf,
    fit,
    ranking_scores,
)
from pipeline.data.split.samples import Samples
from pipeline.data.split.tasks import Task
from pipeline.foundations.untyped import Array, Batch
from pipeline.params.evaluation_params import AUC, SKILL, TOP_K
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import Probe, Rows
from pipeline.watch.judging.loss_scale import LossScale, logits
from pipeline.watch.judging.output_judge import OutputJudge
from pipeline.watch.judging.reference_inputs import reference_inputs

# Until the reference is fitted, at most so many random rows are kept: enough to draw ROWS with the classes' shares.
KEPT_ROWS: Final = 2 * ROWS
HELD_OUT: Final = 3  # without validation rows, every third sequence judges a reference by step
Leaves = list[Array]


class ArrayRows(NamedTuple):
    """The arrays of inputs and of targets, each [row, ...]; rows to fit on, or to judge."""

    inputs: Leaves
    targets: Leaves

    def select(self, rows: Array) -> "ArrayRows":
        """Return some rows, by their places or as bool [row]."""
        return ArrayRows([leaf[rows] for leaf in self.inputs], [leaf[rows] for leaf in self.targets])


@dataclass(frozen=True)
class ScoredOutput:
    """An output with the rows on which the network is scored.

    validation: the rows that judge it; None if the training rows do.
    kept: the validation rows or steps that scores count; None for all.
    scale: the ends of the skill on the validation rows; None if it is unknown or not needed.
    """

    judge: OutputJudge
    probe: Probe
    train: Rows
    validation: Rows | None
    kept: Array | None
    scale: LossScale | None

    @property
    def can_have_reference(self) -> bool:
        """Whether quick models can be scored like this output; not where the outputs reconstruct the inputs."""
        scorer = self.judge.scorer
        if scorer is not None and scorer.is_pooled:
            return False
        is_of_class = scorer is not None and scorer.task.is_classification
        return self.judge.yardstick.score != SKILL or (self.scale is not None and not is_of_class)


class FitReference:
    """Keeps some training rows of the latest fit, and fits the reference once for each output."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._rows: ArrayRows | None = None
        self._is_too_large = False  # whether a row has too many numbers
        self._has_class_weights = False
        self._references: dict[tuple[int, bool], Reference | None] = {}

    def keep(self, arguments: FitArguments, data: tuple[Batch, Batch] | None) -> None:
        """Keep training rows: those of `fit` if they are arrays, or else those that the user gave to `Diagnosis`."""
        self._references.clear()
        self._rows, self._is_too_large = None, False
        self._has_class_weights = arguments.class_weight is not None or arguments.sample_weight is not None
        source = (arguments.x, arguments.y) if arguments.has_arrays else data
        if source is not None and source[1] is not None:
            with self._guard.optional("keep rows for the reference"):
                self._is_too_large = _are_too_large(source[0])
                self._rows = None if self._is_too_large else _thinned(*source)

    def of(self, model: keras.Model, output: ScoredOutput) -> Reference | None:
        """Return the reference for one output, None if it can have none; fitted at the first call."""
        key = output.judge.place, output.validation is not None
        if key not in self._references:
            self._references[key] = None
            with self._guard.optional("fit the reference"):
                if self._is_too_large:
                    self._references[key] = Reference(
                        inputs="array", skipped="the rows have so many numbers that it takes too long"
                    )
                else:
                    train = self._rows or _leaves(*output.train[:2])
                    self._references[key] = _fitted(model, output, train, self._has_class_weights)
        return self._references[key]


def _fitted(model: keras.Model, output: ScoredOutput, train: ArrayRows, has_class_weights: bool) -> Reference | None:
    judge, judged, kept = output.judge, output.validation, output.kept
    if not output.can_have_reference:
        return None
    judge_rows = None if judged is None else _leaves(*judged[:2])
    rest = train if judge_rows is None else _without(train, judge_rows)
    if len(rest.inputs[0]) < FEWEST:  # the training rows are the validation rows: folds judge
        judge_rows, judged = None, None
    else:
        train = rest
    if judged is None and judge.yardstick.score == SKILL:
        return None  # the model's own loss takes the rows of one part, in their order
    if judge_rows is None and judge.steps:
        (train, judge_rows), kept = _held_out(train), None
    columns = tuple(f"target_{place}" for place in range(1, judge.numbers + 1))
    task = Task("regression", columns) if judge.scorer is None else judge.scorer.task
    if judge.numbers // task.outputs != max(1, judge.steps):
        return Reference(inputs="array", skipped="a row has several targets, and its inputs have no such steps")
    inputs = reference_inputs(model, train.inputs, None if judge_rows is None else judge_rows.inputs, judge.steps)
    if isinstance(inputs, str):
        return Reference(inputs="array", skipped=inputs)
    samples = _samples(judge, inputs.train, train.targets[judge.place], None)
    judge_samples = None
    if inputs.judge is not None and judge_rows is not None:
        judge_samples = _samples(judge, inputs.judge, judge_rows.targets[judge.place], kept)
    return fit(
        task,
        samples,
        judge_samples,
        "held-out training" if judged is None else "validation",
        inputs.kind,
        further=_further_scores(output, task, samples.targets),
        top_k=judge.yardstick.top_k,
        has_class_weights=has_class_weights,
    )


def _further_scores(output: ScoredOutput, task: Task, known: Array) -> dict[str, ScoreOf]:
    """Return the score that judges the output, if the task does not have it.

    Args:
        known: the training targets.
    """
    judge, score = output.judge, output.judge.yardstick.score
    if score in (AUC, TOP_K):
        if judge.scorer is None:  # several labels a row
            return {score: lambda targets, predictions: mean_auc(targets == 1, predictions)}
        return {score: ranking_scores(task, judge.yardstick.top_k)[score]}
    return {SKILL: _own_skill(output, known)} if score == SKILL else {}


def _are_too_large(inputs: Batch) -> bool:
    leaves = keras.tree.flatten(inputs)
    numbers = sum(prod(leaf.shape[1:]) for leaf in leaves)
    return bool(numbers * min(len(leaves[0]), ROWS) > ENTRIES)


def _thinned(inputs: Batch, targets: Batch) -> ArrayRows:
    """Return at most KEPT_ROWS random rows, in their order."""
    count = len(keras.tree.flatten(inputs)[0])
    rows = np.sort(np.random.default_rng(0).permutation(count)[:KEPT_ROWS])
    return _leaves(inputs, targets).select(rows)


def _leaves(inputs: Batch, targets: Batch) -> ArrayRows:
    flat = ([np.asarray(leaf) for leaf in keras.tree.flatten(each) if leaf is not None] for each in (inputs, targets))
    return ArrayRows(*flat)


def _without(train: ArrayRows, judge: ArrayRows) -> ArrayRows:
    """Return the training rows whose inputs differ from all rows to judge: no model is scored on rows that it knows."""
    known = set(_row_bytes(judge.inputs))
    return train.select(np.array([each not in known for each in _row_bytes(train.inputs)], bool))


def _row_bytes(leaves: Leaves) -> list[bytes]:
    """Return the numbers of each row as bytes, in single precision as the model gets them."""
    flat = [leaf.reshape(len(leaf), -1).astype(np.float32) for leaf in leaves if leaf.dtype.kind in "biuf"]
    return [row.tobytes() for row in np.concatenate(flat, axis=1)] if flat else []


def _held_out(train: ArrayRows) -> tuple[ArrayRows, ArrayRows]:
    """Return rows to fit on and rows to judge: whole sequences, because neighbouring steps are alike."""
    is_judged = np.arange(len(train.inputs[0])) % HELD_OUT == 0
    return train.select(~is_judged), train.select(is_judged)


def _samples(judge: OutputJudge, inputs: Array, target: Array, kept: Array | None) -> Samples:
    """Return the samples of an output that count; each step of a sequence is one if it has a target of its own."""
    if judge.scorer is None:
        return Samples(inputs, target.reshape(len(target), -1).astype(np.float64))
    targets = judge.scorer.targets(target, np.broadcast_to(np.float32(0), (len(target), *judge.shape)))
    counts = judge.scorer.counted(targets, kept)
    return Samples(inputs[counts], targets[counts])


def _own_skill(output: ScoredOutput, known: Array) -> ScoreOf:
    """Return the skill of predicted targets under the model's own loss.

    Args:
        known: the training targets; predictions are kept within their range.
    """
    judge, data, scale = output.judge, output.validation, output.scale
    low, high = known.min(axis=0), known.max(axis=0)
    is_probability = low.min() >= 0 and high.max() <= 1
    if np.isin(known, (0, 1)).all():  # a forest's probabilities may be 0, whose logarithm is infinite
        low, high = low + LEAST_PROBABILITY, high - LEAST_PROBABILITY

    def skill(targets: Array, predicted: Array) -> float:
        if data is None or scale is None or len(predicted) != data.size:
            return float("nan")
        values = np.clip(predicted, low, high).reshape(-1, *judge.shape).astype(np.float32)
        loss_of = judge.loss_of(output.probe, data)
        losses = [float(loss_of(tf.constant(each))) for each in (values, *([logits(values)] if is_probability else []))]
        return scale.skill(min((each for each in losses if np.isfinite(each)), default=float("nan")))

    return skill
