"""The record of a watched training as it grows, and as `history.record` holds it: one replica, by epoch and layer."""

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
)

UNKNOWN = Task("regression", ("output",))  # a record needs some task, also where nobody knows the model's
LOG = "log_"


class MeasuredState(NamedTuple):
    """What was measured of a model at one epoch.

    curves: losses and scores by name, such as `train_loss`. values: by layer, by names of LAYER_VALUES; empty where
    they were not measured.
    """

    curves: Mapping[str, float]
    values: Mapping[str, Array]


@dataclass
class Recorder:
    """What was measured at each recorded epoch, and what `fit` logged at every epoch.

    states: by epoch. logs: by epoch, as Keras names them. sides: what the model gets and can give, by names of
    REPLICA_VALUES.
    """

    states: dict[int, MeasuredState] = field(default_factory=dict)
    logs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    sides: dict[str, float] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last epoch of which anything is known."""
        return max([*self.states, *self.logs], default=0)

    def add(self, epoch: int, curves: Mapping[str, float], values: Mapping[str, Array]) -> None:
        """Add a measured state, or replace that of the same epoch."""
        self.states[epoch] = MeasuredState(dict(curves), dict(values))

    def log(self, epoch: int, logs: Logs) -> None:
        """Add the numbers that `fit` logged for an epoch."""
        self.logs[epoch] = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}

    def history(
        self, layers: Sequence[Layer], task: Task | None, constant_losses: Mapping[str, float], probe: str
    ) -> xr.Dataset:
        """Return the record so far.

        Args:
            task: None where no task of the pipeline fits the model. constant_losses: the baseline loss of each part.
            probe: in words, which rows the probe's values are of.

        Raises:
            ValueError: no state with values by layer was measured.
        """
        recorded = sorted(epoch for epoch, state in self.states.items() if state.values)
        if not recorded:
            raise ValueError("no state was recorded")
        curves, meanings = self._curves(task, probe)
        is_measured = any("train_loss" in state.curves for state in self.states.values())
        history = assemble(
            [0],
            recorded,
            {name: curve[None] for name, curve in curves.items()},
            self._layer_values(recorded),
            layers,
            task or UNKNOWN,
            {part: value for part, value in constant_losses.items() if f"{part}_loss" in curves},
            {name: np.array([value]) for name, value in self.sides.items()},
        )
        for name in curves:
            history[name].attrs["long_name"] = f"{name.partition('_')[2].replace('_', ' ')}, {meanings[name]}"
        is_loss_known = is_measured or any("loss" in logs for logs in self.logs.values())
        known = {"task_is_known": int(task is not None), LOSS_IS_KNOWN: int(is_loss_known)}
        return self._with_logs(history).assign_attrs(probe=probe, **known)

    @staticmethod
    def without_logs(history: xr.Dataset) -> xr.Dataset:
        """Return the history as a file holds it: of what `fit` logged, only the loss."""
        return history.drop_vars([each for each in history if str(each).startswith(LOG) and each != LOGGED_LOSS])

    def _curves(self, task: Task | None, probe: str) -> tuple[dict[str, Array], dict[str, str]]:
        """Return the curves over all epochs and how each was measured, by name.

        A part of the data without all scores of the task keeps no curve but the training loss.
        """
        curves, meanings = {}, {}
        for name in sorted({name for state in self.states.values() for name in state.curves}):
            curves[name], is_whole = self._interpolated(name)
            meanings[name] = f"on {probe}; inference mode{'' if is_whole else '; linear between the recorded epochs'}"
        if "train_loss" not in curves:
            curves["train_loss"] = _repeated_at_start(self._logged("loss"))
            meanings["train_loss"] = "mean over the epoch, as fit logged it; epoch 0 is unknown and repeats epoch 1"
        scores = task.of_kind.scores if task else ()
        for part in PARTS:
            if f"{part}_loss" in curves and not all(f"{part}_{score}" in curves for score in scores):
                curves = {name: each for name, each in curves.items() if name == "train_loss" or part not in name}
        return curves, meanings

    def _interpolated(self, name: str) -> tuple[Array, bool]:
        """Return a curve over all epochs, and whether it was measured at each of them."""
        known = [(epoch, state.curves[name]) for epoch, state in sorted(self.states.items()) if name in state.curves]
        epochs, values = (np.array(each, np.float64) for each in zip(*known, strict=True))
        every = np.interp(np.arange(self.last + 1), epochs, values).astype(np.float32)
        return every, len(known) == self.last + 1

    def _logged(self, name: str) -> Array:
        return np.array([self.logs.get(epoch, {}).get(name, np.nan) for epoch in range(self.last + 1)], np.float32)

    def _layer_values(self, recorded: Iterable[int]) -> dict[str, Array]:
        layer_values: dict[str, Array] = {}
        states = [self.states[epoch].values for epoch in recorded]
        for name in (*LAYER_VALUES, UNIT_SPREAD, SATURATED, *HISTOGRAMS):
            example = next((values[name] for values in states if name in values), None)
            if example is None:
                continue
            # An epoch without the value has counts of 0, and NaN for anything else.
            missing = np.zeros_like(example) if example.dtype.kind in "bi" else np.full_like(example, np.nan)
            layer_values[name] = np.stack([values.get(name, missing) for values in states])[None]
        return layer_values

    def _with_logs(self, history: xr.Dataset) -> xr.Dataset:
        for name in sorted({name for logs in self.logs.values() for name in logs}):
            history[f"{LOG}{name}"] = (
                ("replica", "epoch"),
                self._logged(name)[None],
                {"long_name": f"{name}, as fit logged it; no value at epoch 0"},
            )
        return history


def _repeated_at_start(curve: Array) -> Array:
    if len(curve) > 1:
        curve[0] = curve[1]
    return curve
