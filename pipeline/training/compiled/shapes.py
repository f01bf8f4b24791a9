"""Define where a network's weights and the signals of its samples lie in memory.

Samples are processed in tiles of TILE. A tile of signals is [row, sample]: first the inputs, then the units of each
layer, one row each. A kernel is [unit, input]. Rows, units and inputs of each layer are padded to multiples of GROUP.
All padding is 0, stays 0 in training, and so changes no sum; narrow layers thus run the same loops as wide ones.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.lanes import ADDED, LANES

TILE: Final = 2 * LANES  # samples
GROUP: Final = ADDED
MOST_SAMPLES: Final = 8 * TILE  # in a block; its signals should fit into the processor's second cache


class Shape(NamedTuple):
    """The shape of a network, and the layout of its weights and signals.

    widths: int64, the number of inputs, then the number of units of each layer.
    rows: the first row of the inputs, then of each layer, then the number of all rows, int64.
    kernels, biases: the position of the first entry of each layer's kernel and bias among the weights, int64 [layer].
    activation: the activation of the hidden layers, as a position in `eligible.ACTIVATIONS`.
    kind: the kind of task, as a position in `eligible.TASK_KINDS`.
    """

    widths: np.ndarray
    rows: np.ndarray
    kernels: np.ndarray
    biases: np.ndarray
    activation: int
    kind: int


class Block(NamedTuple):
    """Buffers for one pass of at most MOST_SAMPLES samples.

    All arrays but the last are float32 [tile, row, sample of the tile], flat.

    signals: inputs and activations; of the output layer, pre-activations.
    errors: gradients of the loss with respect to the pre-activations. The last row of each tile is 1, or 0 for the
        copies of a sample that fill the tile.
    targets: in the rows of the output layer.
    buffer: 4 TILE numbers, for any use.
    tile_size: the number of entries in a tile.
    """

    signals: np.ndarray
    errors: np.ndarray
    targets: np.ndarray
    buffer: np.ndarray
    tile_size: int


def shape_of(widths: Sequence[int], activation: int, kind: int) -> Shape:
    """Return the shape of a network; see `Shape` for the arguments."""
    padded = -(-np.array(widths) // GROUP) * GROUP
    sizes = padded[1:] * padded[:-1]
    ends = np.cumsum(sizes + padded[1:])
    biases = ends - padded[1:]
    rows = np.concatenate([[0], np.cumsum(padded)])
    return Shape(np.array(widths), rows, biases - sizes, biases, activation, kind)


def weight_count(shape: Shape) -> int:
    """Return the number of weights, padding included."""
    return int(shape.biases[-1] + shape.rows[-1] - shape.rows[-2])


def positions(shape: Shape) -> np.ndarray:
    """Return the position among the weights of every entry of Keras's kernels [input, unit] and biases, int64."""
    pieces = []
    for layer, (kernel, bias) in enumerate(zip(shape.kernels, shape.biases, strict=True)):
        inputs, units = np.arange(shape.widths[layer]), np.arange(shape.widths[layer + 1])
        stride = shape.rows[layer + 1] - shape.rows[layer]
        pieces += [(kernel + inputs[:, None] + units * stride).ravel(), bias + units]
    return np.concatenate(pieces)


def block_of(shape: Shape, samples: int) -> Block:
    """Return buffers for at most `samples` samples, or MOST_SAMPLES if that is less."""
    tile_size = (shape.rows[-1] + 1) * TILE
    size = tile_count(min(samples, MOST_SAMPLES)) * tile_size
    return Block(aligned_zeros(size), aligned_zeros(size), aligned_zeros(size), aligned_zeros(4 * TILE), tile_size)


def aligned_zeros(size: int) -> np.ndarray:
    """Return zeros whose vectors do not cross the borders of cache lines: such vectors are read back slowly."""
    numbers = np.zeros(size + LANES, np.float32)
    first = -(numbers.ctypes.data // 4) % LANES
    return numbers[first : first + size]


@compiled
def tile_count(samples: int) -> int:
    """Return the number of tiles that hold so many samples."""
    return (samples + TILE - 1) // TILE


@compiled
def tiles_of(block: Block, samples: int) -> range:
    """Return the positions of the first entries of the tiles that hold so many samples."""
    return range(0, tile_count(samples) * block.tile_size, block.tile_size)
