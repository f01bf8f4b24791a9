"""Check that the engine and JAX take the same steps: `python3 -m benchmarks.agreement`.

The command trains few epochs of each recipe and prints the largest difference of each value that both record. It fails
where a difference is more than rounding. Over many epochs even rounding changes the training of the deeper recipe.
"""

import numpy as np

from benchmarks import jax_peer
from benchmarks.recipe import load_recipe
from pipeline.training.common.train_replicas import train

RECIPES, EPOCHS, REPLICAS = ("relu_5", "digits"), 5, 4
TOLERANCE = 1e-4  # less than one sample of accuracy; a hundredth of the median gradient


def differences(name: str) -> dict[str, tuple[float, float]]:
    """Return the engine's median and the largest difference from JAX by value, over replicas, epochs and layers."""
    recipe = load_recipe(name, EPOCHS, REPLICAS)
    history = train(recipe.variant, name, recipe.parts, recipe.training).history
    record = jax_peer.train(recipe)
    by_jax = {**record.curves, "gradient_mean_abs": record.gradient_mean_abs}
    pairs = {value: (history[value].values[:, 1:], jax) for value, jax in by_jax.items()}  # epoch 0 has no steps
    return {value: (float(np.median(own)), float(np.abs(own - jax).max())) for value, (own, jax) in pairs.items()}


def main() -> None:
    """Print a line for each value.

    Raises:
        RuntimeError: the engine and JAX do not take the same steps.
    """
    for name in RECIPES:
        for value, (median, largest) in differences(name).items():
            print(f"{name:8} {value:24} median {median:9.3g}, largest difference {largest:.1g}", flush=True)
            if not largest < TOLERANCE:
                raise RuntimeError(f"{name}: {value}: the engine and JAX differ by {largest:.1g}")


if __name__ == "__main__":
    main()
