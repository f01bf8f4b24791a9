"""The recipe in JAX, as one would write it: `vmap` over replicas, `scan` over epochs and steps, all in one jit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.recipe import Recipe, columns, initial, numbers, orders


def logits(layers: list[tuple[jax.Array, jax.Array]], inputs: jax.Array) -> jax.Array:
    """[sample] of one replica."""
    *hidden, (kernel, bias) = layers
    signal = inputs
    for each, shift in hidden:
        signal = jax.nn.relu(signal @ each + shift)
    return (signal @ kernel + bias)[:, 0]


def loss(layers: list, inputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean binary cross-entropy."""
    z = logits(layers, inputs)
    return jnp.mean(jnp.maximum(z, 0) - z * labels + jnp.log1p(jnp.exp(-jnp.abs(z))))


@partial(jax.jit, static_argnames="batch_size")
def trained(layers: list, order: jax.Array, data: tuple, rate: float, momentum: float, batch_size: int) -> tuple:
    """Test accuracy [replica, epoch] and mean |gradient| of each kernel [replica, epoch, layer].

    Args:
        layers: kernel and bias of each, with a replica axis in front. order: int32 [replica, epoch, sample].
    """
    inputs, labels, test_inputs, test_labels = data
    full, rest = divmod(order.shape[2], batch_size)

    def step(state: tuple, rows: jax.Array) -> tuple:
        now, velocity = state
        gradient = jax.grad(loss)(now, inputs[rows], labels[rows])
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
        accuracy = jnp.mean((logits(state[0], test_inputs) > 0) == (test_labels > 0.5))
        return state, (accuracy, total / count)

    def one(now: list, samples: jax.Array) -> tuple:
        return jax.lax.scan(epoch, (now, jax.tree.map(jnp.zeros_like, now)), samples)[1]

    return jax.vmap(one)(layers, order)


def train(made: Recipe) -> np.ndarray:
    """Final test accuracy of every replica."""
    layers = [(jnp.array(kernel), jnp.zeros((len(kernel), kernel.shape[-1]))) for kernel in initial(made)]
    order = jnp.array(orders(made).transpose(1, 0, 2))
    accuracy, sizes = trained(layers, order, columns(made), *numbers(made), batch_size=made.training.batch_size)
    sizes.block_until_ready()
    return np.asarray(accuracy)[:, -1]
