"""Time one training of a recipe: `python3 -m benchmarks.peers WAY RECIPE EPOCHS REPLICAS`.

Ways:
    engine       this project's engine, everything recorded at every epoch
    engine_cold  the same from an empty folder of compiled code
    engine_lean  the same without histograms and predictions; no setting records less by layer at every epoch
    jax          JAX: `vmap` over replicas, `scan` over steps and epochs, jitted
    floor        loops written by hand for relu_5 alone, compiled by Numba, replicas over all cores
    keras        Keras's own `fit`, one replica, the test set evaluated at every epoch

Recipes: relu_5, digits, million (see `benchmarks.recipe`).

At every epoch jax records loss and scores of both sets and each kernel's mean |gradient|; floor records test accuracy
and the same gradient. Only the times of engine_cold and keras include compilation. The command prints seconds, the
number of replicas whose final test accuracy is above 0.75, and the median of these accuracies.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from benchmarks.recipe import PeerRecipe, load_recipe

LEARNED = 0.75
LEAN = {"histograms": False, "surface_resolution": 2}


def engine(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of every replica."""
    from pipeline.training.common.train_replicas import train

    return train(recipe.variant, recipe.name, recipe.parts, recipe.training).history.test_accuracy.values[:, -1]


def engine_lean(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of every replica."""
    return engine(recipe._replace(training=recipe.training.model_copy(update=LEAN)))


def jax(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of every replica."""
    from benchmarks.jax_peer import train

    return train(recipe).curves["test_accuracy"][:, -1]


def floor(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of every replica."""
    from benchmarks.numba_floor import train

    return train(recipe)


def keras(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of the one replica."""
    from benchmarks.keras_fit import train

    return train(recipe)


WAYS: dict[str, Callable[[PeerRecipe], np.ndarray]] = {
    "engine": engine,
    "engine_lean": engine_lean,
    "engine_cold": engine,
    "jax": jax,
    "floor": floor,
    "keras": keras,
}
# Recipes of a short training that compiles first. The engine's loops serve every recipe; Numba compiles for dtypes, JAX
# for shapes and the length of a scan.
WARM_UPS: dict[str, Callable[[str, int, int], PeerRecipe]] = {
    "engine": lambda name, epochs, replicas: load_recipe("relu_5", 2, replicas),
    "engine_lean": lambda name, epochs, replicas: load_recipe("relu_5", 2, replicas),
    "jax": load_recipe,
    "floor": lambda name, epochs, replicas: load_recipe(name, 2, replicas),
}


def measure(way: str, name: str, epochs: int, replicas: int) -> tuple[float, np.ndarray]:
    """Return the seconds of a training, and the final test accuracy of its replicas."""
    if way in WARM_UPS:
        WAYS[way](WARM_UPS[way](name, epochs, replicas))
    recipe = load_recipe(name, epochs, replicas)
    start = time.perf_counter()
    accuracy = WAYS[way](recipe)
    return time.perf_counter() - start, accuracy


def main(way: str, name: str, epochs: int, replicas: int) -> None:
    """Print seconds, the number of replicas that learned, and the median accuracy."""
    with tempfile.TemporaryDirectory() as empty:
        if way == "engine_cold":
            os.environ["NUMBA_CACHE_DIR"] = empty
        seconds, accuracy = measure(way, name, epochs, replicas)
    print(seconds, int((accuracy > LEARNED).sum()), float(np.median(accuracy)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
