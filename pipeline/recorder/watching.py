"""A model from its first watched `fit` on: it installs the hooks, measures after epochs, and keeps the record.

Imports TensorFlow as the user has set it up, and sets nothing.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np
import xarray as xr

from pipeline.foundations.untyped import Array, Batch, Logs
from pipeline.history.record import Layer
from pipeline.recorder.budget import Budget
from pipeline.recorder.captured_rows import KeptWeights
from pipeline.recorder.curves import Curves, KnownData
from pipeline.recorder.fed_rows import RowStatistics
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layer_table import layer_table
from pipeline.recorder.layers import Row, has_modes, rows
from pipeline.recorder.probe import Probe, Rows, Tensors
from pipeline.recorder.probe_rows import in_batches, spread
from pipeline.recorder.recorder import Recorder
from pipeline.recorder.side_facts import SideFacts

MEASURE = "measure on the probe"  # guarded; after one failure only the kernels are measured


@dataclass(frozen=True)
class Options:
    """How a model is watched; see the arguments of `Diagnosis`.

    is_due: takes an epoch and whether it is the last; returns whether values by layer are recorded after it.
    rows: of the probe, at most. has_every_curve: whether losses and scores are measured after each epoch.
    """

    task: str
    is_due: Callable[[int, bool], bool]
    max_overhead: float | None
    histograms: bool
    rows: int
    has_every_curve: bool = False


class Watching:
    """One watched model; several calls of `fit` continue one record.

    recorder: the measurements. epoch: how many epochs the model was trained for. probed: which rows are the probe, in
    words.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tuple[Batch, Batch] | None,
        options: Options,
        guard: Guard,
        known: KnownData | None = None,
    ) -> None:
        """Choose the probe, and the hooks for what it lacks.

        Args:
            data: inputs and targets, of which some rows are the probe; without them, rows of the first batches are.
            known: what curves are of; by default the probe and rows of fit's own validation data.
        """
        self.recorder = Recorder()
        self.epoch = 0
        self.probed = "no rows"
        self._model = model
        self._options = options
        self._guard = guard
        self._budget = Budget(options.max_overhead)
        self._hooks = FitHooks(model, options.rows, self._kernels, self._keep_initial, guard)
        self._facts = SideFacts(model, self.recorder.sides, guard)
        self._curves = Curves(model, options.task, guard, None if known is None else known.scorer)
        self._rows: list[Row] = []
        self._probe: Probe | None = None
        self._sample: Rows | None = None  # the probe's rows
        self._statistics: RowStatistics | None = None  # of the rows that the record's training loss is of
        self._initial: Tensors | None = None  # weights before the first step, until they are measured
        self._kept: KeptWeights | None = None
        self._before: Tensors | None = None  # kernels one epoch ago
        self._offset: int | None = None  # from Keras's number of an epoch to the record's; None before a fit's first
        self._is_first_epoch = False  # of this `fit`
        self._is_due = False
        if known is not None:
            self._curves.parts |= {name: in_batches(model, part) for name, part in known.parts.items()}
        if data is not None:
            self._use_rows(*data)
        if model.built:
            self._kernels()
            self._initial = None if self._probe is None else self._probe.state()

    # While `fit` runs

    def begin(self, is_fresh: bool, is_test_fresh: bool) -> None:
        """Install the hooks.

        Args:
            is_fresh, is_test_fresh: whether Keras's functions for training and for validation were never traced.
        """
        self._offset = None
        can_capture = not self._model.jit_compile
        captured = []
        if can_capture and is_fresh and self._sample is None:
            captured.append("train")
        if can_capture and is_test_fresh and "validation" not in self._curves.parts:
            captured.append("validation")
        self._hooks.install(captured, is_fresh)

    def validation_begins(self) -> None:
        """Let the hooks capture the rows of the first validation."""
        self._hooks.validation_begins()

    def validation_ends(self) -> None:
        """Keep the validation rows that Keras just evaluated."""
        captured = self._hooks.captured("validation")
        if captured is not None:
            self._curves.parts["validation"] = in_batches(self._model, Rows.of(*captured))

    def epoch_begins(self, epoch: int, is_last: bool) -> None:
        """Decide whether the epoch is recorded, and start its sums and clock.

        Args:
            epoch: counted from 0, as Keras counts.
        """
        self._is_first_epoch = self._offset is None
        if self._offset is None:
            self._offset = self.epoch - epoch
            self._hooks.restart_rows()
        is_wanted = self._options.is_due(self._offset + epoch + 1, is_last)
        self._is_due = is_wanted and (is_last or self._budget.is_enough)
        if self._is_due:
            with self._budget.measuring(is_whole=False):
                if self._before is None and self._probe is not None:
                    self._before = self._probe.kernels(self._probe.state())
                self._hooks.restart_gradients()
        self._budget.epoch_begins()

    def epoch_ends(self, epoch: int, logs: Logs) -> bool:
        """Keep the logs and, where the epoch is due, measure; return whether anything was measured."""
        self._budget.epoch_ends()
        self.epoch = (self._offset or 0) + epoch + 1
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
            self._before = None
            return self._options.has_every_curve
        if self._kept is not None:
            self._initial, self._kept = self._kept.weights, None
        does_compile = self._initial is not None
        with nullcontext() if does_compile else self._budget.measuring():
            self.record_initial()
            self._record(self._probe, self.epoch, self._before)
        return True

    def end(self) -> None:
        """Remove the hooks and restore the model's functions."""
        self._hooks.remove()

    def finish(self) -> None:
        """Measure the last state, if it was not: `fit` may end before the epoch that it announced as the last.

        After a `fit` without an epoch that is the state before the first step, where there are rows to measure it on.
        """
        if not self.epoch and self._sample is not None:
            self.record_initial()
        last = self.recorder.states.get(self.epoch)
        is_measured = last is not None and bool(last.values)
        if self._probe is not None and self.epoch and not is_measured:
            self.record_initial()
            self._record(self._probe, self.epoch, None)

    def record_initial(self) -> None:
        """Measure the state before the first step, once there are rows to measure it on."""
        if self._initial is not None and self._probe is not None:
            self._record(self._probe, 0, None, self._initial)
            if self._before is None and self.epoch == 1:
                self._before = self._probe.kernels(self._initial)
            self._initial = None

    # Results

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""
        baselines = dict(self._curves.baselines)
        if np.isnan(baselines.get("train", np.nan)):
            baselines["train"] = self._first_loss()
        return self.recorder.history(self.table, self._curves.task, baselines, self.probed)

    @property
    def table(self) -> list[Layer]:
        """The layer table."""
        if self._probe is None:
            return []
        return layer_table(self._rows, self._probe.activity, self.recorder.states.values())

    def _first_loss(self) -> float:
        """Return the first known training loss, which stands for the baseline where no task fits; 1 without any."""
        states = self.recorder.states
        loss = states[min(states)].curves.get("train_loss") if states else None
        loss = self.recorder.logs.get(1, {}).get("loss") if loss is None else loss
        return loss if loss is not None and np.isfinite(loss) else 1.0

    # The model's kernels

    def _kernels(self) -> list[keras.Variable]:
        """Return the kernels by row, and build the probe at the first call; it may come from within the first step.

        Raises:
            ValueError: the model has no kernel.
        """
        if self._probe is None:
            self._rows = rows(self._model)
            if not self._rows:
                raise ValueError("no layer of the model has a kernel")
            self._probe = Probe(self._model, self._rows, self._options.histograms)
            self.recorder.sides["has_modes"] = float(has_modes(self._model))
        return [row.variable for row in self._rows]

    def _keep_initial(self) -> None:
        """Keep the weights in the first step of a model that its first batch has just built."""
        if self._initial is None and not self.recorder.states:
            if self._kept is None:
                self._kept = KeptWeights(self._model.weights)
            self._kept.keep()

    # Rows

    def _use_rows(self, inputs: Batch, targets: Batch) -> None:
        """Take the probe from the user's rows; curves are of the probe, too, where no whole part is known."""
        self._facts.measure_rows(inputs, targets)
        with self._guard("use the given rows"):
            self._sample = data = spread(self._model, inputs, targets, self._options.rows)
            whole = self._curves.parts.get("train")
            if whole is None or whole.size == data.size:
                self._curves.parts["train"] = data
            self.probed = f"{data.size:,} given rows" if whole is None else "all rows of its part"
        with self._guard.optional("find whether `fit` trains on the given rows"):
            self._statistics = RowStatistics.of(inputs, targets, are_all=True)

    def _use_captured_rows(self) -> None:
        """Take the probe from rows of the first batches, after the first epoch, where the user gave none."""
        captured = self._hooks.captured("train")
        if captured is None:
            return
        inputs, targets, _ = captured
        self._facts.measure_rows(inputs, targets)
        self._sample = self._curves.parts["train"] = data = in_batches(self._model, Rows.of(*captured))
        self.probed = f"{data.size:,} rows of the first batches"
        self._statistics = RowStatistics.of(inputs, targets, are_all=False)

    # What is measured

    def _record(self, probe: Probe, epoch: int, before: Tensors | None, state: Tensors | None = None) -> None:
        """Measure a state, by default the present one.

        Args:
            before: the kernels one epoch ago; None where they are unknown.
        """
        state = probe.state() if state is None else state
        curves: dict[str, float] = {}
        values: dict[str, Array] = {}
        with self._guard(MEASURE):
            curves, values = self._measured(probe, state, before)
        if not values:
            values = probe.weigh(state, before)
        if epoch and before is not None:
            values |= self._hooks.gradients()
        self.recorder.add(epoch, curves, values)
        self._before = probe.kernels(state) if epoch else self._before

    def _measured(
        self, probe: Probe, state: Tensors, before: Tensors | None
    ) -> tuple[dict[str, float], dict[str, Array]]:
        """Return curves, and values by layer; nothing without rows, or after an earlier failure."""
        if MEASURE in self._guard.failed or self._sample is None:
            return {}, {}
        forward, values = probe.measure(state, self._sample, before)
        self._facts.measure_model(self._rows, probe, self._sample, self._hooks)
        return self._curves.measure(probe, state, (self._sample, forward)), values
