"""Measure a model's losses and scores on each part of the data, and the baseline losses."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np

from pipeline.data.split.tasks import Task
from pipeline.foundations.untyped import Batch
from pipeline.recorder.guard import Guard
from pipeline.recorder.probe import ForwardPass, Probe, Rows, Tensors
from pipeline.recorder.scorer import Scorer, scorer_of


class KnownData(NamedTuple):
    """All rows of each part of the data, and the scorer; known if the pipeline itself trains the model."""

    parts: Mapping[str, Rows]
    scorer: Scorer


class Curves:
    """Measures losses and scores.

    parts: the rows of each part of the data, by names such as `train` and `validation`.
    baselines: the loss of the best constant outputs on each measured part; NaN if no task fits.
    """

    def __init__(self, model: keras.Model, kind: str, guard: Guard, scorer: Scorer | None) -> None:
        """Prepare the measurements.

        Args:
            kind: the kind of task, see `scorer_of`.
            scorer: None to choose a scorer at the first measurement.
        """
        self.parts: dict[str, Rows] = {}
        self.baselines: dict[str, float] = {}
        self._model = model
        self._kind = kind
        self._guard = guard
        self._scorer = scorer

    @property
    def task(self) -> Task | None:
        """The model's task; None before the first measurement, or if no task fits."""
        return None if self._scorer is None else self._scorer.task

    def measure(self, probe: Probe, state: Tensors, passed: tuple[Rows, ForwardPass] | None = None) -> dict[str, float]:
        """Return losses and scores of all parts, by names such as `train_loss`.

        Args:
            passed: rows with their forward pass at this state, which a part with the same rows uses again.
        """
        curves: dict[str, float] = {}
        for part, data in self.parts.items():
            is_passed = passed is not None and data is passed[0]
            forward = passed[1] if passed is not None and is_passed else probe.evaluate(state, data)
            if part not in self.baselines:
                self._measure_baseline(probe, part, data, forward.outputs)
            if probe.has_loss:
                curves[f"{part}_loss"] = forward.loss
            if self._scorer is not None:
                scores = self._scorer.scores(data.targets, forward.outputs)
                curves |= {f"{part}_{name}": value for name, value in scores.items()}
        if not probe.has_loss:
            self._guard.note(
                "the model's `compute_loss` returns no loss: the probe has no gradients, and the loss is that of `fit`"
            )
        return curves

    def _measure_baseline(self, probe: Probe, part: str, data: Rows, outputs: Batch) -> None:
        if self._scorer is None:
            self._scorer = scorer_of(self._model, data.targets, outputs, self._kind)
        self.baselines[part] = np.nan
        if self._scorer is None:
            return
        (output,) = keras.tree.flatten(outputs)
        (target,) = keras.tree.flatten(data.targets)
        # If the model's own loss cannot be called, the task's usual loss remains.
        self.baselines[part] = self._scorer.task.constant_loss(self._scorer.targets(target, output))
        with self._guard("measure the baseline loss"):
            constant = self._scorer.constant_outputs(target, output)
            self.baselines[part] = probe.loss_of(data, keras.tree.pack_sequence_as(outputs, [constant]))
