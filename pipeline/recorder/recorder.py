"""Store what is measured of a watched training, and return it as a history of one replica.

To add a quantity, name it in `history/record.py`, and measure it in `probe.py` (a value for each layer), or in
`input_facts.py` or `output_facts.py` (a value for the model). A value by time step is named in
`history/time_profiles.py` and measured in `recurrence.py`. A number about what happens around the model is named in
`diagnosis/fit_facts.py` and measured in `around_model.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import xarray as xr

from pipeline.data.split.tasks import Task
from pipeline.foundations.untyped import Array, Logs
from pipeline.history.record import (
    HISTOGRAMS,
    LAYER_VALUES,
    LOGGED_LOSS,
    LOSS_IS_KNOWN,
    PARTS,
    SATURATED,
    UNIT_SPREAD,
    Layer,
    assemble,
    with_fit_facts,
)
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall, with_time_profiles

UNKNOWN_TASK = Task("regression", ("output",))  # the task of a record if the model's task is unknown
LOG_PREFIX = "log_"
SKIPPED_EPOCHS = "skipped_epochs"  # attribute of a record: see `Recorder`


class MeasuredState(NamedTuple):
    """The measurements of a model at one epoch.

    curves: losses and scores by name, such as `train_loss`.
    values: arrays [layer, ...], by names such as those of LAYER_VALUES, and [recurrent call, step], by the names of
        TIME_VALUES; empty if layers were not measured.
    """

    curves: Mapping[str, float]
    values: Mapping[str, Array]


@dataclass
class Recorder:
    """The measurements at each recorded epoch, and the numbers that `fit` logged at every epoch.

    states: the measurements, by epoch.
    logs: the logged numbers by Keras's names, by epoch.
    facts: one number each about the model's inputs and possible outputs, by names of REPLICA_VALUES.
    fit_facts: one number each about what happens around the model, by names of FIT_FACTS in `diagnosis.fit_facts`.
    fit_texts: names that belong to these facts, by names of FIT_TEXTS there.
    skipped_epochs: how many epochs were to be measured, but measuring them would have taken too long.
    """

    states: dict[int, MeasuredState] = field(default_factory=dict)
    logs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    fit_facts: dict[str, float] = field(default_factory=dict)
    fit_texts: dict[str, str] = field(default_factory=dict)
    skipped_epochs: int = 0

    @property
    def last_epoch(self) -> int:
        """The last epoch with measurements or logs; 0 without any."""
        return max([*self.states, *self.logs], default=0)

    def add(self, epoch: int, curves: Mapping[str, float], values: Mapping[str, Array]) -> None:
        """Add the measurements of an epoch, or replace those of the same epoch."""
        self.states[epoch] = MeasuredState(dict(curves), dict(values))

    def log(self, epoch: int, logs: Logs) -> None:
        """Add the numbers that `fit` logged for an epoch."""
        self.logs[epoch] = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}

    def history(
        self,
        layers: Sequence[Layer],
        task: Task | None,
        constant_losses: Mapping[str, float],
        probe: str,
        calls: Sequence[RecurrentCall] = (),
    ) -> xr.Dataset:
        """Return the record so far.

        Args:
            layers: the layer table.
            task: None if no task of the pipeline fits the model.
            constant_losses: the baseline loss of each part of the data.
            probe: which rows are the probe, in words.
            calls: the calls of recurrent layers.

        Raises:
            ValueError: layers were measured at no epoch.
        """
        recorded = sorted(epoch for epoch, state in self.states.items() if state.values)
        if not recorded:
            raise ValueError("layers were measured at no epoch")
        curves, meanings = self._curves(task, probe)
        is_measured = any("train_loss" in state.curves for state in self.states.values())
        history = assemble(
            [0],
            recorded,
            {name: curve[None] for name, curve in curves.items()},
            self._layer_values(recorded, (*LAYER_VALUES, UNIT_SPREAD, SATURATED, *HISTOGRAMS)),
            layers,
            task or UNKNOWN_TASK,
            {part: value for part, value in constant_losses.items() if f"{part}_loss" in curves},
            {name: np.array([value]) for name, value in self.facts.items()},
        )
        for name in curves:
            history[name].attrs["long_name"] = f"{name.partition('_')[2].replace('_', ' ')}, {meanings[name]}"
        is_loss_known = is_measured or any("loss" in logs for logs in self.logs.values())
        known = {"task_is_known": int(task is not None), LOSS_IS_KNOWN: int(is_loss_known)}
        facts = {name: np.array([fact]) for name, fact in self.fit_facts.items()}
        history = with_time_profiles(history, calls, self._layer_values(recorded, TIME_VALUES))
        measured = {"probe": probe, SKIPPED_EPOCHS: self.skipped_epochs}
        return with_fit_facts(self._with_logs(history), facts).assign_attrs(**measured, **known, **self.fit_texts)

    @staticmethod
    def without_logs(history: xr.Dataset) -> xr.Dataset:
        """Return the history as it is saved: without the numbers that `fit` logged, except the loss."""
        return history.drop_vars([each for each in history if str(each).startswith(LOG_PREFIX) and each != LOGGED_LOSS])

    def _curves(self, task: Task | None, probe: str) -> tuple[dict[str, Array], dict[str, str]]:
        """Return by name the curves over all epochs, and how each was measured.

        If a part of the data lacks a score of the task, its curves are left out, except the training loss.
        """
        curves, meanings = {}, {}
        for name in sorted({name for state in self.states.values() for name in state.curves}):
            curves[name], is_at_every_epoch = self._interpolate(name)
            between = "" if is_at_every_epoch else "; linear between the recorded epochs"
            meanings[name] = f"on {probe}; inference mode{between}"
        if "train_loss" not in curves:
            curves["train_loss"] = _with_first_repeated(self._logged_curve("loss"))
            meanings["train_loss"] = "mean over the epoch, as fit logged it; epoch 0 is unknown and repeats epoch 1"
        has_validation = any(name.startswith("validation_") for name in curves)
        logged = _with_first_repeated(self._logged_curve("val_loss"))
        if has_validation and "validation_loss" not in curves and np.isfinite(logged).all():
            curves["validation_loss"] = logged  # the training step computes the loss itself
            meanings["validation_loss"] = meanings["train_loss"]
        scores = task.of_kind.scores if task else ()
        for part in PARTS:
            if f"{part}_loss" in curves and not all(f"{part}_{score}" in curves for score in scores):
                curves = {name: each for name, each in curves.items() if name == "train_loss" or part not in name}
        return curves, meanings

    def _interpolate(self, name: str) -> tuple[Array, bool]:
        """Return a curve over all epochs, and whether it was measured at every epoch."""
        points = [(epoch, state.curves[name]) for epoch, state in sorted(self.states.items()) if name in state.curves]
        epochs, values = (np.array(each, np.float64) for each in zip(*points, strict=True))
        curve = np.interp(np.arange(self.last_epoch + 1), epochs, values).astype(np.float32)
        return curve, len(points) == self.last_epoch + 1

    def _logged_curve(self, name: str) -> Array:
        return np.array(
            [self.logs.get(epoch, {}).get(name, np.nan) for epoch in range(self.last_epoch + 1)], np.float32
        )

    def _layer_values(self, recorded: Iterable[int], names: Iterable[str]) -> dict[str, Array]:
        layer_values: dict[str, Array] = {}
        states = [self.states[epoch].values for epoch in recorded]
        for name in names:
            example = next((values[name] for values in states if name in values), None)
            if example is None:
                continue
            # At epochs without this value, counts are 0 and other numbers are NaN.
            missing = np.zeros_like(example) if example.dtype.kind in "bi" else np.full_like(example, np.nan)
            layer_values[name] = np.stack([values.get(name, missing) for values in states])[None]
        return layer_values

    def _with_logs(self, history: xr.Dataset) -> xr.Dataset:
        for name in sorted({name for logs in self.logs.values() for name in logs}):
            history[f"{LOG_PREFIX}{name}"] = (
                ("replica", "epoch"),
                self._logged_curve(name)[None],
                {"long_name": f"{name}, as fit logged it; no value at epoch 0"},
            )
        return history


def _with_first_repeated(curve: Array) -> Array:
    if len(curve) > 1:
        curve[0] = curve[1]
    return curve
