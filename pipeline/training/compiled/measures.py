"""Compute the layer values of one replica, as `history.record` defines them above LAYER_VALUES.

`stacked.quantities` computes the same values for stacked replicas, independently; the tests compare the two.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import differentiate, sigmoid
from pipeline.training.compiled.eligible import TASK_KINDS
from pipeline.training.compiled.passes import backward, forward, load_inputs
from pipeline.training.compiled.shapes import Buffers, Shape

_ZERO, _ONE = np.float32(0), np.float32(1)
_BINARY, _MULTICLASS = TASK_KINDS.index("binary"), TASK_KINDS.index("multiclass")


class Limits(NamedTuple):
    """The thresholds of the measurements and the edges of the histograms' bins, float32.

    slopes: |f'| below which a unit is saturated, [2, fraction]: row 0 for hidden layers, row 1 for the output layer.
    gradient_edges, weight_edges: the edges between the histograms' bins.
    """

    slopes: np.ndarray
    gradient_edges: np.ndarray
    weight_edges: np.ndarray


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


@compiled
def probe(
    shape: Shape,
    limits: Limits,
    weights: np.ndarray,
    buffer: Buffers,
    gradient: np.ndarray,
    inputs: np.ndarray,
    targets: np.ndarray,
    samples: int,
    record: LayerRecord,
) -> None:
    """Set the fields of `record` that describe a state, by a forward and a backward pass over the training set.

    The training set is the first `samples` of inputs [input, sample] and targets [output, sample]. Afterwards `buffer`
    holds its pre-activations.
    """
    load_inputs(buffer, inputs, 0, samples)
    forward(shape, weights, buffer, samples)
    backward(shape, weights, buffer, targets, gradient, samples)
    kernel = 0
    for layer in range(shape.widths.size - 1):
        units = shape.widths[layer + 1]
        end = kernel + shape.widths[layer] * units
        record.probe_gradient_mean_abs[layer] = l1_norm(gradient[kernel:end]) / np.float32(end - kernel)
        record.weight_l1[layer] = l1_norm(weights[kernel:end])
        count(gradient[kernel:end], limits.gradient_edges, record.gradient_histogram[layer])
        count(weights[kernel:end], limits.weight_edges, record.weight_histogram[layer])
        measure_activity(shape, limits, buffer, layer, samples, record)
        kernel = end + units


@compiled
def measure_activity(
    shape: Shape, limits: Limits, buffer: Buffers, layer: int, samples: int, record: LayerRecord
) -> None:
    """Set `dead_unit_share` and `saturated_share` of a layer."""
    is_last = layer == shape.widths.size - 2
    if is_last and shape.kind == _MULTICLASS:  # a unit of a softmax has no slope of its own
        record.saturated_share[layer, :] = np.nan
        record.dead_unit_share[layer] = _ZERO
        return
    units, limit = shape.widths[layer + 1], limits.slopes[1 if is_last else 0]
    slope, value = buffer.slope[:samples], buffer.error[0, 0, :samples]
    saturated, dead_count = record.saturated_share[layer], 0
    saturated[:] = _ZERO
    for unit in range(units):
        before = buffer.before[layer, unit, :samples]
        if is_last and shape.kind == _BINARY:
            for s in range(samples):
                value[s] = sigmoid(before[s])
                slope[s] = value[s] * (_ONE - value[s])
        elif is_last:
            for s in range(samples):
                value[s], slope[s] = before[s], _ONE
        else:
            value = buffer.after[layer + 1, unit, :samples]
            differentiate(shape.activation, before, value, slope)
        off_count = 0
        for s in range(samples):
            off_count += value[s] == _ZERO and slope[s] == _ZERO
        dead_count += off_count == samples
        for fraction in range(limit.size):
            below_count = 0
            for s in range(samples):
                below_count += abs(slope[s]) < limit[fraction] and not (value[s] == _ZERO and slope[s] == _ZERO)
            saturated[fraction] += np.float32(below_count)
    saturated /= np.float32(samples * units)
    record.dead_unit_share[layer] = np.float32(dead_count) / np.float32(units)


@compiled
def count(entries: np.ndarray, edges: np.ndarray, bins: np.ndarray) -> None:
    """Count the entries in each bin: bin b holds edges[b - 1] <= x < edges[b]. NaN is in no bin."""
    if bins.size:
        bins[:] = 0
        for e in range(entries.size):
            entry = entries[e]
            if entry == entry:  # not NaN
                low, high = 0, edges.size
                while low < high:
                    middle = (low + high) // 2
                    if entry < edges[middle]:
                        high = middle
                    else:
                        low = middle + 1
                bins[low] += 1


@compiled
def l1_norm(entries: np.ndarray) -> np.float32:
    """Return the sum of |x|."""
    total = _ZERO
    for e in range(entries.size):
        total += abs(entries[e])
    return total


@compiled
def add_batch(shape: Shape, gradient: np.ndarray, record: LayerRecord) -> None:
    """Add the statistics of a batch's gradient to the sums that `average` turns into means."""
    kernel = 0
    for layer in range(shape.widths.size - 1):
        size = shape.widths[layer] * shape.widths[layer + 1]
        entries = gradient[kernel : kernel + size]
        total, squares, zeros = _ZERO, _ZERO, 0
        for e in range(size):
            total += abs(entries[e])
            squares += entries[e] * entries[e]
            zeros += entries[e] == _ZERO
        record.gradient_mean_abs[layer] += total / np.float32(size)
        record.gradient_norm[layer] += np.sqrt(squares)
        record.gradient_zero_share[layer] += np.float32(zeros) / np.float32(size)
        kernel += size + shape.widths[layer + 1]


@compiled
def average(shape: Shape, batches: int, change: np.ndarray, record: LayerRecord) -> None:
    """Turn an epoch's sums into means over its batches, and set the L1 norms of the kernels' changes.

    Args:
        change: the change of the weights over the epoch, [entry].
    """
    kernel = 0
    for layer in range(shape.widths.size - 1):
        size = shape.widths[layer] * shape.widths[layer + 1]
        record.gradient_mean_abs[layer] /= np.float32(batches)
        record.gradient_norm[layer] /= np.float32(batches)
        record.gradient_zero_share[layer] /= np.float32(batches)
        record.weight_change_l1[layer] = l1_norm(change[kernel : kernel + size])
        kernel += size + shape.widths[layer + 1]
