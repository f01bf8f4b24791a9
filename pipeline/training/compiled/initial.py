"""The weights that a dense stack starts from: what Keras draws from the seeds of `models.initial_weights`."""

from collections.abc import Sequence

import numpy as np

from pipeline.foundations.seeds import derived_seed
from pipeline.models import uniform
from pipeline.params.variant_params import KerasObject, VariantParams
from pipeline.training.compiled.eligible import DenseStack


def draw(
    stack: DenseStack, variant: VariantParams, name: str, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    """Every variable by path, float32 [replica, *shape]: without Keras where both initialisers are uniform.

    Args:
        name: the variant's name, for error messages.

    Raises:
        UserError: Keras does not know an initialiser.
    """
    drawn = {path: np.zeros((len(replicas), *shape), np.float32) for path, shape in stack.variables.items()}
    for path, shape in stack.kernels.items():
        between = uniform.limits(_initializer(variant, path), shape)
        if between is None:
            return _by_keras(stack, variant, name, seed, replicas)
        seeds = np.array([derived_seed(seed, replica, "initial weights", path) for replica in replicas])
        drawn[path] = uniform.draw(between, shape, seeds)
    return drawn


def _initializer(variant: VariantParams, path: str) -> KerasObject:
    return variant.output_kernel_initializer if path.startswith("output") else variant.kernel_initializer


def _by_keras(
    stack: DenseStack, variant: VariantParams, name: str, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    # Here, for TensorFlow takes seconds to import.
    from pipeline.models import initial_weights, network

    return initial_weights.draw(network.build(variant, stack.sizes[0], stack.task, name), seed, replicas)
