"""What theory predicts, as numbers to compare measurements with, and for which networks it applies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10, prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

# The arguments of the tutorial's points: the Monte Carlo numbers below hold for these points only, and for this width.
TUTORIAL: Mapping[str, float] = {"n_samples": 1000, "noise": 0.1, "random_state": 1}
TUTORIALS_WIDTH = 5  # units in each hidden layer
# Initialisers that draw w and -w equally often, whatever their arguments; Keras's names without "_".
SYMMETRIC_INITIALIZERS = {
    *(f"{author}{kind}" for author in ("glorot", "he", "lecun") for kind in ("normal", "uniform")),
    *("orthogonal", "orthogonalinitializer", "randomwalk", "variancescaling"),
}


@dataclass(frozen=True)
class Premises:
    """Which statements of theory apply to a network and its data, before the first step.

    born_dead: `born_dead_bound`. gradients: `gradient_band` and its spread. saturation: SATURATED_TANH.
    """

    born_dead: bool = False
    gradients: bool = False
    saturation: bool = False


def premises(recipe: VariantParams | NetworkRecipe, origin: Origin, inputs: np.ndarray) -> Premises:
    """Return which statements apply to a variant.

    Biases start at zero with all kernels but randomized_asymmetric ones, which are not symmetric either.

    Args:
        recipe: the resolved variant; to a network's own recipe nothing applies. origin: of its training rows.
        inputs: of the training set, float [sample, input].
    """
    if isinstance(recipe, NetworkRecipe):
        return Premises()
    tutorials = is_tutorial(origin) and set(recipe.widths) == {TUTORIALS_WIDTH}
    kernels, output = _named(recipe.kernel_initializer), _named(recipe.output_kernel_initializer)
    he = kernels == ("heuniform", {}) and output == ("glorotuniform", {})
    of_task = recipe.kernel_regularizer.class_name == NONE  # gradients are of the task's loss alone
    uniform = kernels == ("randomuniform", {"minval": 0, "maxval": 1})
    tanh = _is_plain(recipe) and _named(recipe.activation) == ("tanh", {})
    return Premises(
        born_dead=is_rectified(recipe) and is_around_zero(inputs),
        gradients=is_rectified(recipe) and he and tutorials and of_task,
        saturation=tanh and uniform and tutorials and recipe.hidden_layers == len(SATURATED_TANH),
    )


def is_rectified(recipe: VariantParams) -> bool:
    """Return whether the variant is a plain stack of rectified units with symmetric weights, as the bound assumes."""
    return _is_plain(recipe) and _named(recipe.activation) == ("relu", {}) and _is_symmetric(recipe)


def is_around_zero(inputs: np.ndarray) -> bool:
    """Return whether every input has values of both signs: then the first layer is hardly ever dead, as the bound
    assumes."""
    return bool(((inputs > 0).any(axis=0) & (inputs < 0).any(axis=0)).all())


def _is_plain(recipe: VariantParams) -> bool:
    """Return whether there is no normalisation, no skip connection and no pre-training."""
    return not recipe.batch_normalization and not recipe.residual and recipe.pretraining == "none"


def _is_symmetric(recipe: VariantParams) -> bool:
    name, config = _named(recipe.kernel_initializer)
    if name in ("randomnormal", "truncatednormal"):
        return bool(config.get("mean", 0) == 0)
    if name == "randomuniform":
        return bool(config.get("minval", -0.05) == -config.get("maxval", 0.05))  # Keras's defaults
    return name in SYMMETRIC_INITIALIZERS


def _named(described: KerasObject) -> tuple[str, Mapping[str, Any]]:
    """Return the name without case and "_", as HeUniform and he_uniform are one to Keras, and the arguments."""
    return described.class_name.replace("_", "").lower(), described.config


def is_tutorial(origin: Origin) -> bool:
    """Return whether these are the tutorial's points, with its split and scaling."""
    data, split = origin.data, origin.split
    points = data.source == "make_circles" and data.config == TUTORIAL and data.features == "all"
    rows = split.train == 500 and not split.shuffle and split.fit_scaler_on == "all"
    return points and rows and split.scale.inputs == "minmax" and split.scale.range == (-1, 1)


class Band(NamedTuple):
    """A median, and the range of 90% of the draws."""

    low: float
    median: float
    high: float


def born_dead_bound(units: Sequence[int], bypassed: Sequence[int] | None = None) -> float:
    """Return the upper bound of P(some layer is dead before the first step), for rectified units.

    It is 1 - prod over layers 2.. of (1 - 2^-N). With symmetric weights of any scale and zero biases, a layer of N
    units is dead with probability at most 2^-N if the layer below lives; the first layer lives, because its inputs have
    both signs. Lu, Shin, Su, Karniadakis 2020 (arXiv 1903.06733); Rister & Rubin 2020 (arXiv 2007.06192).

    Args:
        units: of each hidden layer, from the first.
        bypassed: 1 for each hidden layer that a skip connection bypasses, whose death blocks nothing; none by default.
    """
    around = bypassed if bypassed is not None else [0] * len(units)
    return 1 - prod(1 - 2.0**-width for width, free in zip(units[1:], around[1:], strict=True) if not free)


def beta(units: Sequence[int]) -> float:
    """Return Hanin's beta, the sum over hidden layers of 1 / width: the variance of gradients is exponential in it
    (Hanin 2018, arXiv 1801.03744)."""
    return sum(1 / width for width in units)


# Decades by which the median gradient falls for each unit of beta, from the factor .732 a layer at width 5 (a
# log-normal random walk, Sussillo & Abbott 2014, arXiv 1412.6558); and half the decades that hold 90%, for each root of
# beta, from the spreads 2.30, 4.07, 4.52 at beta 1, 3, 4.
FALL = -5 * log10(0.732)
HALF_SPREAD = 1.15
# Mean |g| of a hidden kernel / loss, extrapolated to beta 0, where layers do not shrink it: from .00278 at beta 1.
UNDIMINISHED = 0.00278 / 0.693 * 10**FALL

# Mean share of units with |a| > 0.97 before training, tanh with kernels from U(0, 1), five hidden layers of five, the
# tutorial's points: Monte Carlo.
SATURATED_TANH = (0.0, 0.005, 0.199, 0.465, 0.600)


def gradient_band(units: Sequence[int], loss: float) -> Band:
    """Return the mean |gradient| of a hidden kernel before training that depth and width predict, for rectified units
    with He's kernels.

    Args:
        units: of each hidden layer. loss: before training (nat).
    """
    depth = beta(units)
    median = UNDIMINISHED * loss * 10 ** (-FALL * depth)
    spread = 10 ** (HALF_SPREAD * sqrt(depth))
    return Band(median / spread, median, median * spread)
