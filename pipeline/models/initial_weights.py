"""Every replica's weights at epoch 0, drawn from seeds of their own.

A variable of a replica is what the Keras initialiser with `seed=derived_seed(seed, replica, "initial weights", path)`
gives; a kernel and a bias that are drawn together take the kernel's path. All replicas and all layers of one shape are
drawn in one graph, since 600 eager calls take longer than the compilation of a training.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.tensorflow import keras, tf
from pipeline.models.initializers import RandomizedAsymmetric
from pipeline.models.network import Network


def draw(network: Network, seed: int, replicas: Sequence[int]) -> dict[str, np.ndarray]:
    """The initial weights of `replicas`.

    Returns:
        For the path of every variable of the network, float32 [replica, *shape].
    """
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    initializers: dict[str, keras.initializers.Initializer] = {}
    drawn: dict[str, np.ndarray] = {}
    for layer in network.model.layers:
        if layer.name in network.jointly:
            drawn |= _draw_jointly(layer, network.jointly[layer.name], seed, replicas)
        for variable in layer.variables:
            if variable.path in drawn:
                continue
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            if initializer is None:  # state that a layer fills itself
                template = np.asarray(keras.ops.convert_to_numpy(variable))
                drawn[variable.path] = np.repeat(template[None], len(replicas), axis=0)
            else:
                key = repr((type(initializer).__name__, _without_seed(initializer)))
                groups[key, tuple(variable.shape)].append(variable.path)
                initializers[variable.path] = initializer
    for (_, shape), paths in groups.items():
        seeds = [[derived_seed(seed, replica, "initial weights", path) for replica in replicas] for path in paths]
        stacks = draw_stack(initializers[paths[0]], shape, np.array(seeds))
        drawn.update(zip(paths, stacks, strict=True))
    return drawn


def _draw_jointly(
    layer: keras.layers.Dense, initializer: RandomizedAsymmetric, seed: int, replicas: Sequence[int]
) -> dict[str, np.ndarray]:
    """A dense layer's kernel and bias, by path."""
    path, (inputs, units) = layer.kernel.path, layer.kernel.shape
    seeds = [derived_seed(seed, replica, "initial weights", path) for replica in replicas]
    kernels, biases = zip(*(initializer.draw(inputs, units, each) for each in seeds), strict=True)
    return {path: np.stack(kernels), layer.bias.path: np.stack(biases)}


class _GivenSeed(keras.random.SeedGenerator):
    """The seed that Keras makes of an integer, as a tensor, so that one graph serves all seeds."""

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed = seed

    def next(self, ordered: bool = True) -> tf.Tensor:
        return tf.stack([self._seed, tf.zeros_like(self._seed)])


def draw_stack(initializer: keras.initializers.Initializer, shape: tuple[int, ...], seeds: np.ndarray) -> np.ndarray:
    """float32 [variable, replica, *shape] for seeds [variable, replica]."""
    if not hasattr(initializer, "seed"):
        value = np.asarray(keras.ops.convert_to_numpy(initializer(shape)))
        return np.broadcast_to(value, (*seeds.shape, *shape))

    @tf.function
    def draws(flat_seeds: tf.Tensor) -> tf.Tensor:
        def one(given: tf.Tensor) -> tf.Tensor:
            seeded = type(initializer).from_config({**_without_seed(initializer), "seed": 0})
            seeded.seed = _GivenSeed(given)
            return seeded(shape)

        return tf.map_fn(one, flat_seeds, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    flat = draws(tf.constant(seeds.reshape(-1), tf.uint32)).numpy()
    return flat.reshape(*seeds.shape, *shape)


def _without_seed(initializer: keras.initializers.Initializer) -> dict[str, object]:
    return {key: value for key, value in initializer.get_config().items() if key != "seed"}
