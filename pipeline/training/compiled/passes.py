"""Pass a block of samples forward and errors backward through a stack of dense layers.

Three products of matrices take nearly all time. Each is written for vectors of samples: several sums are kept in
registers while one loop runs over their terms, so that each number that is read serves several sums. On one core of an
AMD EPYC (family 26) they reach 80 to 110 GFLOP/s with 5 inputs and 5 units, and 100 to 210 with 32 or more.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled, inlined
from pipeline.training.compiled.elementwise import activate, multiply_by_slopes
from pipeline.training.compiled.lanes import LANES, add_sums, load, multiply_add, repeat, store, zeros
from pipeline.training.compiled.shapes import GROUP, TILE, Block, Shape, tile_count


class DataParts(NamedTuple):
    """All parts of the data, joined along the samples, the training set first.

    inputs: float32 [sample, input].
    targets: float32 [sample, output].
    rows: the numbers of all samples in order, int32 [sample].
    ends: the position after each part's last sample, int64 [part].
    squares: the sum of squared deviations from each part's mean target, float64 [part, output].
    """

    inputs: np.ndarray
    targets: np.ndarray
    rows: np.ndarray
    ends: np.ndarray
    squares: np.ndarray


@compiled
def load_samples(data: DataParts, rows: np.ndarray, first: int, samples: int, output_row: int, block: Block) -> None:
    """Copy the samples rows[first], rows[first + 1], ... of the data to a block; repeat the last to fill its tile."""
    for tile in range(tile_count(samples)):
        start, ones = tile * block.tile_size, (tile + 1) * block.tile_size - TILE
        for s in range(TILE):
            row = rows[first + min(tile * TILE + s, samples - 1)]
            block.errors[ones + s] = 1 if tile * TILE + s < samples else 0
            copy(data.inputs, row, block.signals, start + s)
            copy(data.targets, row, block.targets, start + output_row * TILE + s)


@inlined
def copy(matrix: np.ndarray, row: int, tiles: np.ndarray, start: int) -> None:
    """Copy a row of a matrix to a column of a tile, which begins at entry `start`."""
    place = np.uintp(start)
    for column in range(np.uintp(matrix.shape[1])):
        tiles[place] = matrix[np.uintp(row), column]
        place += np.uintp(TILE)


@compiled
def weighted_sums(
    rows: np.ndarray,
    row: int,
    count: int,
    sums: np.ndarray,
    sum_row: int,
    sum_count: int,
    tile: int,
    weights: np.ndarray,
    first: int,
    sum_stride: int,
    stride: int,
    bias: int,
) -> None:
    """Set rows of a tile, which begins at entry `tile` of two arrays of a block, to weighted sums of other rows.

    sums[sum_row + n, s] = b[n] + sum over k < count of weights[first + n sum_stride + k stride] rows[row + k, s]
    for n < sum_count, rounded up to a multiple of 4. b[n] is weights[bias + n], or 0 if `bias` is -1.
    """
    for n in range(0, sum_count, 4):
        a0, b0, c0, d0 = zeros(), zeros(), zeros(), zeros()  # sums of the tile's first LANES samples
        if bias >= 0:
            a0, b0 = repeat(weights, bias + n), repeat(weights, bias + n + 1)
            c0, d0 = repeat(weights, bias + n + 2), repeat(weights, bias + n + 3)
        a1, b1, c1, d1 = a0, b0, c0, d0  # and of its last
        place, weight = tile + row * TILE, first + n * sum_stride
        for _ in range(count):
            x0, x1 = load(rows, place), load(rows, place + LANES)
            a, b = repeat(weights, weight), repeat(weights, weight + sum_stride)
            c, d = repeat(weights, weight + 2 * sum_stride), repeat(weights, weight + 3 * sum_stride)
            a0, a1 = multiply_add(a, x0, a0), multiply_add(a, x1, a1)
            b0, b1 = multiply_add(b, x0, b0), multiply_add(b, x1, b1)
            c0, c1 = multiply_add(c, x0, c0), multiply_add(c, x1, c1)
            d0, d1 = multiply_add(d, x0, d0), multiply_add(d, x1, d1)
            place, weight = place + TILE, weight + stride
        place = tile + (sum_row + n) * TILE
        store(sums, place, (a0, a1, b0, b1, c0, c1, d0, d1))


@compiled
def add_dot_products(
    block: Block,
    tiles: int,
    rows: np.ndarray,
    row: int,
    count: int,
    error: int,
    units: int,
    sums: np.ndarray,
    first: int,
) -> None:
    """Add dot products over all samples of rows of the block and rows of its errors.

    sums[first + u count + k] += sum over s of rows[row + k, s] errors[error + u, s], for u < units and k < count.

    Args:
        rows: the block's signals or errors.
        count: a multiple of GROUP.
    """
    zero = zeros()
    for k in range(0, count, GROUP):
        for u in range(units):
            a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
            for tile in range(tiles):
                for half in range(0, TILE, LANES):
                    start = tile * block.tile_size + half
                    place, value = start + (row + k) * TILE, load(block.errors, start + (error + u) * TILE)
                    a = multiply_add(value, load(rows, place), a)
                    b = multiply_add(value, load(rows, place + TILE), b)
                    c = multiply_add(value, load(rows, place + 2 * TILE), c)
                    d = multiply_add(value, load(rows, place + 3 * TILE), d)
                    e = multiply_add(value, load(rows, place + 4 * TILE), e)
                    f = multiply_add(value, load(rows, place + 5 * TILE), f)
                    g = multiply_add(value, load(rows, place + 6 * TILE), g)
                    h = multiply_add(value, load(rows, place + 7 * TILE), h)
            add_sums(sums, first + u * count + k, (a, b, c, d, e, f, g, h))


@compiled
def forward(shape: Shape, weights: np.ndarray, block: Block, samples: int) -> None:
    """Set the signals of all layers from those of the inputs."""
    layer_count, signals = shape.widths.size - 1, block.signals
    for layer in range(layer_count):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        source, target = shape.rows[layer], shape.rows[layer + 1]
        kernel, bias = shape.kernels[layer], shape.biases[layer]
        stride = target - source
        for tile in range(0, tile_count(samples) * block.tile_size, block.tile_size):
            weighted_sums(signals, source, inputs, signals, target, units, tile, weights, kernel, stride, 1, bias)
            if layer < layer_count - 1:
                first = tile + target * TILE
                activate(shape.activation, signals, first, first + units * TILE)


@compiled
def backward(shape: Shape, weights: np.ndarray, block: Block, samples: int, gradient: np.ndarray) -> None:
    """Add to `gradient` [entry] the gradient of the loss; the block holds the signals and the output layer's errors."""
    tiles, errors = tile_count(samples), block.errors
    for layer in range(shape.widths.size - 2, -1, -1):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        source, error, end = shape.rows[layer], shape.rows[layer + 1], shape.rows[layer + 2]
        kernel, stride = shape.kernels[layer], error - source
        add_dot_products(block, tiles, block.signals, source, stride, error, units, gradient, kernel)
        add_dot_products(
            block, tiles, block.errors, error, end - error, shape.rows[-1], 1, gradient, shape.biases[layer]
        )
        if layer > 0:
            for tile in range(tiles):
                start = tile * block.tile_size
                weighted_sums(errors, error, units, errors, source, inputs, start, weights, kernel, 1, stride, -1)
                first, last = start + source * TILE, start + (source + inputs) * TILE
                multiply_by_slopes(shape.activation, block.signals, first, last, errors)
