"""The rules of four known tools, written from their published thresholds; a reference, used nowhere in the pipeline.

Each rule is asked at the last recorded epoch, which is kind to it: fewer networks that learned are in a bad moment
there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

VANISHING, EXPLODING, DEAD, SATURATED = "vanishing", "exploding", "dead", "saturated"
FLAT: Final = {"tanh": (-9.5, 9.5), "sigmoid": (-23.0, 17.0)}  # beyond, in SageMaker Debugger


@dataclass(frozen=True)
class Activation:
    """Of a hidden layer: the function's name, its values and what it is given, [replica, sample, unit] each."""

    name: str
    after: np.ndarray
    before: np.ndarray


@dataclass(frozen=True)
class Trained:
    """What a rule looks at. history: of hidden and output layers, as `history.record` has it."""

    history: xr.Dataset
    activations: Sequence[Activation]

    def last(self, name: str) -> np.ndarray:
        """A value by layer at the last recorded epoch, [replica, layer]; NaN where it was not recorded."""
        if name not in self.history:
            return np.full((self.history.sizes["replica"], self.history.sizes["layer"]), np.nan)
        return self.history[name].isel(recorded_epoch=-1).values

    def any(self, names: Sequence[str], holds: Callable[[Activation], np.ndarray]) -> np.ndarray:
        """bool [replica]: it holds of some layer with one of these activations."""
        found = [holds(each) for each in self.activations if each.name in names]
        return np.any(found, axis=0) if found else np.zeros(self.history.sizes["replica"], bool)

    @property
    def is_broken(self) -> np.ndarray:
        """bool [replica]: a loss or a weight is not finite at the end."""
        weights = np.isfinite(self.last("weight_l1")).all(axis=1)
        return ~(weights & np.isfinite(self.history.train_loss.values[:, -1]))


def _most(units: np.ndarray) -> np.ndarray:
    """bool [replica]: more than half of the units, from bool [replica, unit]."""
    return units.mean(axis=1) > 0.5


def _is_flat(activation: Activation) -> np.ndarray:
    low, high = FLAT[activation.name]
    beyond = (activation.before < low) | (activation.before > high)
    return _most(beyond.mean(axis=1) > 0.5)


def _first_over_last(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    norms = trained.last("gradient_norm")
    with np.errstate(divide="ignore", invalid="ignore"):
        return norms[:, 0], norms[:, 0] / norms[:, -1]


def _autotrainer_vanishes(trained: Trained) -> np.ndarray:
    first, ratio = _first_over_last(trained)
    return (ratio < 1e-3) & (first < 1e-4)


RULES: Final[dict[tuple[str, str], Callable[[Trained], np.ndarray]]] = {
    ("SageMaker Debugger", VANISHING): lambda t: (t.last("gradient_mean_abs") < 1e-7).any(axis=1),
    ("SageMaker Debugger", EXPLODING): lambda t: t.is_broken,
    ("SageMaker Debugger", DEAD): lambda t: t.any(["relu"], lambda a: _most((a.after > 0).mean(axis=1) < 0.01)),
    ("SageMaker Debugger", SATURATED): lambda t: t.any([*FLAT], _is_flat),
    ("AutoTrainer", VANISHING): _autotrainer_vanishes,
    ("AutoTrainer", EXPLODING): lambda t: t.is_broken | (_first_over_last(t)[1] > 70),
    ("AutoTrainer", DEAD): lambda t: (
        t.any(["relu"], lambda a: np.ones(len(a.after), bool)) & (t.last("gradient_zero_share").mean(axis=1) >= 0.7)
    ),
    ("DeepDiagnosis", VANISHING): lambda t: (t.last("gradient_mean_abs") < 1e-7).any(axis=1),
    ("DeepDiagnosis", EXPLODING): lambda t: t.is_broken,
    ("DeepDiagnosis", DEAD): lambda t: t.any(["relu"], lambda a: (a.after <= 0).mean(axis=(1, 2)) >= 0.7),
    ("DeepDiagnosis", SATURATED): lambda t: t.any([*FLAT], lambda a: (np.abs(a.before) > 5).mean(axis=(1, 2)) > 0.5),
    ("TheDeepChecker", VANISHING): lambda t: (t.last("gradient_mean_abs") < 1e-6).any(axis=1),
    ("TheDeepChecker", EXPLODING): lambda t: t.is_broken | (t.last("gradient_mean_abs") > 1e6).any(axis=1),
    ("TheDeepChecker", DEAD): lambda t: t.any(["relu"], lambda a: _most(np.quantile(a.after, 0.95, axis=1) < 1e-5)),
}
TOOLS: Final = tuple(dict.fromkeys(tool for tool, _ in RULES))
