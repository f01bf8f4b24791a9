"""Watch one model: install the hooks, measure after epochs, and keep the record over all its watched fits.

Imports TensorFlow with the user's own settings, and changes none.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

import keras
import numpy as np
import xarray as xr

from pipeline.foundations.untyped import Array, Batch, Logs
from pipeline.history.record import Layer
from pipeline.recorder.budget import Budget
from pipeline.recorder.captured_rows import KeptWeights
from pipeline.recorder.curves import Curves, Judging, KnownData, KnownTask
from pipeline.recorder.fed_rows import RowStatistics
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layer_table import layer_table
from pipeline.recorder.layers import Row, has_modes, rows
from pipeline.recorder.probe import Probe, Rows, Tensors
from pipeline.recorder.probe_rows import in_batches, spread
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.side_facts import SideFacts

MEASURE = "measure on the probe"  # a guarded action; after one failure only the kernels are measured


@dataclass(frozen=True)
class Options:
    """How to watch a model; `Diagnosis` documents the other options.

    is_due: takes an epoch and whether it is the last; returns whether layers are measured after this epoch.
    rows: the largest number of rows in the probe.
    has_every_curve: whether losses and scores are measured after every epoch.
    """

    is_due: Callable[[int, bool], bool]
    max_overhead: float | None
    histograms: bool
    rows: int
    has_every_curve: bool = False


class Watching:
    """Watches one model; several calls of `fit` continue one record.

    recorder: the measurements.
    epoch: the number of epochs for which the model was trained.
    probe_text: which rows are the probe, in words.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tuple[Batch, Batch] | None,
        options: Options,
        guard: Guard,
        judged: Judging | KnownData,
    ) -> None:
        """Choose the probe, and prepare the hooks.

        Args:
            data: inputs and targets, from which the probe is chosen; if None, from the first batches of `fit`.
            judged: scores the outputs on the probe and on rows of fit's validation data; or a scorer and the rows on
                which curves are measured.
        """
        self.recorder = Recorder()
        self.epoch = 0
        self.probe_text = "no rows"
        self._model = model
        self._options = options
        self._guard = guard
        self._budget = Budget(options.max_overhead)
        self._hooks = FitHooks(model, options.rows, self._kernels, self._keep_initial, guard)
        self._facts = SideFacts(model, self.recorder.facts, guard)
        known = judged if isinstance(judged, KnownData) else None
        self._judging: Judging = KnownTask(judged.scorer, guard) if isinstance(judged, KnownData) else judged
        self._curves = Curves(guard, self._judging)
        self._rows: list[Row] = []
        self._probe: Probe | None = None
        self._probe_rows: Rows | None = None  # the rows of the probe
        self._statistics: RowStatistics | None = None  # of the rows on which the record's training loss is measured
        self._initial_weights: Tensors | None = None  # weights before the first step; None when they are measured
        self._kept_weights: KeptWeights | None = None
        self._earlier_kernels: Tensors | None = None  # kernels one epoch ago
        # The record's epoch minus Keras's; None before the first epoch of a `fit`.
        self._epoch_offset: int | None = None
        self._is_first_epoch = False  # of this `fit`
        self._is_due = False
        if known is not None:
            self._curves.parts |= {name: in_batches(model, part) for name, part in known.parts.items()}
        if data is not None:
            self._use_rows(*data)
        if model.built:
            self._kernels()
            self._initial_weights = None if self._probe is None else self._probe.state()

    # While `fit` runs

    def begin(self, is_fresh: bool, is_test_fresh: bool) -> None:
        """Install the hooks.

        Args:
            is_fresh: whether Keras has never traced its training function.
            is_test_fresh: whether Keras has never traced its validation function.
        """
        self._epoch_offset = None
        can_capture = not self._model.jit_compile
        captured = []
        if can_capture and is_fresh and self._probe_rows is None:
            captured.append("train")
        if can_capture and is_test_fresh and "validation" not in self._curves.parts:
            captured.append("validation")
        self._hooks.install(captured, is_fresh)

    def validation_begins(self) -> None:
        """Capture the rows of the first validation."""
        self._hooks.validation_begins()

    def validation_ends(self) -> None:
        """Keep the validation rows that Keras just evaluated."""
        captured = self._hooks.captured("validation")
        if captured is not None:
            self._curves.parts["validation"] = in_batches(self._model, Rows.of(*captured))

    def epoch_begins(self, epoch: int, is_last: bool) -> None:
        """Decide whether the epoch is recorded, and start the sums and the clock of this epoch.

        Args:
            epoch: from 0, as Keras counts.
        """
        self._is_first_epoch = self._epoch_offset is None
        if self._epoch_offset is None:
            self._epoch_offset = self.epoch - epoch
            self._hooks.restart_rows()
        is_wanted = self._options.is_due(self._epoch_offset + epoch + 1, is_last)
        self._is_due = is_wanted and (is_last or self._budget.has_time)
        if self._is_due:
            with self._budget.measuring(is_whole=False):
                if self._earlier_kernels is None and self._probe is not None:
                    self._earlier_kernels = self._probe.kernels(self._probe.state())
                self._hooks.restart_gradients()
        self._budget.epoch_begins()

    def epoch_ends(self, epoch: int, logs: Logs) -> bool:
        """Keep the logs, measure if the epoch is due, and return whether anything was measured."""
        self._budget.epoch_ends()
        self.epoch = (self._epoch_offset or 0) + epoch + 1
        self.recorder.log(self.epoch, logs)
        self._use_captured_rows()
        if self._is_first_epoch:
            self._facts.compare_logged(self._hooks.is_fed_with(self._statistics))
        if self._probe is None:
            return False
        if not self._is_due:
            if self._options.has_every_curve:
                self.record_initial()
                self.recorder.add(self.epoch, self._curves.measure(self._probe, self._probe.state()), {})
            self._earlier_kernels = None
            return self._options.has_every_curve
        if self._kept_weights is not None:
            self._initial_weights, self._kept_weights = self._kept_weights.weights, None
        is_compiling = self._initial_weights is not None
        with nullcontext() if is_compiling else self._budget.measuring():
            self.record_initial()
            self._record(self._probe, self.epoch, self._earlier_kernels)
        return True

    def end(self) -> None:
        """Remove the hooks and restore the model's functions."""
        self._hooks.remove()

    def finish(self) -> None:
        """Measure the last state if it is not measured yet, because `fit` may end before its announced last epoch.

        After a `fit` without an epoch, measure the state before the first step, if there are rows.
        """
        if not self.epoch and self._probe_rows is not None:
            self.record_initial()
        last = self.recorder.states.get(self.epoch)
        is_measured = last is not None and bool(last.values)
        if self._probe is not None and self.epoch and not is_measured:
            self.record_initial()
            self._record(self._probe, self.epoch, None)

    def record_initial(self) -> None:
        """Measure the state before the first step, as soon as there are rows."""
        if self._initial_weights is not None and self._probe is not None:
            self._record(self._probe, 0, None, self._initial_weights)
            if self._earlier_kernels is None and self.epoch == 1:
                self._earlier_kernels = self._probe.kernels(self._initial_weights)
            self._initial_weights = None

    # Results

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""
        baselines = dict(self._curves.baselines)
        if np.isnan(baselines.get("train", np.nan)):
            baselines["train"] = self._first_loss()
        states = {
            epoch: state._replace(curves=self._judging.combined(state.curves))
            for epoch, state in self.recorder.states.items()
        }
        history = replace(self.recorder, states=states).history(
            self.table, self._judging.task, baselines, self.probe_text
        )
        last = next((state.curves for _, state in sorted(self.recorder.states.items(), reverse=True) if state.curves), {})
        return history.assign_attrs(self._judging.attributes(last))

    @property
    def table(self) -> list[Layer]:
        """The layer table."""
        if self._probe is None:
            return []
        return layer_table(self._rows, self._probe.activity, self.recorder.states.values())

    def _first_loss(self) -> float:
        """Return the first known training loss, or 1; it replaces the baseline loss if no task fits."""
        states = self.recorder.states
        loss = states[min(states)].curves.get("train_loss") if states else None
        loss = self.recorder.logs.get(1, {}).get("loss") if loss is None else loss
        return loss if loss is not None and np.isfinite(loss) else 1.0

    # The model's kernels

    def _kernels(self) -> list[keras.Variable]:
        """Return the kernels by row; the first call, maybe from within the first step, also builds the probe.

        Raises:
            ValueError: the model has no kernel.
        """
        if self._probe is None:
            self._rows = rows(self._model)
            if not self._rows:
                raise ValueError("no layer of the model has a kernel: there is nothing to measure")
            self._probe = Probe(self._model, self._rows, self._options.histograms)
            self.recorder.facts["has_modes"] = float(has_modes(self._model))
        return [row.variable for row in self._rows]

    def _keep_initial(self) -> None:
        """Keep the initial weights of a model that is built by its first batch, in its first step."""
        if self._initial_weights is None and not self.recorder.states:
            if self._kept_weights is None:
                self._kept_weights = KeptWeights(self._model.weights)
            self._kept_weights.keep()

    # Rows

    def _use_rows(self, inputs: Batch, targets: Batch) -> None:
        """Choose the probe from the user's rows; if the caller gave no training part, training curves use the probe."""
        self._facts.measure_rows(inputs, targets)
        with self._guard("use the given rows"):
            self._probe_rows = data = spread(self._model, inputs, targets, self._options.rows)
            part = self._curves.parts.get("train")
            if part is None or part.size == data.size:
                self._curves.parts["train"] = data
            self.probe_text = f"{data.size:,} given rows" if part is None else "all rows of its part"
        with self._guard.optional("check whether `fit` trains on the given rows"):
            self._statistics = RowStatistics.of(inputs, targets, are_all=True)

    def _use_captured_rows(self) -> None:
        """After the first epoch, if the user gave no rows, make those of the first batches the probe."""
        captured = self._hooks.captured("train")
        if captured is None:
            return
        inputs, targets, _ = captured
        self._facts.measure_rows(inputs, targets)
        self._probe_rows = self._curves.parts["train"] = data = in_batches(self._model, Rows.of(*captured))
        self.probe_text = f"{data.size:,} rows of the first batches"
        self._statistics = RowStatistics.of(inputs, targets, are_all=False)

    # Measuring

    def _record(self, probe: Probe, epoch: int, before: Tensors | None, state: Tensors | None = None) -> None:
        """Measure a state, and add it to the record.

        Args:
            before: the kernels one epoch ago; None if unknown.
            state: all weights; by default the present weights.
        """
        state = probe.state() if state is None else state
        curves: dict[str, float] = {}
        values: dict[str, Array] = {}
        with self._guard(MEASURE):
            curves, values = self._measure(probe, state, before)
        if not values:
            values = probe.measure_kernels(state, before)
        if epoch and before is not None:
            values |= self._hooks.gradients()
        self.recorder.add(epoch, curves, values)
        self._earlier_kernels = probe.kernels(state) if epoch else self._earlier_kernels

    def _measure(
        self, probe: Probe, state: Tensors, before: Tensors | None
    ) -> tuple[dict[str, float], dict[str, Array]]:
        """Return curves and values by layer; both are empty without rows or after an earlier failure."""
        if MEASURE in self._guard.failed or self._probe_rows is None:
            return {}, {}
        forward, values = probe.measure(state, self._probe_rows, before)
        self._facts.measure_model(self._rows, probe, self._probe_rows, self._hooks)
        return self._curves.measure(probe, state, (self._probe_rows, forward)), values
