"""Draw the initial weights of a dense stack: the same as `models.initial_weights` draws, but mostly without Keras."""

from collections.abc import Sequence

import numpy as np

from pipeline.foundations.seeds import derived_seed
from pipeline.models import uniform
from pipeline.params.variant_params import KerasObject, VariantParams
from pipeline.training.compiled.eligible import DenseStack


def draw(
    stack: DenseStack, variant: VariantParams, name: str, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return the initial value of every variable by path, float32 [replica, *shape].

    Keras is not imported if both initialisers are uniform.

    Args:
        name: the variant's name, for error messages.

    Raises:
        UserError: Keras does not know an initialiser.
    """
    values = {path: np.zeros((len(replicas), *shape), np.float32) for path, shape in stack.variables.items()}
    for path, shape in stack.kernels.items():
        bounds = uniform.limits(_initializer(variant, path), shape)
        if bounds is None:
            return _by_keras(stack, variant, name, seed, replicas)
        seeds = np.array([derived_seed(seed, replica, "initial weights", path) for replica in replicas])
        values[path] = uniform.draw(bounds, shape, seeds)
    return values


def _initializer(variant: VariantParams, path: str) -> KerasObject:
    return variant.output_kernel_initializer if path.startswith("output") else variant.kernel_initializer


def _by_keras(
    stack: DenseStack, variant: VariantParams, name: str, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    # Imported late: TensorFlow takes seconds.
    from pipeline.models import initial_weights, network

    return initial_weights.draw(network.build(variant, stack.widths[0], stack.task, name), seed, replicas)
