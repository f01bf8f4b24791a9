"""Compute the layer values of one replica, as `history.record` defines them above LAYER_VALUES.

`stacked.quantities` computes the same values for stacked replicas, independently; the tests compare the two.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled, in_order, inlined
from pipeline.training.compiled.elementwise import sigmoid, slope
from pipeline.training.compiled.eligible import ACTIVATIONS, TASK_KINDS
from pipeline.training.compiled.lanes import LANES, Numbers, choose, count, load, multiply_add, sum_of, zeros
from pipeline.training.compiled.shapes import TILE, Block, Shape, tiles_of

_ZERO, _INFINITY, _LARGEST = np.float32(0), np.float32(np.inf), np.finfo(np.float32).max
_BINARY, _MULTICLASS = TASK_KINDS.index("binary"), TASK_KINDS.index("multiclass")
_LINEAR, _SIGMOID = ACTIVATIONS.index("linear"), ACTIVATIONS.index("sigmoid")
_CELL_BITS = np.uint32(19)  # the lower bits of a float32, which its cell leaves out


class Bins(NamedTuple):
    """The bins of a histogram: bin b holds edges[b - 1] <= x < edges[b].

    edges: float32, ascending, then NaN.
    lowest: uint8 [cell], the bin of each cell's lowest number. The numbers of a cell share sign, exponent and the first
        bits of the mantissa, so that at most one edge divides a cell.
    """

    edges: np.ndarray
    lowest: np.ndarray


class Limits(NamedTuple):
    """The thresholds of the measurements and the bins of the histograms.

    slopes: |f'| below which a unit is saturated, float32 [2, fraction]: row 0 for hidden layers, row 1 for the output.
    """

    slopes: np.ndarray
    gradient_bins: Bins
    weight_bins: Bins


class Records(NamedTuple):
    """The values of the recorded epochs, float32 [epoch, layer] if not stated otherwise.

    saturated_share: [epoch, layer, fraction].
    gradient_histogram, weight_histogram: int32 [epoch, layer, bin]; without histograms there are no bins.
    """

    gradient_mean_abs: np.ndarray
    gradient_norm: np.ndarray
    gradient_zero_share: np.ndarray
    probe_gradient_mean_abs: np.ndarray
    dead_unit_share: np.ndarray
    weight_l1: np.ndarray
    weight_change_l1: np.ndarray
    saturated_share: np.ndarray
    gradient_histogram: np.ndarray
    weight_histogram: np.ndarray


def bins_of(edges: tuple[float, ...]) -> Bins:
    """Return the bins between these edges."""
    first = np.arange(2 ** (32 - _CELL_BITS), dtype=np.uint32) << _CELL_BITS
    ends = np.sort(np.stack([first, first | np.uint32(2**_CELL_BITS - 1)]).view(np.float32), axis=0)  # NaN comes last
    lowest, highest = np.searchsorted(np.array(edges, np.float32), ends, side="right")
    if (highest - lowest)[np.isfinite(ends[1])].max() > 1:
        raise ValueError("the edges of a histogram are too close for the cells of its search")
    return Bins(np.array([*edges, np.nan], np.float32), lowest.astype(np.uint8))


@compiled
def add_activity(shape: Shape, limits: Limits, block: Block, samples: int, on: np.ndarray, below: np.ndarray) -> None:
    """Add a block to the counts of samples for which a unit is nearly flat, and mark the units that are on.

    A unit of a softmax has no slope of its own; nothing is counted for it.

    Args:
        on: int64, by the row of a unit in a tile; not 0 if the unit is on for a sample.
        below: int64 [layer, fraction], pairs (input, unit) that are on and have |f'| below the limit.
    """
    tiles, last = tiles_of(block, samples), shape.widths.size - 2
    for layer in range(last + 1):
        is_output = layer == last
        if is_output and shape.kind == _MULTICLASS:
            return
        of_layer = limits.slopes[1 if is_output else 0]
        for row in range(shape.rows[layer + 1], shape.rows[layer + 1] + shape.widths[layer + 1]):
            least = zeros() + _INFINITY
            for tile in tiles:
                for start in range(tile, tile + TILE, LANES):
                    size = slope_size(shape, block, start, row, is_output)
                    least = choose("<", size, least, size, least)
            on[row] += count("<", least, _INFINITY)
            if count("<", least, of_layer[-1]):  # the greatest limit
                for tile in tiles:
                    for start in range(tile, tile + TILE, LANES):
                        size = slope_size(shape, block, start, row, is_output)
                        for fraction in range(of_layer.size):
                            below[layer, fraction] += count("<", size, of_layer[fraction])


@inlined
def slope_size(shape: Shape, block: Block, start: int, row: int, is_output: bool) -> Numbers:
    """Return |f'| of a unit for the LANES samples at `start`, infinite where the unit is off or there is no sample."""
    value, is_sample = load(block.signals, start + row * TILE), load(block.errors, start + shape.rows[-1] * TILE)
    if not is_output:
        size = abs(slope(shape.activation, value))
        size = choose("==", size, _ZERO, choose("==", value, _ZERO, _INFINITY, size), size)
    elif shape.kind == _BINARY:  # a sigmoid and a linear output are never off
        size = slope(_SIGMOID, sigmoid(value))
    else:
        size = slope(_LINEAR, value)
    size = choose(">=", size, _ZERO, size, _LARGEST)  # NaN is neither off nor flat
    return choose(">", is_sample, _ZERO, size, _INFINITY)


@compiled
def set_activity(shape: Shape, samples: int, on: np.ndarray, below: np.ndarray, records: Records, record: int) -> None:
    """Set `dead_unit_share` and `saturated_share` from the counts of `add_activity` over all samples."""
    for layer in range(shape.widths.size - 1):
        units, dead_count, first = shape.widths[layer + 1], 0, shape.rows[layer + 1]
        for row in range(first, first + units):
            dead_count += on[row] == 0
        records.dead_unit_share[record, layer] = dead_count / units
        for fraction in range(below.shape[1]):
            records.saturated_share[record, layer, fraction] = below[layer, fraction] / (samples * units)
    if shape.kind == _MULTICLASS:
        records.dead_unit_share[record, -1] = _ZERO
        records.saturated_share[record, -1, :] = np.nan


@in_order
def set_state(
    shape: Shape,
    limits: Limits,
    weights: np.ndarray,
    before: np.ndarray,
    gradient: np.ndarray,
    records: Records,
    record: int,
) -> None:
    """Set the values that follow from the weights, those before the epoch, and the probe's gradient."""
    for layer in range(shape.widths.size - 1):
        gradient_sum, weight_sum, change_sum = 0.0, 0.0, 0.0
        for i in range(np.uintp(shape.kernels[layer]), np.uintp(shape.biases[layer])):  # padding adds 0
            gradient_sum += abs(gradient[i])
            weight_sum += abs(weights[i])
            change_sum += abs(weights[i] - before[i])
        records.probe_gradient_mean_abs[record, layer] = gradient_sum / (shape.widths[layer] * shape.widths[layer + 1])
        records.weight_l1[record, layer], records.weight_change_l1[record, layer] = weight_sum, change_sum
        if records.weight_histogram.shape[2]:
            add_counts(shape, layer, gradient, limits.gradient_bins, records.gradient_histogram[record, layer])
            add_counts(shape, layer, weights, limits.weight_bins, records.weight_histogram[record, layer])


@compiled
def add_counts(shape: Shape, layer: int, entries: np.ndarray, bins: Bins, counts: np.ndarray) -> None:
    """Count the entries of a layer's kernel in each bin. NaN is in no bin."""
    stride = shape.rows[layer + 1] - shape.rows[layer]
    for unit in range(shape.widths[layer + 1]):
        first = shape.kernels[layer] + unit * stride
        for i in range(np.uintp(first), np.uintp(first + shape.widths[layer])):
            entry = entries[i]
            if entry == entry:  # not NaN
                place = np.uintp(bins.lowest[np.float32(entry).view(np.uint32) >> _CELL_BITS])
                counts[place + np.uintp(entry >= bins.edges[place])] += 1


@compiled
def add_batch(shape: Shape, gradient: np.ndarray, batches: int, records: Records, record: int) -> None:
    """Add the statistics of a batch's gradient, one of so many batches of an epoch, to the epoch's means."""
    for layer in range(shape.widths.size - 1):
        total, squares, zero_count, size = zeros(), zeros(), 0, shape.widths[layer] * shape.widths[layer + 1]
        for place in range(shape.kernels[layer], shape.biases[layer], LANES):  # padding is 0
            entries = load(gradient, place)
            total = total + abs(entries)
            squares = multiply_add(entries, entries, squares)
            zero_count += count("==", entries, _ZERO)
        padding = shape.biases[layer] - shape.kernels[layer] - size
        records.gradient_mean_abs[record, layer] += sum_of(total) / np.float32(size * batches)
        records.gradient_norm[record, layer] += np.sqrt(sum_of(squares)) / np.float32(batches)
        records.gradient_zero_share[record, layer] += np.float32(zero_count - padding) / np.float32(size * batches)
