"""How long a way of training takes for so many replicas of relu_5: `python3 -m benchmarks.peers WAY EPOCHS REPLICAS`.

    engine  this project's, all it records at every epoch
    jax     JAX: `vmap` over replicas, `scan` over steps and epochs, jitted
    floor   loops written by hand for this one network, compiled by Numba, replicas over all cores
    keras   Keras's own `fit`, one replica, the test set validated at every epoch

jax and floor record test accuracy and each kernel's mean |gradient| at every epoch. Compilation is not counted, but by
`engine_cold`: the engine from an empty folder of compiled code. Prints the seconds, and how many replicas learned.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from benchmarks.recipe import Recipe, recipe

LEARNED = 0.75


def engine(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from pipeline.training.replicas import train

    return train(made.variant, "relu_5", made.parts, made.training).history.test_accuracy.values[:, -1]


def jax(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from benchmarks.jax_peer import train

    return train(made)


def floor(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from benchmarks.numba_floor import train

    return train(made)


def keras(made: Recipe) -> np.ndarray:
    """Final test accuracy of the one replica."""
    from benchmarks.keras_fit import train

    return train(made)


WAYS: dict[str, Callable[[Recipe], np.ndarray]] = {"engine": engine, "jax": jax, "floor": floor, "keras": keras}


def seconds(way: Callable[[Recipe], np.ndarray], epochs: int, replicas: int, warm: bool) -> tuple[float, int]:
    """What the training takes, and how many replicas learn.

    Args:
        warm: whether to compile first, by a short training of the same shapes.
    """
    if warm:
        way(recipe(epochs if way is jax else 2, replicas))  # a scan is compiled for its length
    made = recipe(epochs, replicas)
    began = time.perf_counter()
    accuracy = way(made)
    return time.perf_counter() - began, int((accuracy > LEARNED).sum())


def main(name: str, epochs: int, replicas: int) -> None:
    """Print seconds, and how many learned."""
    with tempfile.TemporaryDirectory() as empty:
        if name == "engine_cold":
            os.environ["NUMBA_CACHE_DIR"] = empty
        way = WAYS[name.removesuffix("_cold")]
        print(*seconds(way, epochs, replicas, warm=name in ("engine", "jax", "floor")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
