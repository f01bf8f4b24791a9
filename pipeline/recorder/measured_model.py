"""Measure the states of one model, before the first step and after epochs, and add them to the record.

Imports TensorFlow with the user's own settings, and changes none.
"""

from dataclasses import replace
from typing import Final

import keras
import numpy as np
import xarray as xr

from pipeline.foundations.untyped import Array, Batch
from pipeline.history.record import Layer
from pipeline.recorder.around_model import AroundModel
from pipeline.recorder.captured_rows import KeptWeights
from pipeline.recorder.curves import Curves, Judging, KnownData, KnownTask, single_scores
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layer_table import layer_table
from pipeline.recorder.layers import Row, has_modes, rows
from pipeline.recorder.probe import Probe, Tensors
from pipeline.recorder.probe_rows import ProbeRows, in_batches
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.side_facts import SideFacts
from pipeline.recorder.watch_options import Options

MEASURE: Final = "measure on the probe"  # a guarded action; after one failure only the kernels are measured


class MeasuredModel:
    """Measures one model.

    recorder: the measurements.
    hooks: measure the steps of `fit`, and keep its rows.
    around: measures what happens around the model.
    judging: scores the outputs.
    curves: measure losses and scores on each part of the data.
    probe: None before the model is built.
    probe_rows: the rows of the probe.
    earlier_kernels: the kernels one epoch ago; None if unknown.
    """

    def __init__(self, model: keras.Model, options: Options, guard: Guard, judged: Judging | KnownData) -> None:
        """Prepare the measurements.

        Args:
            judged: see `Watching`.
        """
        self.recorder = Recorder()
        self.hooks = FitHooks(
            model, options.rows, self._kernels, self._before_step, lambda: self.around.look_at_step(), guard
        )
        self.around = AroundModel(model, self.recorder, self.hooks, options.task, guard)
        self.judging: Judging = KnownTask(judged.scorer, guard) if isinstance(judged, KnownData) else judged
        self.curves = Curves(guard, self.judging)
        self.probe: Probe | None = None
        self.probe_rows = ProbeRows(model, options.rows, options.is_thinned, guard)
        self.earlier_kernels: Tensors | None = None
        self._model = model
        self._options = options
        self._guard = guard
        self._metrics_epoch = 1  # the first epoch after which metrics are compared again
        self._facts = SideFacts(model, self.recorder.facts, guard)
        self._rows: list[Row] = []
        self._initial_weights: Tensors | None = None  # weights before the first step; None when they are measured
        self._kept_weights: KeptWeights | None = None
        if isinstance(judged, KnownData):
            self.curves.parts |= {name: in_batches(model, part) for name, part in judged.parts.items()}

    def read_initial(self) -> None:
        """Read the weights of a built model before the first step."""
        self._kernels()
        self._initial_weights = None if self.probe is None else self.probe.state()

    # Rows

    def use_given_rows(self, inputs: Batch, targets: Batch) -> None:
        """Choose the probe from the user's rows; if the caller gave no training part, training curves use the probe."""
        self._facts.measure_rows(inputs, targets)
        part = self.curves.parts.get("train")
        self.probe_rows.use_given(inputs, targets, is_whole_part=part is not None)
        rows = self.probe_rows.rows
        if rows is not None and (part is None or part.size == rows.size):
            self.curves.parts["train"] = rows

    def use_fed_rows(self) -> None:
        """After the first epoch, examine the rows of `fit`; if the user gave none, the first batches are the probe."""
        captured = self.hooks.captured("train")
        if captured is not None and self.probe_rows.rows is None:
            self._facts.measure_rows(*captured[:2])
            self.curves.parts["train"] = self.probe_rows.use_captured(captured)
            self.around.measure_training(*captured[:2])
            captured = None
        is_fed_with_probe = self.hooks.is_fed_with(self.probe_rows.statistics)
        self._facts.compare_logged(is_fed_with_probe)
        self.around.measure_fed(None if is_fed_with_probe else captured)
        validation = self.curves.parts.get("validation")
        if validation is not None and self.around.arguments.validation_arrays is None:
            self.around.measure_validation(validation.inputs, validation.targets)

    # States

    def keep_earlier_kernels(self) -> None:
        """Keep the kernels before an epoch, unless they are known from the epoch before it."""
        if self.earlier_kernels is None and self.probe is not None:
            self.earlier_kernels = self.probe.kernels(self.probe.state())

    def has_initial(self) -> bool:
        """Return whether the weights before the first step wait to be measured."""
        if self._kept_weights is not None:
            self._initial_weights, self._kept_weights = self._kept_weights.weights, None
        return self._initial_weights is not None

    def record_initial(self, is_first_epoch: bool) -> None:
        """Measure the state before the first step, as soon as there are rows."""
        if self._initial_weights is not None and self.probe is not None:
            self._record(self.probe, 0, None, self._initial_weights)
            if self.earlier_kernels is None and is_first_epoch:
                self.earlier_kernels = self.probe.kernels(self._initial_weights)
            self._initial_weights = None

    def record(self, epoch: int, has_earlier_kernels: bool = True) -> None:
        """Measure the present state."""
        if self.probe is not None:
            before = self.earlier_kernels if has_earlier_kernels else None
            self._record(self.probe, epoch, before, self.probe.state())

    def record_curves(self, epoch: int) -> None:
        """Measure losses and scores alone."""
        if self.probe is not None:
            self.recorder.add(epoch, self.curves.measure(self.probe, self.probe.state()), {})
        self.earlier_kernels = None

    # Results

    def history(self, is_judged: bool = True) -> xr.Dataset:
        """Return the record so far.

        Args:
            is_judged: whether to add the scores of several outputs and the reference, whose fit takes a second.
        """
        baselines = dict(self.curves.baselines)
        if np.isnan(baselines.get("train", np.nan)):
            baselines["train"] = self._first_loss()
        measured = sorted(self.recorder.states.items())
        judging = self.judging if is_judged else None
        states = {
            epoch: state._replace(
                curves=single_scores(state.curves) if judging is None else judging.combined(state.curves)
            )
            for epoch, state in measured
        }
        recorder = replace(self.recorder, states=states)
        calls = [] if self.probe is None else self.probe.recurrence.calls
        history = recorder.history(self.table, self.judging.task, baselines, self.probe_rows.text, calls)
        if judging is None:
            return history
        last_curves = next((state.curves for _, state in reversed(measured) if state.curves), {})
        return history.assign_attrs(judging.attributes(last_curves))

    @property
    def table(self) -> list[Layer]:
        """The layer table."""
        if self.probe is None:
            return []
        return layer_table(self._rows, self.probe.activity, self.recorder.states.values())

    def _first_loss(self) -> float:
        """Return the first known training loss, or 1; it replaces the baseline loss if no task fits."""
        states = self.recorder.states
        loss = states[min(states)].curves.get("train_loss") if states else None
        loss = self.recorder.logs.get(1, {}).get("loss") if loss is None else loss
        return loss if loss is not None and np.isfinite(loss) else 1.0

    # Hooks

    def _kernels(self) -> list[keras.Variable]:
        """Return the kernels by row; the first call, maybe from within the first step, also builds the probe.

        Raises:
            ValueError: the model has no kernel.
        """
        if self.probe is None:
            self._rows = rows(self._model)
            if not self._rows:
                raise ValueError("no layer of the model has a kernel: there is nothing to measure")
            self.probe = Probe(self._model, self._rows, self._options.histograms)
            self.recorder.facts["has_modes"] = float(has_modes(self._model))
        return [row.variable for row in self._rows]

    def _before_step(self) -> None:
        """Look at the step that is being traced, before it changes the weights.

        If the first batch builds the model, also keep the initial weights, in its first step.
        """
        self.around.look_at_step()
        if self._initial_weights is None and not self.recorder.states:
            if self._kept_weights is None:
                self._kept_weights = KeptWeights(self._model.weights)
            self._kept_weights.keep()

    # Internals

    def _record(self, probe: Probe, epoch: int, before: Tensors | None, state: Tensors) -> None:
        """Measure a state, and add it to the record.

        Args:
            before: the kernels one epoch ago; None if unknown.
            state: all weights.
        """
        curves: dict[str, float] = {}
        values: dict[str, Array] = {}
        with self._guard(MEASURE):
            curves, values = self._measure(probe, epoch, state, before)
        if not values:
            values = probe.measure_kernels(state, before)
        if epoch and before is not None:
            values |= self.hooks.gradients()
        self.recorder.add(epoch, curves, values)
        self.around.measure_shrinking(self._rows)
        self.earlier_kernels = probe.kernels(state) if epoch else self.earlier_kernels

    def _measure(
        self, probe: Probe, epoch: int, state: Tensors, before: Tensors | None
    ) -> tuple[dict[str, float], dict[str, Array]]:
        """Return curves and values by layer; both are empty without rows or after an earlier failure."""
        data = self.probe_rows.rows
        if MEASURE in self._guard.failed or data is None:
            return {}, {}
        forward, values = probe.measure(state, data, before)
        self._facts.measure_model(self._rows, probe, data, self.hooks)
        self.around.measure_state(probe, data, forward)
        curves = self.curves.measure(probe, state, (data, forward))
        if epoch >= self._metrics_epoch:  # each time the epochs double, as far as epochs are recorded
            self._metrics_epoch = 2 * epoch
            self.around.measure_metrics(probe, state, self.curves.parts, curves)
        return curves, values
