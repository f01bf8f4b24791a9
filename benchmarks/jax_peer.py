"""A recipe in JAX, as one would write it: `vmap` over replicas, `scan` over epochs and steps, all in one jit.

Recorded at every epoch: loss, accuracy and balanced accuracy of the training and of the test set, which are the
engine's curves, and each kernel's mean |gradient|, the engine's gradient_mean_abs.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.recipe import Recipe, columns, initial, numbers, orders

Layers = list[tuple[jax.Array, jax.Array]]  # kernel [input, unit] and bias [unit] of each
CURVES = tuple(f"{part}_{what}" for part in ("train", "test") for what in ("loss", "accuracy", "balanced_accuracy"))


class Record(NamedTuple):
    """curves: by the names in CURVES, float32 [replica, epoch], from epoch 1.
    gradient_mean_abs: float32 [replica, epoch, layer], the mean over the epoch's batches."""

    curves: dict[str, np.ndarray]
    gradient_mean_abs: np.ndarray


def logits(layers: Layers, inputs: jax.Array) -> jax.Array:
    """[sample, output] of one replica."""
    *hidden, (kernel, bias) = layers
    signal = inputs
    for each, shift in hidden:
        signal = jax.nn.relu(signal @ each + shift)
    return signal @ kernel + bias


def cross_entropy(z: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean over samples (nat); z and targets [sample, output]: binary of one output, else categorical."""
    if z.shape[1] == 1:
        return jnp.mean(jax.nn.softplus(z) - z * targets)  # its slope at 0, where dead layers leave z, is exact
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(z), axis=1))


def loss(layers: Layers, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean cross-entropy."""
    return cross_entropy(logits(layers, inputs), targets)


def scores(layers: Layers, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Loss, accuracy and balanced accuracy: [3]. Every class must be there."""
    z = logits(layers, inputs)
    if z.shape[1] == 1:
        hits = (z[:, 0] > 0) == (targets[:, 0] > 0.5)
        classes = jnp.concatenate([1 - targets, targets], axis=1)
    else:
        hits = jnp.argmax(z, axis=1) == jnp.argmax(targets, axis=1)
        classes = targets
    recalls = (hits @ classes) / classes.sum(axis=0)
    return jnp.stack([cross_entropy(z, targets), jnp.mean(hits), jnp.mean(recalls)])


@partial(jax.jit, static_argnames="batch_size")
def trained(layers: Layers, order: jax.Array, data: tuple, rate: float, momentum: float, batch_size: int) -> tuple:
    """Curves [replica, epoch, curve] and mean |gradient| of each kernel [replica, epoch, layer].

    Args:
        layers: kernel and bias of each, with a replica axis in front. order: int32 [replica, epoch, sample].
        data: as `recipe.columns` gives them.
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


def train(made: Recipe) -> Record:
    """All replicas."""
    layers = [(jnp.array(kernel), jnp.zeros((len(kernel), kernel.shape[-1]))) for kernel in initial(made)]
    order = jnp.array(orders(made).transpose(1, 0, 2))
    curves, sizes = trained(layers, order, columns(made), *numbers(made), batch_size=made.training.batch_size)
    values = np.asarray(curves)
    return Record({name: values[:, :, place] for place, name in enumerate(CURVES)}, np.asarray(sizes))
