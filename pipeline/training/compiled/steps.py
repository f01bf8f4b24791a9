"""Take Keras's optimizer steps on one replica's flat weights.

A new optimizer is an entry of OPTIMIZERS in `eligible` and a branch of `step`.
"""

from typing import Final, NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.eligible import OPTIMIZERS

_SGD, _RMSPROP, _ADAM = (list(OPTIMIZERS).index(name) for name in ("SGD", "RMSprop", "Adam"))
SLOTS: Final = 2  # arrays of state, such as momentum: the most that an optimizer here keeps
_ONE = np.float32(1)


class Optimizer(NamedTuple):
    """An optimizer with its numbers.

    kind: its position in OPTIMIZERS.
    numbers: its numbers, in the order of OPTIMIZERS.
    """

    kind: int
    numbers: np.ndarray


@compiled
def step(optimizer: Optimizer, weights: np.ndarray, gradient: np.ndarray, slots: np.ndarray, count: int) -> None:
    """Take one step in place: weights[entry], slots[slot, entry]; `count` steps came before."""
    numbers, first, second = optimizer.numbers, slots[0], slots[1]
    rate = np.float32(numbers[0])
    if optimizer.kind == _SGD:
        momentum, is_nesterov = np.float32(numbers[1]), numbers[2] > 0
        for e in range(weights.size):
            first[e] = first[e] * momentum - gradient[e] * rate
            weights[e] += first[e] * momentum - gradient[e] * rate if is_nesterov else first[e]
    elif optimizer.kind == _RMSPROP:
        rho, one_minus_rho, epsilon = np.float32(numbers[1]), np.float32(1 - numbers[1]), np.float32(numbers[2])
        for e in range(weights.size):
            first[e] = rho * first[e] + one_minus_rho * gradient[e] * gradient[e]
            weights[e] -= rate * gradient[e] / np.sqrt(first[e] + epsilon)
    elif optimizer.kind == _ADAM:
        # Differences from 1 in float64, as Keras takes them: in float32 the relative error of 1 - 0.999 is 5e-5.
        share_1, share_2, epsilon = np.float32(1 - numbers[1]), np.float32(1 - numbers[2]), np.float32(numbers[3])
        number = np.float32(count + 1)
        power_1, power_2 = np.float32(numbers[1]) ** number, np.float32(numbers[2]) ** number
        rate = rate * np.sqrt(_ONE - power_2) / (_ONE - power_1)
        for e in range(weights.size):
            first[e] += (gradient[e] - first[e]) * share_1
            second[e] += (gradient[e] * gradient[e] - second[e]) * share_2
            weights[e] -= first[e] * rate / (np.sqrt(second[e]) + epsilon)
