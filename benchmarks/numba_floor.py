"""Train relu_5 by hand-written loops, a speed that any compiled program should reach.

The loops take one sample after the other, as in a first draft: ReLU units, SGD with momentum. They record only test
accuracy and each kernel's mean |gradient|.
"""

import numba
import numpy as np

from benchmarks.recipe import PeerRecipe, arrays, initial_kernels, rate_and_momentum, sample_orders


@numba.njit(fastmath=True, error_model="numpy")
def forward(sizes, weights, signals, row):
    """Fill signals[layer, unit] from one sample, and return the logit."""
    for i in range(sizes[0]):
        signals[0, i] = row[i]
    at, layers = 0, sizes.size - 1
    for layer in range(layers):
        inputs, units = sizes[layer], sizes[layer + 1]
        for j in range(units):
            total = weights[at + inputs * units + j]
            for i in range(inputs):
                total += weights[at + i * units + j] * signals[layer, i]
            signals[layer + 1, j] = max(total, np.float32(0)) if layer < layers - 1 else total
        at += inputs * units + units
    return signals[layers, 0]


@numba.njit(fastmath=True, error_model="numpy")
def add_gradient(sizes, weights, signals, error, below, gradient):
    """Add one sample's gradient, derived from the error of its logit."""
    layers, end = sizes.size - 1, weights.size
    below[0] = error
    for layer in range(layers - 1, -1, -1):
        inputs, units = sizes[layer], sizes[layer + 1]
        end -= inputs * units + units
        for j in range(units):
            gradient[end + inputs * units + j] += below[j]
        for i in range(inputs):
            total = np.float32(0)
            for j in range(units):
                gradient[end + i * units + j] += signals[layer, i] * below[j]
                total += weights[end + i * units + j] * below[j]
            signals[layer, i] = total if signals[layer, i] > 0 else np.float32(0)
        for i in range(inputs):
            below[i] = signals[layer, i]


@numba.njit(fastmath=True, error_model="numpy", parallel=True)
def run(sizes, weights, orders, inputs, labels, test_inputs, test_labels, rate, momentum, batch_size):
    """Train weights [replica, entry] in place; return accuracy [replica, epoch] and mean |gradient| [..., layer]."""
    epochs, replicas, samples = orders.shape
    accuracy = np.zeros((replicas, epochs), np.float32)
    mean_abs = np.zeros((replicas, epochs, sizes.size - 1), np.float32)
    widest = max(sizes)
    for replica in numba.prange(replicas):
        own, velocity = weights[replica], np.zeros_like(weights[replica])
        gradient, signals = np.empty_like(own), np.empty((sizes.size, widest), np.float32)
        below = np.empty(widest, np.float32)
        for epoch in range(epochs):
            for first in range(0, samples, batch_size):
                last = min(first + batch_size, samples)
                gradient[:] = 0
                for place in range(first, last):
                    row = orders[epoch, replica, place]
                    z = forward(sizes, own, signals, inputs[row])
                    error = (np.float32(1) / (np.float32(1) + np.exp(-z)) - labels[row]) / np.float32(last - first)
                    add_gradient(sizes, own, signals, error, below, gradient)
                at = 0
                for layer in range(sizes.size - 1):
                    size, total = sizes[layer] * sizes[layer + 1], np.float32(0)
                    for entry in range(at, at + size):
                        total += abs(gradient[entry])
                    mean_abs[replica, epoch, layer] += total / size
                    at += size + sizes[layer + 1]
                for entry in range(own.size):
                    velocity[entry] = momentum * velocity[entry] - rate * gradient[entry]
                    own[entry] += velocity[entry]
            hits = 0
            for row in range(test_labels.size):
                hits += (forward(sizes, own, signals, test_inputs[row]) > 0) == (test_labels[row] > 0.5)
            accuracy[replica, epoch] = hits / test_labels.size
            mean_abs[replica, epoch] /= -(-samples // batch_size)
    return accuracy, mean_abs


def train(recipe: PeerRecipe) -> np.ndarray:
    """Return the final test accuracy of every replica."""
    kernels = initial_kernels(recipe)
    pieces = [
        piece
        for kernel in kernels
        for piece in (kernel.reshape(len(kernel), -1), np.zeros((len(kernel), kernel.shape[-1]), np.float32))
    ]
    sizes = np.array([kernels[0].shape[1], *(kernel.shape[2] for kernel in kernels)])
    weights = np.ascontiguousarray(np.concatenate(pieces, axis=1))
    inputs, labels, test_inputs, test_labels = arrays(recipe)
    data = (inputs, np.ascontiguousarray(labels[:, 0]), test_inputs, np.ascontiguousarray(test_labels[:, 0]))
    return run(sizes, weights, sample_orders(recipe), *data, *rate_and_momentum(recipe), recipe.training.batch_size)[0][
        :, -1
    ]
