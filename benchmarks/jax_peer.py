"""Train a recipe in JAX as a user would: `vmap` over replicas, `scan` over epochs and steps, all in one jit.

Recorded at every epoch: loss, accuracy and balanced accuracy of the training and of the test set, as in the engine's
curves, and each kernel's mean |gradient|, the engine's gradient_mean_abs.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.recipe import PeerRecipe, arrays, initial_kernels, rate_and_momentum, sample_orders

Layers = list[tuple[jax.Array, jax.Array]]  # kernel [input, unit] and bias [unit] of each layer
CURVES = tuple(f"{part}_{value}" for part in ("train", "test") for value in ("loss", "accuracy", "balanced_accuracy"))


class JaxRecord(NamedTuple):
    """The record of a training.

    curves: by the names in CURVES, float32 [replica, epoch], from epoch 1.
    gradient_mean_abs: mean over the epoch's batches, float32 [replica, epoch, layer].
    """

    curves: dict[str, np.ndarray]
    gradient_mean_abs: np.ndarray


def logits(layers: Layers, inputs: jax.Array) -> jax.Array:
    """Return the logits of one replica, [sample, output]."""
    *hidden, (output_kernel, output_bias) = layers
    signal = inputs
    for kernel, bias in hidden:
        signal = jax.nn.relu(signal @ kernel + bias)
    return signal @ output_kernel + output_bias


def cross_entropy(z: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the mean over samples (nat) of the cross-entropy: binary for one output, else categorical.

    Args:
        z: logits [sample, output].
        targets: labels of two classes [sample, 1], or one-hot rows [sample, class].
    """
    if z.shape[1] == 1:
        return jnp.mean(jax.nn.softplus(z) - z * targets)  # exact slope at 0, where dead layers leave z
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(z), axis=1))


def loss(layers: Layers, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the mean cross-entropy."""
    return cross_entropy(logits(layers, inputs), targets)


def scores(layers: Layers, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return loss, accuracy and balanced accuracy, [3]; every class must have samples."""
    z = logits(layers, inputs)
    if z.shape[1] == 1:
        is_right = (z[:, 0] > 0) == (targets[:, 0] > 0.5)
        classes = jnp.concatenate([1 - targets, targets], axis=1)
    else:
        is_right = jnp.argmax(z, axis=1) == jnp.argmax(targets, axis=1)
        classes = targets
    recalls = (is_right @ classes) / classes.sum(axis=0)
    return jnp.stack([cross_entropy(z, targets), jnp.mean(is_right), jnp.mean(recalls)])


@partial(jax.jit, static_argnames="batch_size")
def train_layers(layers: Layers, order: jax.Array, data: tuple, rate: float, momentum: float, batch_size: int) -> tuple:
    """Return curves [replica, epoch, curve] and mean |gradient| of each kernel [replica, epoch, layer].

    Args:
        layers: kernel and bias of each layer, with a replica axis in front.
        order: int32 [replica, epoch, sample].
        data: as `recipe.arrays` returns them.
    """
    inputs, targets, *test = data
    full, rest = divmod(order.shape[2], batch_size)

    def step(state: tuple, rows: jax.Array) -> tuple:
        now, velocity = state
        gradient = jax.grad(loss)(now, inputs[rows], targets[rows])
        velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, gradient)
        sizes = jnp.stack([jnp.mean(jnp.abs(kernel)) for kernel, _ in gradient])
        return (jax.tree.map(jnp.add, now, velocity), velocity), sizes

    def epoch(state: tuple, samples: jax.Array) -> tuple:
        batches = samples[: full * batch_size].reshape(full, batch_size)
        state, sizes = jax.lax.scan(step, state, batches)
        total, count = sizes.sum(0), full
        if rest:
            state, last = step(state, samples[full * batch_size :])
            total, count = total + last, full + 1
        curves = jnp.concatenate([scores(state[0], inputs, targets), scores(state[0], *test)])
        return state, (curves, total / count)

    def one(now: Layers, samples: jax.Array) -> tuple:
        return jax.lax.scan(epoch, (now, jax.tree.map(jnp.zeros_like, now)), samples)[1]

    return jax.vmap(one)(layers, order)


def train(recipe: PeerRecipe) -> JaxRecord:
    """Train all replicas."""
    layers = [(jnp.array(kernel), jnp.zeros((len(kernel), kernel.shape[-1]))) for kernel in initial_kernels(recipe)]
    order = jnp.array(sample_orders(recipe).transpose(1, 0, 2))
    curves, sizes = train_layers(
        layers, order, arrays(recipe), *rate_and_momentum(recipe), batch_size=recipe.training.batch_size
    )
    values = np.asarray(curves)
    return JaxRecord({name: values[:, :, place] for place, name in enumerate(CURVES)}, np.asarray(sizes))
