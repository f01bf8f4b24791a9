"""The record of a watched training as it grows, and as `history.record` has it: one replica, by epoch and layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from pipeline.data.split.tasks import Task
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

UNKNOWN = Task("regression", ("output",))  # stands where nobody can say what the outputs are to be
LOG = "log_"


@dataclass
class Recorder:
    """What was measured at each recorded epoch, and what `fit` logged at every one.

    states: by epoch the curves, such as `train_loss`, and the values by layer, if these were measured too. logs: by
    epoch, as Keras names them. sides: by names of REPLICA_VALUES, what the model is given and can give.
    """

    states: dict[int, tuple[Mapping[str, float], Mapping[str, np.ndarray]]] = field(default_factory=dict)
    logs: dict[int, Mapping[str, float]] = field(default_factory=dict)
    sides: dict[str, float] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last epoch of which anything is known."""
        return max([*self.states, *self.logs], default=0)

    def add(self, epoch: int, curves: Mapping[str, float], values: Mapping[str, np.ndarray]) -> None:
        """A measured state; the same epoch again replaces it."""
        self.states[epoch] = (dict(curves), dict(values))

    def log(self, epoch: int, logs: Mapping[str, object]) -> None:
        """What `fit` says of an epoch."""
        self.logs[epoch] = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}

    def history(
        self, layers: Sequence[Layer], task: Task | None, constant_losses: Mapping[str, float], probe: str
    ) -> xr.Dataset:
        """All of it.

        Args:
            task: None where no rule applies. probe: of which rows the probe's values are, in words.

        Raises:
            ValueError: nothing was measured.
        """
        recorded = sorted(epoch for epoch, (_, values) in self.states.items() if values)
        if not recorded:
            raise ValueError("no state was recorded")
        count = self.last + 1
        curves, said = {}, {}
        names = sorted({name for curves_of, _ in self.states.values() for name in curves_of})
        for name in names:
            curves[name], is_whole = self._between(name, count)
            said[name] = f"on {probe}; inference mode{'' if is_whole else '; linear between the recorded epochs'}"
        measured_loss = "train_loss" in curves
        if not measured_loss:
            curves["train_loss"] = self._logged("loss", count)
            said["train_loss"] = "as fit logged it, a mean over the epoch; epoch 0 is not known and has that of epoch 1"
        for part in PARTS:
            if f"{part}_loss" in curves and not all(f"{part}_{score}" in curves for score in _scores(task)):
                curves = {name: each for name, each in curves.items() if name == "train_loss" or part not in name}
        made = assemble(
            [0],
            recorded,
            {name: each[None] for name, each in curves.items()},
            self._layer_values(recorded, len(layers)),
            layers,
            task or UNKNOWN,
            {part: value for part, value in constant_losses.items() if f"{part}_loss" in curves},
            {name: np.array([value]) for name, value in self.sides.items()},
        )
        for name in curves:
            made[name].attrs["long_name"] = f"{name.partition('_')[2].replace('_', ' ')}, {said[name]}"
        is_loss_known = bool(measured_loss or any("loss" in logs for logs in self.logs.values()))
        known = {"task_is_known": int(task is not None), LOSS_IS_KNOWN: int(is_loss_known)}
        return self._with_logs(made, count).assign_attrs(probe=probe, **known)

    @staticmethod
    def without_logs(history: xr.Dataset) -> xr.Dataset:
        """As a file holds it: of what `fit` logged the loss alone."""
        return history.drop_vars([each for each in history if str(each).startswith(LOG) and each != LOGGED_LOSS])

    def _between(self, name: str, count: int) -> tuple[np.ndarray, bool]:
        """A curve over all epochs, and whether it is known at each."""
        known = [(epoch, curves[name]) for epoch, (curves, _) in sorted(self.states.items()) if name in curves]
        epochs, values = (np.array(each, np.float64) for each in zip(*known, strict=True))
        return np.interp(np.arange(count), epochs, values).astype(np.float32), len(known) == count

    def _logged(self, name: str, count: int) -> np.ndarray:
        values = np.array([self.logs.get(epoch, {}).get(name, np.nan) for epoch in range(count)], np.float32)
        if count > 1:
            values[0] = values[1]
        return values

    def _layer_values(self, recorded: Sequence[int], layers: int) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        every = [self.states[epoch][1] for epoch in recorded]
        for name in (*LAYER_VALUES, UNIT_SPREAD, SATURATED, *HISTOGRAMS):
            shown = next((values[name] for values in every if name in values), None)
            if shown is None:
                continue
            # What counts has none where nothing was counted; all else is not known there.
            missing = np.zeros_like(shown) if shown.dtype.kind in "bi" else np.full_like(shown, np.nan)
            found[name] = np.stack([values.get(name, missing) for values in every])[None]
        return found

    def _with_logs(self, made: xr.Dataset, count: int) -> xr.Dataset:
        names = sorted({name for logs in self.logs.values() for name in logs})
        for name in names:
            values = [self.logs.get(epoch, {}).get(name, np.nan) for epoch in range(count)]
            made[f"{LOG}{name}"] = (
                ("replica", "epoch"),
                np.array([values], np.float32),
                {"long_name": f"{name}, as fit logged it; no value at epoch 0"},
            )
        return made


def _scores(task: Task | None) -> tuple[str, ...]:
    return task.of_kind.scores if task else ()
