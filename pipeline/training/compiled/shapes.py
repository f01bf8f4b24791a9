"""The shape of a network for the compiled loops, and the buffers that they work in."""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled


class Shape(NamedTuple):
    """The shape of a network.

    sizes: int64, the number of inputs, then the units of each layer.
    activation: that of the hidden layers, a position in `eligible.ACTIVATIONS`.
    kind: the kind of task, a position in `eligible.TASK_KINDS`.
    """

    sizes: np.ndarray
    activation: int
    kind: int


class Buffers(NamedTuple):
    """Buffers for one pass over a limited number of samples.

    before: pre-activations [layer, unit, sample]; the output layer's come last.
    after: activations [layer, unit, sample]; the inputs come first.
    error: gradients of the loss with respect to pre-activations, [2, unit, sample], for two layers in turn.
    slope: derivatives of one unit's activation, [sample].
    """

    before: np.ndarray
    after: np.ndarray
    error: np.ndarray
    slope: np.ndarray


@compiled
def buffers(shape: Shape, samples: int) -> Buffers:
    """Return buffers for at most so many samples."""
    layers, units = shape.sizes.size - 1, 1
    for size in shape.sizes:
        units = max(units, size)
    return Buffers(
        np.empty((layers, units, samples), np.float32),
        np.empty((layers + 1, units, samples), np.float32),
        np.empty((2, units, samples), np.float32),
        np.empty(samples, np.float32),
    )
