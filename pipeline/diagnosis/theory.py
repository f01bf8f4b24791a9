"""What theory fixes, as numbers to hold measurements against; and for which networks it says anything at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10, prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from pipeline.data.split.samples import Origin
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import NONE, KerasObject, VariantParams

# What makes the tutorial's points, as the shipped params.yaml has it: the measured numbers below are of these alone.
TUTORIAL: Mapping[str, Any] = {"n_samples": 1000, "noise": 0.1, "random_state": 1}
TUTORIALS_WIDTH = 5  # units in each hidden layer, of the same numbers
# Initialisers whose weights are as likely w as -w, whatever their arguments; by Keras's names without their "_".
SYMMETRIC = {
    *(f"{author}{kind}" for author in ("glorot", "he", "lecun") for kind in ("normal", "uniform")),
    *("orthogonal", "orthogonalinitializer", "randomwalk", "variancescaling"),
}


@dataclass(frozen=True)
class Premises:
    """Which of theory's statements hold for a network on its points, before the first step.

    born_dead: `born_dead_bound`. gradients: `gradient_band` and the spread. saturation: SATURATED_TANH.
    """

    born_dead: bool = False
    gradients: bool = False
    saturation: bool = False


def premises(recipe: VariantParams | NetworkRecipe, origin: Origin, inputs: np.ndarray) -> Premises:
    """What may be said of a variant. Biases start at zero in every recipe but that of randomized_asymmetric kernels,
    which are not symmetric either.

    Args:
        recipe: the resolved variant, or a network, of which theory says nothing. origin: of the rows that it is
            trained on.
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
    """Whether it is a plain stack of rectified units with symmetric weights: all that the bound asks of a recipe."""
    return _is_plain(recipe) and _named(recipe.activation) == ("relu", {}) and _is_symmetric(recipe)


def is_around_zero(inputs: np.ndarray) -> bool:
    """Whether every input has values of both signs: the first layer, which the bound takes to live, is then hardly ever
    off for all of them."""
    return bool(((inputs > 0).any(axis=0) & (inputs < 0).any(axis=0)).all())


def _is_plain(recipe: VariantParams) -> bool:
    """No normalisation, no path around a layer, and weights that are as they were drawn."""
    return not recipe.batch_normalization and not recipe.residual and recipe.pretraining == "none"


def _is_symmetric(recipe: VariantParams) -> bool:
    name, config = _named(recipe.kernel_initializer)
    if name in ("randomnormal", "truncatednormal"):
        return bool(config.get("mean", 0) == 0)
    if name == "randomuniform":
        return bool(config.get("minval", -0.05) == -config.get("maxval", 0.05))  # Keras's defaults
    return name in SYMMETRIC


def _named(described: KerasObject) -> tuple[str, Mapping[str, Any]]:
    """Keras takes HeUniform and he_uniform for one name."""
    return described.class_name.replace("_", "").lower(), described.config


def is_tutorial(origin: Origin) -> bool:
    """Whether these are the tutorial's points, split and scaled as it does."""
    data, split = origin.data, origin.split
    points = data.source == "make_circles" and data.config == TUTORIAL and data.features == "all"
    rows = split.train == 500 and not split.shuffle and split.fit_scaler_on == "all"
    return points and rows and split.scale.inputs == "minmax" and split.scale.range == (-1, 1)


class Band(NamedTuple):
    """A median, and the range that holds 90% of the draws."""

    low: float
    median: float
    high: float


def born_dead_bound(units: Sequence[int], bypassed: Sequence[int] | None = None) -> float:
    """The most that P(some layer is dead before the first step) can be, for rectified units.

    1 - prod over layers 2.. of (1 - 2^-N): a layer of N units dies with probability at most 2^-N where the one below
    lives, weights being symmetric and biases zero, whatever the weights' scale; the first layer sees inputs all around
    0 and lives. Lu, Shin, Su, Karniadakis 2020 (arXiv 1903.06733); Rister & Rubin 2020 (arXiv 2007.06192).

    Args:
        units: of each hidden layer, from the first.
        bypassed: 1 for each that a path bypasses, whose death stops nothing; none is by default.
    """
    around = bypassed if bypassed is not None else [0] * len(units)
    return 1 - prod(1 - 2.0**-width for width, free in zip(units[1:], around[1:], strict=True) if not free)


def beta(units: Sequence[int]) -> float:
    """Hanin's beta, the sum over hidden layers of 1 / width: the variance of gradients is exponential in it
    (Hanin 2018, arXiv 1801.03744)."""
    return sum(1 / width for width in units)


# Decades by which the median gradient falls for each unit of beta, from the factor .732 a layer at width 5 (a
# log-normal random walk, Sussillo & Abbott 2014, arXiv 1412.6558); and half the decades that hold 90%, for each root of
# beta, from the spreads 2.30, 4.07, 4.52 at beta 1, 3, 4.
FALL = -5 * log10(0.732)
HALF_SPREAD = 1.15
# Mean |g| of a hidden kernel over the loss, where nothing is lost on the way: from .00278 at beta 1.
UNDIMINISHED = 0.00278 / 0.693 * 10**FALL

# Mean share of units with |a| > 0.97 before training, tanh with kernels from U(0, 1), five hidden layers of five, the
# tutorial's points: Monte Carlo.
SATURATED_TANH = (0.0, 0.005, 0.199, 0.465, 0.600)


def gradient_band(units: Sequence[int], loss: float) -> Band:
    """Mean |gradient| of a hidden kernel before training, as depth and width predict it for rectified units with He's
    kernels.

    Args:
        units: of each hidden layer. loss: before training (nat).
    """
    depth = beta(units)
    median = UNDIMINISHED * loss * 10 ** (-FALL * depth)
    spread = 10 ** (HALF_SPREAD * sqrt(depth))
    return Band(median / spread, median, median * spread)
