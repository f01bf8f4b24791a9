"""Compute what theory predicts about a network before training, and check to which networks it applies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10, prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

# The arguments of the tutorial's data. The Monte Carlo numbers below hold only for these data and this width.
TUTORIAL: Mapping[str, float] = {"n_samples": 1000, "noise": 0.1, "random_state": 1}
TUTORIALS_WIDTH = 5  # units in each hidden layer
# Initialisers that draw w and -w equally often with any arguments; Keras's names in lower case without "_".
SYMMETRIC_INITIALIZERS = {
    *(f"{author}{kind}" for author in ("glorot", "he", "lecun") for kind in ("normal", "uniform")),
    *("orthogonal", "orthogonalinitializer", "randomwalk", "variancescaling"),
}


@dataclass(frozen=True)
class Premises:
    """The statements of theory that apply to a network and its data, before the first step.

    born_dead: whether `born_dead_bound` applies.
    gradients: whether `gradient_band` and its spread apply.
    saturation: whether SATURATED_TANH applies.
    """

    born_dead: bool = False
    gradients: bool = False
    saturation: bool = False


def premises(recipe: VariantParams | NetworkRecipe, origin: Origin, inputs: np.ndarray) -> Premises:
    """Return which statements of theory apply to a network.

    The initialiser randomized_asymmetric, the only one with biases that do not start at zero, is not symmetric either.

    Args:
        recipe: the resolved variant; no statement applies to a user's own network.
        origin: the source of the training rows.
        inputs: the training inputs, float [sample, input].
    """
    if isinstance(recipe, NetworkRecipe):
        return Premises()
    is_tutorials = is_tutorial(origin) and set(recipe.widths) == {TUTORIALS_WIDTH}
    kernels, output = _named(recipe.kernel_initializer), _named(recipe.output_kernel_initializer)
    has_he_kernels = kernels == ("heuniform", {}) and output == ("glorotuniform", {})
    has_no_penalty = recipe.kernel_regularizer.class_name == NONE  # which would add to the gradients
    has_uniform_kernels = kernels == ("randomuniform", {"minval": 0, "maxval": 1})
    is_plain_tanh = _is_plain(recipe) and _named(recipe.activation) == ("tanh", {})
    return Premises(
        born_dead=is_rectified(recipe) and is_around_zero(inputs),
        gradients=is_rectified(recipe) and has_he_kernels and is_tutorials and has_no_penalty,
        saturation=is_plain_tanh
        and has_uniform_kernels
        and is_tutorials
        and recipe.hidden_layers == len(SATURATED_TANH),
    )


def is_rectified(recipe: VariantParams) -> bool:
    """Return whether a variant is a plain stack of ReLU layers with symmetric weights, as `born_dead_bound` assumes."""
    return _is_plain(recipe) and _named(recipe.activation) == ("relu", {}) and _is_symmetric(recipe)


def is_around_zero(inputs: np.ndarray) -> bool:
    """Return whether every input column has values of both signs.

    Then the first layer is hardly ever dead, as `born_dead_bound` assumes.
    """
    return bool(((inputs > 0).any(axis=0) & (inputs < 0).any(axis=0)).all())


def _is_plain(recipe: VariantParams) -> bool:
    """Return whether a variant has no batch normalisation, no skip connection and no pre-training."""
    return not recipe.batch_normalization and not recipe.residual and recipe.pretraining == "none"


def _is_symmetric(recipe: VariantParams) -> bool:
    name, config = _named(recipe.kernel_initializer)
    if name in ("randomnormal", "truncatednormal"):
        return bool(config.get("mean", 0) == 0)
    if name == "randomuniform":
        return bool(config.get("minval", -0.05) == -config.get("maxval", 0.05))  # Keras's defaults
    return name in SYMMETRIC_INITIALIZERS


def _named(described: KerasObject) -> tuple[str, Mapping[str, Any]]:
    """Return the name in lower case without "_" (Keras reads HeUniform as he_uniform), and the arguments."""
    return described.class_name.replace("_", "").lower(), described.config


def is_tutorial(origin: Origin) -> bool:
    """Return whether the rows are the tutorial's points, with the tutorial's split and scaling."""
    data, split = origin.data, origin.split
    has_points = data.source == "make_circles" and data.config == TUTORIAL and data.features == "all"
    has_split = split.train == 500 and not split.shuffle and split.fit_scaler_on == "all"
    return has_points and has_split and split.scale.inputs == "minmax" and split.scale.range == (-1, 1)


class Band(NamedTuple):
    """The median of a number over random networks, and the range that holds 90% of them."""

    low: float
    median: float
    high: float


def born_dead_bound(units: Sequence[int], bypassed: Sequence[int] | None = None) -> float:
    """Return the upper bound of P(some layer is dead before the first step), for rectified units.

    The bound is 1 - prod over layers 2.. of (1 - 2^-N). With symmetric weights of any scale and zero biases, a layer of
    N units is dead with probability at most 2^-N if the layer below lives; the first layer lives, because its inputs
    have both signs. Lu, Shin, Su, Karniadakis 2020 (arXiv 1903.06733); Rister & Rubin 2020 (arXiv 2007.06192).

    Args:
        units: the number of units of each hidden layer, the first layer first.
        bypassed: 1 for each hidden layer that a skip connection bypasses, because its death blocks nothing; by default
            all 0.
    """
    is_bypassed = bypassed if bypassed is not None else [0] * len(units)
    return 1 - prod(1 - 2.0**-width for width, free in zip(units[1:], is_bypassed[1:], strict=True) if not free)


def beta(units: Sequence[int]) -> float:
    """Return Hanin's beta, the sum over hidden layers of 1 / width.

    The variance of gradients grows exponentially with beta (Hanin 2018, arXiv 1801.03744).
    """
    return sum(1 / width for width in units)


# The gradient's logarithm is a random walk over layers (Sussillo & Abbott 2014, arXiv 1412.6558). The median gradient
# falls by FALL decades per unit of beta: Monte Carlo gives the factor .732 per layer at width 5. 90% of the gradients
# lie within HALF_SPREAD * sqrt(beta) decades of the median: Monte Carlo gives ranges of 2.30, 4.07 and 4.52 decades at
# beta 1, 3 and 4.
FALL = -5 * log10(0.732)
HALF_SPREAD = 1.15
# Mean |gradient| of a hidden kernel / loss at beta 0, where no layer shrinks it: extrapolated from .00278 at beta 1.
UNDIMINISHED = 0.00278 / 0.693 * 10**FALL

# Mean share of units with |a| > 0.97 before training, by hidden layer: Monte Carlo on the tutorial's points, with tanh,
# kernels from U(0, 1) and five hidden layers of five units.
SATURATED_TANH = (0.0, 0.005, 0.199, 0.465, 0.600)


def gradient_band(units: Sequence[int], loss: float) -> Band:
    """Return the mean |gradient| of a hidden kernel before training, predicted from depth and width.

    The prediction is for ReLU layers with He's kernels.

    Args:
        units: the number of units of each hidden layer.
        loss: the loss before training (nat).
    """
    depth = beta(units)
    median = UNDIMINISHED * loss * 10 ** (-FALL * depth)
    spread = 10 ** (HALF_SPREAD * sqrt(depth))
    return Band(median / spread, median, median * spread)
