"""The rules of four known tools, written from their published thresholds; used in no part of the pipeline.

Each rule is applied at the last recorded epoch. This favours the tools: a network that learned has fewer symptoms there
than earlier in its training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

VANISHING, EXPLODING, DEAD, SATURATED = "vanishing", "exploding", "dead", "saturated"
# Inputs beyond which a unit is saturated, in SageMaker Debugger.
FLAT: Final = {"tanh": (-9.5, 9.5), "sigmoid": (-23.0, 17.0)}


@dataclass(frozen=True)
class Activation:
    """A hidden layer's activation.

    name: the function's name. after, before: its values and its inputs, [replica, sample, unit].
    """

    name: str
    after: np.ndarray
    before: np.ndarray


@dataclass(frozen=True)
class RuleInputs:
    """The inputs of a rule.

    history: a record of hidden and output layers, as in `history.record`. activations: those of hidden layers.
    """

    history: xr.Dataset
    activations: Sequence[Activation]

    def last(self, name: str) -> np.ndarray:
        """Return a value by layer at the last recorded epoch, [replica, layer]; NaN where it was not recorded."""
        if name not in self.history:
            return np.full((self.history.sizes["replica"], self.history.sizes["layer"]), np.nan)
        return self.history[name].isel(recorded_epoch=-1).values

    def any(self, names: Sequence[str], holds: Callable[[Activation], np.ndarray]) -> np.ndarray:
        """Return whether a condition holds in any layer with one of these activations, bool [replica]."""
        results = [holds(each) for each in self.activations if each.name in names]
        return np.any(results, axis=0) if results else np.zeros(self.history.sizes["replica"], bool)

    @property
    def is_broken(self) -> np.ndarray:
        """Whether the final loss or a final weight is NaN or infinite, bool [replica]."""
        is_finite = np.isfinite(self.last("weight_l1")).all(axis=1)
        return ~(is_finite & np.isfinite(self.history.train_loss.values[:, -1]))


def _most(units: np.ndarray) -> np.ndarray:
    """Return whether more than half of the units are true, bool [replica], from bool [replica, unit]."""
    return units.mean(axis=1) > 0.5


def _is_flat(activation: Activation) -> np.ndarray:
    low, high = FLAT[activation.name]
    is_beyond = (activation.before < low) | (activation.before > high)
    return _most(is_beyond.mean(axis=1) > 0.5)


def _first_over_last(inputs: RuleInputs) -> tuple[np.ndarray, np.ndarray]:
    """Return the first layer's gradient norm, and its ratio to the last layer's, [replica]."""
    norms = inputs.last("gradient_norm")
    with np.errstate(divide="ignore", invalid="ignore"):
        return norms[:, 0], norms[:, 0] / norms[:, -1]


def _autotrainer_vanishes(inputs: RuleInputs) -> np.ndarray:
    first, ratio = _first_over_last(inputs)
    return (ratio < 1e-3) & (first < 1e-4)


RULES: Final[dict[tuple[str, str], Callable[[RuleInputs], np.ndarray]]] = {
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
