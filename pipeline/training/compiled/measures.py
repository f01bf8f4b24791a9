"""Compute the layer values of one replica, as `history.record` defines them above LAYER_VALUES.

`stacked.quantities` computes the same values for stacked replicas, independently; the tests compare the two.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled, in_order
from pipeline.training.compiled.elementwise import sigmoid, slope
from pipeline.training.compiled.eligible import ACTIVATIONS, TASK_KINDS
from pipeline.training.compiled.lanes import LANES, choose, count, load
from pipeline.training.compiled.shapes import TILE, Block, Shape, tile_count

_ZERO, _INFINITY = np.float32(0), np.float32(np.inf)
_BINARY, _MULTICLASS = TASK_KINDS.index("binary"), TASK_KINDS.index("multiclass")
_LINEAR, _SIGMOID = ACTIVATIONS.index("linear"), ACTIVATIONS.index("sigmoid")
_CELL_BITS = np.uint32(20)  # the lower bits of a float32, which its cell leaves out


class Bins(NamedTuple):
    """The bins of a histogram: bin b holds edges[b - 1] <= x < edges[b].

    edges: float32, ascending.
    lowest: uint8 [cell], the bin of each cell's lowest number. The numbers of a cell share sign, exponent and the first
        three bits of the mantissa, so that few edges lie between them.
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


class LayerRecord(NamedTuple):
    """The values of one recorded epoch, float32 [layer] if not stated otherwise.

    saturated_share: [layer, fraction].
    gradient_histogram, weight_histogram: int32 [layer, bin]; without histograms there are no bins.
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
    exact = np.array(edges, np.float32)
    first = np.arange(2 ** (32 - _CELL_BITS), dtype=np.uint32) << _CELL_BITS
    ends = np.stack([first, first | np.uint32(2**_CELL_BITS - 1)]).view(np.float32)
    lowest = np.fmin(*ends)  # infinity shares its cell with NaN
    return Bins(exact, np.array(np.searchsorted(exact, lowest, side="right"), np.uint8))


@compiled
def add_activity(shape: Shape, limits: Limits, block: Block, samples: int, on: np.ndarray, below: np.ndarray) -> None:
    """Add a block to the counts of samples for which a unit is on, and of those for which it is nearly flat.

    A unit of a softmax has no slope of its own; nothing is counted for it.

    Args:
        on: int64, by the row of a unit in a tile.
        below: int64 [layer, fraction], pairs (input, unit) that are on and have |f'| below the limit.
    """
    for layer in range(shape.widths.size - 1):
        first, is_last = shape.rows[layer + 1], layer == shape.widths.size - 2
        if is_last and shape.kind == _MULTICLASS:
            return
        of_layer = limits.slopes[1 if is_last else 0]
        for row in range(first, first + shape.widths[layer + 1]):
            for tile in range(0, tile_count(samples) * block.tile_size, block.tile_size):
                for lane in range(tile, tile + TILE, LANES):
                    value = load(block.signals, lane + row * TILE)
                    if is_last:  # pre-activations; a sigmoid and a linear output are never off
                        size = slope(_SIGMOID, sigmoid(value)) if shape.kind == _BINARY else slope(_LINEAR, value)
                    else:
                        size = abs(slope(shape.activation, value))
                        size = choose("==", size, _ZERO, choose("==", value, _ZERO, _INFINITY, size), size)
                    is_sample = load(block.errors, lane + block.tile_size - TILE)
                    size = choose(">", is_sample, _ZERO, size, _INFINITY)
                    on[row] += LANES - count("==", size, _INFINITY)
                    if count("<", size, of_layer[-1]):  # the greatest limit
                        for fraction in range(of_layer.size):
                            below[layer, fraction] += count("<", size, of_layer[fraction])


@compiled
def set_activity(shape: Shape, samples: int, on: np.ndarray, below: np.ndarray, record: LayerRecord) -> None:
    """Set `dead_unit_share` and `saturated_share` from the counts of `add_activity` over all samples."""
    for layer in range(shape.widths.size - 1):
        units, dead_count, first = shape.widths[layer + 1], 0, shape.rows[layer + 1]
        for row in range(first, first + units):
            dead_count += on[row] == 0
        record.dead_unit_share[layer] = dead_count / units
        for fraction in range(below.shape[1]):
            record.saturated_share[layer, fraction] = below[layer, fraction] / (samples * units)
    if shape.kind == _MULTICLASS:
        record.dead_unit_share[-1] = _ZERO
        record.saturated_share[-1, :] = np.nan


@in_order
def set_state(
    shape: Shape, limits: Limits, weights: np.ndarray, before: np.ndarray, gradient: np.ndarray, record: LayerRecord
) -> None:
    """Set the fields of `record` that follow from the weights, those before the epoch, and the probe's gradient."""
    for layer in range(shape.widths.size - 1):
        inputs, units, first = shape.widths[layer], shape.widths[layer + 1], shape.kernels[layer]
        stride = shape.rows[layer + 1] - shape.rows[layer]
        gradient_sum, weight_sum, change_sum, end = 0.0, 0.0, 0.0, first + units * stride
        of_gradient, of_weights, of_before = gradient[first:end], weights[first:end], before[first:end]
        for i in range(of_weights.size):  # padding adds 0
            gradient_sum += abs(of_gradient[i])
            weight_sum += abs(of_weights[i])
            change_sum += abs(of_weights[i] - of_before[i])
        record.probe_gradient_mean_abs[layer] = gradient_sum / (inputs * units)
        record.weight_l1[layer], record.weight_change_l1[layer] = weight_sum, change_sum
        add_counts(gradient, first, stride, inputs, units, limits.gradient_bins, record.gradient_histogram[layer])
        add_counts(weights, first, stride, inputs, units, limits.weight_bins, record.weight_histogram[layer])


@compiled
def add_counts(
    entries: np.ndarray, first: int, stride: int, inputs: int, units: int, bins: Bins, counts: np.ndarray
) -> None:
    """Count a kernel's entries in each bin. NaN is in no bin.

    Args:
        first: the position of the kernel's first entry; entry [unit, input] is at first + unit * stride + input.
    """
    if counts.size:
        counts[:] = 0
        for unit in range(units):
            for i in range(first + unit * stride, first + unit * stride + inputs):
                entry = entries[i]
                if entry == entry:  # not NaN
                    place = bins.lowest[np.float32(entry).view(np.uint32) >> _CELL_BITS]
                    while place < bins.edges.size and entry >= bins.edges[place]:
                        place += 1
                    counts[place] += 1


@compiled
def add_batch(shape: Shape, gradient: np.ndarray, record: LayerRecord) -> None:
    """Add the statistics of a batch's gradient to the sums that `average` turns into means."""
    for layer in range(shape.widths.size - 1):
        units, first = shape.widths[layer + 1], shape.kernels[layer]
        entries = gradient[first : first + units * (shape.rows[layer + 1] - shape.rows[layer])]
        total, squares, nonzero, size = _ZERO, _ZERO, 0.0, shape.widths[layer] * units
        for i in range(entries.size):  # padding is 0
            total += abs(entries[i])
            squares += entries[i] * entries[i]
            nonzero += 1.0 if entries[i] != _ZERO else 0.0
        record.gradient_mean_abs[layer] += total / np.float32(size)
        record.gradient_norm[layer] += np.sqrt(squares)
        record.gradient_zero_share[layer] += np.float32(size - nonzero) / np.float32(size)


@compiled
def average(batches: int, record: LayerRecord) -> None:
    """Turn an epoch's sums into means over its batches."""
    for layer in range(record.gradient_norm.size):
        record.gradient_mean_abs[layer] /= np.float32(batches)
        record.gradient_norm[layer] /= np.float32(batches)
        record.gradient_zero_share[layer] /= np.float32(batches)
