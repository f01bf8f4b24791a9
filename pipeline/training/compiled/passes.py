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
from pipeline.training.compiled.shapes import GROUP, TILE, Block, Shape, tile_count, tiles_of


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
def load_samples(data: DataParts, rows: np.ndarray, first: int, samples: int, shape: Shape, block: Block) -> None:
    """Copy the samples rows[first], rows[first + 1], ... of the data to a block; repeat the last to fill its tile."""
    target, is_sample = shape.rows[-2] * TILE, shape.rows[-1] * TILE
    for s in range(tile_count(samples) * TILE):
        row, place = rows[first + min(s, samples - 1)], s // TILE * block.tile_size + s % TILE
        block.errors[place + is_sample] = 1 if s < samples else 0
        copy(data.inputs, row, block.signals, place)
        copy(data.targets, row, block.targets, place + target)


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
    tiles: range,
    weights: np.ndarray,
    first: int,
    sum_stride: int,
    stride: int,
    bias: int,
) -> None:
    """Set rows of tiles to weighted sums of other rows.

    sums[sum_row + n, s] = b[n] + sum over k < count of weights[first + n sum_stride + k stride] rows[row + k, s]
    for n < sum_count, rounded up to a multiple of 4. b[n] is weights[bias + n], or 0 if `bias` is -1.

    Args:
        rows: an array of a block, as is `sums`.
        tiles: the first entries of the tiles.
    """
    for n in range(0, sum_count, 4):
        a, b, c, d = zeros(), zeros(), zeros(), zeros()
        if bias >= 0:
            a, b = repeat(weights, bias + n), repeat(weights, bias + n + 1)
            c, d = repeat(weights, bias + n + 2), repeat(weights, bias + n + 3)
        for tile in tiles:
            a0, b0, c0, d0 = a, b, c, d  # sums of the tile's first LANES samples
            a1, b1, c1, d1 = a, b, c, d  # and of its last
            place, weight = tile + row * TILE, first + n * sum_stride
            for _ in range(count):
                x0, x1 = load(rows, place), load(rows, place + LANES)
                w = repeat(weights, weight)
                a0, a1 = multiply_add(w, x0, a0), multiply_add(w, x1, a1)
                w = repeat(weights, weight + sum_stride)
                b0, b1 = multiply_add(w, x0, b0), multiply_add(w, x1, b1)
                w = repeat(weights, weight + 2 * sum_stride)
                c0, c1 = multiply_add(w, x0, c0), multiply_add(w, x1, c1)
                w = repeat(weights, weight + 3 * sum_stride)
                d0, d1 = multiply_add(w, x0, d0), multiply_add(w, x1, d1)
                place, weight = place + TILE, weight + stride
            store(sums, tile + (sum_row + n) * TILE, (a0, a1, b0, b1, c0, c1, d0, d1))


@compiled
def add_dot_products(
    rows: np.ndarray,
    row: int,
    count: int,
    errors: np.ndarray,
    error: int,
    units: int,
    tiles: range,
    sums: np.ndarray,
    first: int,
) -> None:
    """Add dot products over all samples of rows of tiles and rows of errors.

    sums[first + u count + k] += sum over s of rows[row + k, s] errors[error + u, s], for u < units and k < count.

    Args:
        rows: an array of a block, as is `errors`.
        count: a multiple of GROUP.
        tiles: the first entries of the tiles.
    """
    zero = zeros()
    for k in range(0, count, GROUP):
        for u in range(units):
            a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
            for tile in tiles:
                for start in range(tile, tile + TILE, LANES):
                    place, value = start + (row + k) * TILE, load(errors, start + (error + u) * TILE)
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
    signals, tiles, last = block.signals, tiles_of(block, samples), shape.widths.size - 2
    for layer in range(last + 1):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        source, target = shape.rows[layer], shape.rows[layer + 1]
        kernel, bias, stride = shape.kernels[layer], shape.biases[layer], target - source
        weighted_sums(signals, source, inputs, signals, target, units, tiles, weights, kernel, stride, 1, bias)
        if layer < last:
            for tile in tiles:
                activate(shape.activation, signals, tile + target * TILE, tile + (target + units) * TILE)


@compiled
def backward(shape: Shape, weights: np.ndarray, block: Block, samples: int, gradient: np.ndarray) -> None:
    """Add to `gradient` [entry] the gradient of the loss; the block holds the signals and the output layer's errors."""
    signals, errors, tiles = block.signals, block.errors, tiles_of(block, samples)
    for layer in range(shape.widths.size - 2, -1, -1):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        source, error, end = shape.rows[layer], shape.rows[layer + 1], shape.rows[layer + 2]
        kernel, bias, stride = shape.kernels[layer], shape.biases[layer], error - source
        add_dot_products(signals, source, stride, errors, error, units, tiles, gradient, kernel)
        add_dot_products(errors, error, end - error, errors, shape.rows[-1], 1, tiles, gradient, bias)
        if layer > 0:
            weighted_sums(errors, error, units, errors, source, inputs, tiles, weights, kernel, 1, stride, -1)
            for tile in tiles:
                first, last = tile + source * TILE, tile + (source + inputs) * TILE
                multiply_by_slopes(shape.activation, signals, first, last, errors)
