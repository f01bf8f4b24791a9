"""Measure a model's losses and scores on each part of the data, and the baseline losses."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import keras

from pipeline.data.split.tasks import Task
from pipeline.foundations.untyped import Batch
from pipeline.recorder.fit_arguments import FitArguments
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import ForwardPass, Probe, Rows, Tensors
from pipeline.recorder.scorer import Scorer

OUTPUT_SCORE: Final = "_output_"  # in the names of the scores of several outputs, such as `validation_output_0`


class Judging(Protocol):
    """Scores a model's outputs."""

    @property
    def task(self) -> Task | None:
        """The model's task; None before the first measurement, or if no task fits."""

    def fit_begins(self, arguments: FitArguments, data: tuple[Batch, Batch] | None) -> None:
        """Look at the rows on which a `fit` trains.

        Args:
            data: the rows that the user gave to `Diagnosis`.
        """

    def begin(self, probe: Probe, part: str, data: Rows, outputs: Batch) -> float:
        """Prepare for a part of the data, and return its baseline loss; NaN if it is unknown."""

    def scores(self, probe: Probe, part: str, data: Rows, forward: ForwardPass) -> dict[str, float]:
        """Return the scores of a part, by name."""

    def combined(self, curves: Mapping[str, float]) -> Mapping[str, float]:
        """Return the curves of one epoch as the record holds them, from losses and scores by part."""

    def attributes(self, curves: Mapping[str, float]) -> dict[str, str | float]:
        """Return the record's attributes about the judgement, from the curves of the last epoch."""


class KnownData(NamedTuple):
    """All rows of each part of the data, and the scorer; known if the pipeline itself trains the model."""

    parts: Mapping[str, Rows]
    scorer: Scorer


class KnownTask:
    """Scores the outputs of a model whose task is known."""

    def __init__(self, scorer: Scorer, guard: Guard) -> None:
        self._scorer = scorer
        self._guard = guard

    @property
    def task(self) -> Task:
        """The model's task."""
        return self._scorer.task

    def fit_begins(self, arguments: FitArguments, data: tuple[Batch, Batch] | None) -> None:
        """Do nothing: the scorer is enough."""

    def begin(self, probe: Probe, part: str, data: Rows, outputs: Batch) -> float:
        """Return the baseline loss of a part."""
        return baseline_loss(self._scorer, probe, data, outputs, self._guard)

    def scores(self, probe: Probe, part: str, data: Rows, forward: ForwardPass) -> dict[str, float]:
        """Return the scores of a part, by name."""
        return self._scorer.scores(data.targets, forward.outputs)

    def combined(self, curves: Mapping[str, float]) -> Mapping[str, float]:
        """Return the curves as they are."""
        return curves

    def attributes(self, curves: Mapping[str, float]) -> dict[str, str | float]:
        """Return nothing: params.yaml holds the rule."""
        return {}


class Curves:
    """Measures losses and scores.

    parts: the rows of each part of the data, by names such as `train` and `validation`.
    baselines: the loss of the best constant outputs on each measured part; NaN if it is unknown.
    """

    def __init__(self, guard: Guard, judging: Judging) -> None:
        self.parts: dict[str, Rows] = {}
        self.baselines: dict[str, float] = {}
        self._guard = guard
        self._judging = judging

    def measure(self, probe: Probe, state: Tensors, passed: tuple[Rows, ForwardPass] | None = None) -> dict[str, float]:
        """Return losses and scores of all parts, by names such as `train_loss`.

        Args:
            passed: rows with their forward pass at this state, which a part with the same rows uses again.
        """
        curves: dict[str, float] = {}
        for part, data in self.parts.items():
            forward = passed[1] if passed is not None and data is passed[0] else probe.evaluate(state, data)
            if part not in self.baselines:
                self.baselines[part] = self._judging.begin(probe, part, data, forward.outputs)
            if probe.has_loss:
                curves[f"{part}_loss"] = forward.loss
            scores = self._judging.scores(probe, part, data, forward)
            curves |= {f"{part}_{name}": value for name, value in scores.items()}
        if not probe.has_loss:
            self._guard.note(
                "the model's `compute_loss` returns no loss: the probe has no gradients, and the loss is that of `fit`"
            )
        return curves


def single_scores(curves: Mapping[str, float]) -> dict[str, float]:
    """Return the curves without the scores of several outputs."""
    return {name: value for name, value in curves.items() if OUTPUT_SCORE not in name}


def baseline_loss(scorer: Scorer, probe: Probe, data: Rows, outputs: Batch, guard: Guard) -> float:
    """Return the loss of the best constant outputs; the task's usual loss if the model's own cannot be called."""
    (output,) = keras.tree.flatten(outputs)
    (target,) = keras.tree.flatten(data.targets)
    targets = scorer.targets(target, output)
    baseline = scorer.task.constant_loss(targets[scorer.counted(targets, None)])
    with guard("measure the baseline loss"):
        constant = scorer.constant_outputs(target, output)
        baseline = probe.loss_of(data, keras.tree.pack_sequence_as(outputs, [constant]))
    return baseline
