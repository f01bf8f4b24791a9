"""What theory fixes, as numbers to hold measurements against."""

from collections.abc import Sequence
from math import log10, prod, sqrt
from typing import NamedTuple


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
