"""Draw the same numbers as Keras's uniform initialisers, to the bit, without the slow import of TensorFlow.

TensorFlow's stateless random numbers are Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as
easy as 1, 2, 3"). Philox first turns the seed into a key and a counter. Tests compare every entry with Keras's.
"""

from collections.abc import Callable
from math import prod, sqrt
from typing import Final

import numpy as np

from pipeline.params.variant_params import KerasObject

Words = np.ndarray | np.uint64

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_SEEDING_KEY = (np.uint64(0x3EC8F720), np.uint64(0x02461E29))
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_SEEDS = 2**31 - 2  # Keras reduces a seed modulo this
_ROUNDS = 10

# The variances of kernels [input, unit], by Keras's names. The limit of a uniform distribution is sqrt(3 variance).
_VARIANCES: Final[dict[str, Callable[[int, int], float]]] = {
    "heuniform": lambda inputs, units: 2 / inputs,
    "lecununiform": lambda inputs, units: 1 / inputs,
    "glorotuniform": lambda inputs, units: 2 / (inputs + units),
}


def limits(spec: KerasObject, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Return the bounds between which an initialiser draws a kernel [input, unit].

    The result is None if the initialiser is not uniform, or this module does not know it.
    """
    name, config = spec.class_name.replace("_", "").lower(), spec.config
    if name in _VARIANCES and not config:
        limit = sqrt(3 * _VARIANCES[name](*shape))
        return -limit, limit
    if name == "randomuniform" and set(config) == {"minval", "maxval"}:
        low, high = config["minval"], config["maxval"]
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (low, high)):
            return float(low), float(high)
    return None


def draw(bounds: tuple[float, float], shape: tuple[int, ...], seeds: np.ndarray) -> np.ndarray:
    """Draw float32 [variable, replica, *shape] between the bounds, as Keras does from seeds [variable, replica]."""
    low, high = (np.float32(bound) for bound in bounds)
    return (_unit(seeds.reshape(-1), prod(shape)) * (high - low) + low).reshape(*seeds.shape, *shape)


def _unit(seeds: np.ndarray, size: int) -> np.ndarray:
    """Draw float32 [seed, size] between 0 and 1 (excluded)."""
    seed = (seeds % _SEEDS).astype(np.uint64)[:, None]
    zero = np.zeros_like(seed)
    start = _philox((seed, zero, zero, zero), _SEEDING_KEY)
    counter = np.broadcast_to(np.arange(-(-size // 4), dtype=np.uint64), (len(seed), -(-size // 4)))
    numbers = _philox((counter, zero, start[2], start[3]), (start[0], start[1]))
    bits = np.stack(numbers, axis=-1).reshape(len(seed), -1)[:, :size].astype(np.uint32)
    # 23 random bits become the fraction of a float in [1, 2).
    return ((bits & np.uint32(0x7FFFFF)) | np.uint32(127 << 23)).view(np.float32) - np.float32(1)


def _philox(counter: tuple[Words, ...], key: tuple[Words, ...]) -> tuple[Words, ...]:
    """Return the four 32-bit words of a counter (four words) and a key (two words), all stored as uint64."""
    a, b, c, d = counter
    first, second = key
    for _ in range(_ROUNDS):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (right >> _HALF) ^ b ^ first, right & _LOW, (left >> _HALF) ^ d ^ second, left & _LOW
        first, second = (first + _KEY_STEPS[0]) & _LOW, (second + _KEY_STEPS[1]) & _LOW
    return a, b, c, d
