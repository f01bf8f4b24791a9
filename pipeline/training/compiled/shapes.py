"""Define a network's shape for the compiled loops, and their buffers."""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled


class Shape(NamedTuple):
    """The shape of a network.

    widths: int64, the number of inputs, then the number of units of each layer.
    activation: the activation of the hidden layers, as a position in `eligible.ACTIVATIONS`.
    kind: the kind of task, as a position in `eligible.TASK_KINDS`.
    """

    widths: np.ndarray
    activation: int
    kind: int


class Buffers(NamedTuple):
    """Buffers for one pass over a limited number of samples.

    before: pre-activations [layer, unit, sample]; the output layer's come last.
    after: activations [layer, unit, sample]; the inputs come first.
    error: gradients of the loss with respect to the pre-activations of two successive layers, [2, unit, sample].
    slope: derivatives of one unit's activation, [sample].
    """

    before: np.ndarray
    after: np.ndarray
    error: np.ndarray
    slope: np.ndarray


@compiled
def buffers(shape: Shape, samples: int) -> Buffers:
    """Return buffers for at most `samples` samples."""
    layer_count, units = shape.widths.size - 1, shape.widths.max()
    return Buffers(
        np.empty((layer_count, units, samples), np.float32),
        np.empty((layer_count + 1, units, samples), np.float32),
        np.empty((2, units, samples), np.float32),
        np.empty(samples, np.float32),
    )
