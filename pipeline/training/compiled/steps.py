"""Take Keras's optimizer steps on one replica's flat weights.

A new optimizer is an entry of OPTIMIZERS in `eligible` and a branch of `step`.
"""

from typing import Final, NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.eligible import OPTIMIZERS

_SGD, _RMSPROP, _ADAM = (list(OPTIMIZERS).index(name) for name in ("SGD", "RMSprop", "Adam"))
SLOTS: Final = 2  # the largest number of state arrays, such as momentum, of these optimizers
_ONE = np.float32(1)


class Optimizer(NamedTuple):
    """An optimizer with its hyperparameters.

    kind: the optimizer's position in OPTIMIZERS.
    hyperparameters: the values, in the order of OPTIMIZERS.
    """

    kind: int
    hyperparameters: np.ndarray


@compiled
def step(optimizer: Optimizer, weights: np.ndarray, gradient: np.ndarray, slots: np.ndarray, count: int) -> None:
    """Change weights[entry] and slots[slot, entry] in place by one step; `count` is the number of earlier steps."""
    values, first, second = optimizer.hyperparameters, slots[0], slots[1]
    rate = np.float32(values[0])
    if optimizer.kind == _SGD:
        momentum, is_nesterov = np.float32(values[1]), values[2] > 0
        for e in range(weights.size):
            first[e] = first[e] * momentum - gradient[e] * rate
            weights[e] += first[e] * momentum - gradient[e] * rate if is_nesterov else first[e]
    elif optimizer.kind == _RMSPROP:
        rho, one_minus_rho, epsilon = np.float32(values[1]), np.float32(1 - values[1]), np.float32(values[2])
        for e in range(weights.size):
            first[e] = rho * first[e] + one_minus_rho * gradient[e] * gradient[e]
            weights[e] -= rate * gradient[e] / np.sqrt(first[e] + epsilon)
    elif optimizer.kind == _ADAM:
        # 1 - beta is computed in float64, as in Keras: in float32 the relative error of 1 - 0.999 is 5e-5.
        one_minus_beta_1, one_minus_beta_2, epsilon = (
            np.float32(1 - values[1]),
            np.float32(1 - values[2]),
            np.float32(values[3]),
        )
        step_number = np.float32(count + 1)
        power_1, power_2 = np.float32(values[1]) ** step_number, np.float32(values[2]) ** step_number
        rate = rate * np.sqrt(_ONE - power_2) / (_ONE - power_1)
        for e in range(weights.size):
            first[e] += (gradient[e] - first[e]) * one_minus_beta_1
            second[e] += (gradient[e] * gradient[e] - second[e]) * one_minus_beta_2
            weights[e] -= first[e] * rate / (np.sqrt(second[e]) + epsilon)
