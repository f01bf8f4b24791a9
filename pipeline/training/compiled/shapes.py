"""What the loops are told of a network, and the buffers that they work in."""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled


class Shape(NamedTuple):
    """sizes: int64, of the inputs and then of each layer. activation: of the hidden layers, see `elementwise`.
    kind: of the task, see `outputs`."""

    sizes: np.ndarray
    activation: int
    kind: int


class Buffers(NamedTuple):
    """Buffers for one pass over at most so many samples.

    before: pre-activations [layer, unit, sample], the output layer's last. after: [layer, unit, sample], the inputs
    first. error: loss gradients by pre-activation, of two layers in turn. slope: [sample].
    """

    before: np.ndarray
    after: np.ndarray
    error: np.ndarray
    slope: np.ndarray


@compiled
def buffers(shape: Shape, samples: int) -> Buffers:
    """Buffers for so many samples."""
    layers, units = shape.sizes.size - 1, 1
    for size in shape.sizes:
        units = max(units, size)
    return Buffers(
        np.empty((layers, units, samples), np.float32),
        np.empty((layers + 1, units, samples), np.float32),
        np.empty((2, units, samples), np.float32),
        np.empty(samples, np.float32),
    )
