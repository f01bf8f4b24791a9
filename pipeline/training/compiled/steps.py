"""Optimizer steps as Keras takes them, on one replica's flat weights."""

from typing import Final, NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.eligible import OPTIMIZERS

_SGD, _RMSPROP, _ADAM = range(len(OPTIMIZERS))
SLOTS: Final = 2  # of the optimizer that keeps most
_ONE = np.float32(1)


class Optimizer(NamedTuple):
    """kind: the position in OPTIMIZERS. numbers: its numbers in their order there."""

    kind: int
    numbers: np.ndarray


@compiled
def step(optimizer: Optimizer, weights: np.ndarray, gradient: np.ndarray, slots: np.ndarray, count: int) -> None:
    """One step in place: weights[entry], slots[slot, entry]; `count` steps came before."""
    numbers, first, second = optimizer.numbers, slots[0], slots[1]
    rate = np.float32(numbers[0])
    if optimizer.kind == _SGD:
        momentum, is_nesterov = np.float32(numbers[1]), numbers[2] > 0
        for e in range(weights.size):
            first[e] = first[e] * momentum - gradient[e] * rate
            weights[e] += first[e] * momentum - gradient[e] * rate if is_nesterov else first[e]
    elif optimizer.kind == _RMSPROP:
        kept, taken, epsilon = np.float32(numbers[1]), np.float32(1 - numbers[1]), np.float32(numbers[2])
        for e in range(weights.size):
            first[e] = kept * first[e] + taken * gradient[e] * gradient[e]
            weights[e] -= rate * gradient[e] / np.sqrt(first[e] + epsilon)
    else:
        # Differences from 1 in double precision, as Keras's are: in single ones 1 - 0.999 is off by 5e-5 of itself.
        taken_1, taken_2, epsilon = np.float32(1 - numbers[1]), np.float32(1 - numbers[2]), np.float32(numbers[3])
        now = np.float32(count + 1)
        power_1, power_2 = np.float32(numbers[1]) ** now, np.float32(numbers[2]) ** now
        rate = rate * np.sqrt(_ONE - power_2) / (_ONE - power_1)
        for e in range(weights.size):
            first[e] += (gradient[e] - first[e]) * taken_1
            second[e] += (gradient[e] * gradient[e] - second[e]) * taken_2
            weights[e] -= first[e] * rate / (np.sqrt(second[e]) + epsilon)
