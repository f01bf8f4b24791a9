"""Draw the initial weights of replicas, each variable from its own seed.

The seed is `derived_seed(seed, replica, "initial weights", path)`. A kernel and a bias that are drawn together use the
kernel's path. One graph draws all variables of one shape and initialiser for all replicas, because 600 eager calls take
longer than compiling a training.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.tensorflow import keras, tf
from pipeline.models.initializers import RandomizedAsymmetric
from pipeline.models.network import Network


def draw(network: Network, seed: int, replicas: Sequence[int]) -> dict[str, np.ndarray]:
    """Draw the initial weights of replicas.

    Returns:
        Every variable of the network by its path, float32 [replica, *shape].
    """
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    initializers: dict[str, keras.initializers.Initializer] = {}
    weights: dict[str, np.ndarray] = {}
    for layer in network.model.layers:
        if layer.name in network.joint_initializers:
            weights |= _draw_kernel_and_bias(layer, network.joint_initializers[layer.name], seed, replicas)
        for variable in layer.variables:
            if variable.path in weights:
                continue
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            if initializer is None:  # a state, such as a moving average, which the layer initialises itself
                template = np.asarray(keras.ops.convert_to_numpy(variable))
                weights[variable.path] = np.repeat(template[None], len(replicas), axis=0)
            else:
                key = repr((type(initializer).__name__, _without_seed(initializer)))
                groups[key, tuple(variable.shape)].append(variable.path)
                initializers[variable.path] = initializer
    for (_, shape), paths in groups.items():
        seeds = [[derived_seed(seed, replica, "initial weights", path) for replica in replicas] for path in paths]
        stacks = draw_stack(initializers[paths[0]], shape, np.array(seeds))
        weights.update(zip(paths, stacks, strict=True))
    return weights


def _draw_kernel_and_bias(
    layer: keras.layers.Dense, initializer: RandomizedAsymmetric, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return a dense layer's kernel and bias, drawn together, by path."""
    path, (inputs, units) = layer.kernel.path, layer.kernel.shape
    seeds = [derived_seed(seed, replica, "initial weights", path) for replica in replicas]
    kernels, biases = zip(*(initializer.draw(inputs, units, each) for each in seeds), strict=True)
    return {path: np.stack(kernels), layer.bias.path: np.stack(biases)}


class _TensorSeed(keras.random.SeedGenerator):
    """Seeds as Keras's generator does for an integer, but from a tensor, so that one graph serves all seeds."""

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed = seed

    def next(self, ordered: bool = True) -> tf.Tensor:
        return tf.stack([self._seed, tf.zeros_like(self._seed)])


def draw_stack(initializer: keras.initializers.Initializer, shape: tuple[int, ...], seeds: np.ndarray) -> np.ndarray:
    """Draw variables of one shape, float32 [variable, replica, *shape], for seeds [variable, replica]."""
    if not hasattr(initializer, "seed"):
        value = np.asarray(keras.ops.convert_to_numpy(initializer(shape)))
        return np.broadcast_to(value, (*seeds.shape, *shape))

    @tf.function
    def draw_all(flat_seeds: tf.Tensor) -> tf.Tensor:
        def draw_one(seed: tf.Tensor) -> tf.Tensor:
            seeded = type(initializer).from_config({**_without_seed(initializer), "seed": 0})
            seeded.seed = _TensorSeed(seed)
            return seeded(shape)

        return tf.map_fn(draw_one, flat_seeds, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    flat = draw_all(tf.constant(seeds.reshape(-1), tf.uint32)).numpy()
    return flat.reshape(*seeds.shape, *shape)


def _without_seed(initializer: keras.initializers.Initializer) -> dict[str, object]:
    return {key: value for key, value in initializer.get_config().items() if key != "seed"}
