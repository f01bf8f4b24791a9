"""How long a way of training takes for a recipe: `python3 -m benchmarks.peers WAY RECIPE EPOCHS REPLICAS`.

    engine       this project's, all it records at every epoch
    engine_lean  the same without histograms and without the surface of predictions: no setting records less by layer
                 at every epoch
    jax          JAX: `vmap` over replicas, `scan` over steps and epochs, jitted
    floor        loops written by hand for relu_5 and nothing else, compiled by Numba, replicas over all cores
    keras        Keras's own `fit`, one replica, the test set validated at every epoch

jax records loss and scores of both sets and each kernel's mean |gradient| at every epoch, floor test accuracy and that
gradient. The recipes are those of `benchmarks.recipe`. Compilation is not counted, but by `engine_cold`, the engine
from an empty folder of compiled code, and by keras. Prints the seconds, how many replicas end with a test accuracy
above 0.75, and the median of these accuracies.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from benchmarks.recipe import Recipe, recipe

LEARNED = 0.75
LEAN = {"histograms": False, "surface_resolution": 2}


def engine(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from pipeline.training.common.train_replicas import train

    return train(made.variant, made.name, made.parts, made.training).history.test_accuracy.values[:, -1]


def engine_lean(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    return engine(made._replace(training=made.training.model_copy(update=LEAN)))


def jax(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from benchmarks.jax_peer import train

    return train(made).curves["test_accuracy"][:, -1]


def floor(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    from benchmarks.numba_floor import train

    return train(made)


def keras(made: Recipe) -> np.ndarray:
    """Final test accuracy of the one replica."""
    from benchmarks.keras_fit import train

    return train(made)


WAYS: dict[str, Callable[[Recipe], np.ndarray]] = {
    "engine": engine,
    "engine_lean": engine_lean,
    "engine_cold": engine,
    "jax": jax,
    "floor": floor,
    "keras": keras,
}
# What must be compiled first is, by a short training. The engine's loops are the same for every recipe; the others are
# compiled for their shapes, and a scan for its length.
WARM_UPS: dict[str, Callable[[str, int, int], Recipe]] = {
    "engine": lambda name, epochs, replicas: recipe("relu_5", 2, replicas),
    "engine_lean": lambda name, epochs, replicas: recipe("relu_5", 2, replicas),
    "jax": recipe,
    "floor": lambda name, epochs, replicas: recipe(name, 2, replicas),
}


def measure(way: str, name: str, epochs: int, replicas: int) -> tuple[float, np.ndarray]:
    """Seconds of a training, and the final test accuracy of its replicas."""
    if way in WARM_UPS:
        WAYS[way](WARM_UPS[way](name, epochs, replicas))
    made = recipe(name, epochs, replicas)
    began = time.perf_counter()
    accuracy = WAYS[way](made)
    return time.perf_counter() - began, accuracy


def main(way: str, name: str, epochs: int, replicas: int) -> None:
    """Print seconds, how many learned, and the median accuracy."""
    with tempfile.TemporaryDirectory() as empty:
        if way == "engine_cold":
            os.environ["NUMBA_CACHE_DIR"] = empty
        seconds, accuracy = measure(way, name, epochs, replicas)
    print(seconds, int((accuracy > LEARNED).sum()), float(np.median(accuracy)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
