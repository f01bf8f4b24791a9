"""Whether the engine and JAX take the same steps: `python3 -m benchmarks.agreement` prints how far what both record
lies apart, over few epochs of each recipe, and fails where it is more than rounding. Over many epochs rounding makes
other trainings of the deeper one.
"""

import numpy as np

from benchmarks import jax_peer
from benchmarks.recipe import recipe
from pipeline.training.common.train_replicas import train

RECIPES, EPOCHS, REPLICAS = ("relu_5", "digits"), 5, 4
MOST = 1e-4  # apart: less than one sample of accuracy, a hundredth of the gradients' median


def distances(name: str) -> dict[str, tuple[float, float]]:
    """Of each value that both record: the engine's median, and the largest distance from JAX's, both over all
    replicas, epochs and layers."""
    made = recipe(name, EPOCHS, REPLICAS)
    ours = train(made.variant, name, made.parts, made.training).history
    theirs = jax_peer.train(made)
    both = {**theirs.curves, "gradient_mean_abs": theirs.gradient_mean_abs}
    pairs = {what: (ours[what].values[:, 1:], values) for what, values in both.items()}  # epoch 0 has no steps
    return {what: (float(np.median(own)), float(np.abs(own - other).max())) for what, (own, other) in pairs.items()}


def main() -> None:
    """Print a line for each value.

    Raises:
        RuntimeError: they do not take the same steps.
    """
    for name in RECIPES:
        for what, (middle, furthest) in distances(name).items():
            print(f"{name:8} {what:24} {middle:9.3g}, at most {furthest:.1g} apart", flush=True)
            if not furthest < MOST:
                raise RuntimeError(f"{name}: {what}: the engine and JAX are {furthest:.1g} apart")


if __name__ == "__main__":
    main()
