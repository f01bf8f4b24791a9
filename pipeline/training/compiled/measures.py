"""What is recorded of one replica: the same values as `stacked.measuring` and `probes` take of stacked ones.

The two are written apart, and the tests compare them.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import differentiate, sigmoid
from pipeline.training.compiled.eligible import KINDS
from pipeline.training.compiled.passes import backward, forward, show
from pipeline.training.compiled.shapes import Buffers, Shape

_ZERO, _ONE = np.float32(0), np.float32(1)
_BINARY, _MULTICLASS, _REGRESSION = range(len(KINDS))


class Limits(NamedTuple):
    """What the measurements compare with; float32 each.

    slopes: of the activation's |f'|, below which a unit counts as saturated, one for each fraction; row 0 those of the
        hidden layers, row 1 of the output layer. gradient_edges, weight_edges: between the histograms' bins.
    """

    slopes: np.ndarray
    gradient_edges: np.ndarray
    weight_edges: np.ndarray


class LayerRecord(NamedTuple):
    """One recorded epoch by layer; float32 [layer] each but where it is said.

    saturated_share: [layer, fraction]. The histograms: int32 [layer, bin], of no bins where none are wanted.
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
    """Fill those fields of `record` that describe a state, from a pass over the training set: the first `samples` of
    inputs [input, sample] and targets [output, sample]. Its pre-activations stay in `buffer`."""
    show(buffer, inputs, 0, samples)
    forward(shape, weights, buffer, samples)
    backward(shape, weights, buffer, targets, gradient, samples)
    kernel = 0
    for layer in range(shape.sizes.size - 1):
        units = shape.sizes[layer + 1]
        end = kernel + shape.sizes[layer] * units
        record.probe_gradient_mean_abs[layer] = l1_norm(gradient[kernel:end]) / np.float32(end - kernel)
        record.weight_l1[layer] = l1_norm(weights[kernel:end])
        count(gradient[kernel:end], limits.gradient_edges, record.gradient_histogram[layer])
        count(weights[kernel:end], limits.weight_edges, record.weight_histogram[layer])
        activity(shape, limits, buffer, layer, samples, record)
        kernel = end + units


@compiled
def activity(shape: Shape, limits: Limits, buffer: Buffers, layer: int, samples: int, record: LayerRecord) -> None:
    """How many units of the layer are dead, and how many (input, unit) pairs saturated; see `probes.activity`."""
    last = layer == shape.sizes.size - 2
    if last and shape.kind == _MULTICLASS:  # a unit has no slope of its own
        record.saturated_share[layer, :] = np.nan
        record.dead_unit_share[layer] = _ZERO
        return
    units, limit = shape.sizes[layer + 1], limits.slopes[1 if last else 0]
    slope, value = buffer.slope[:samples], buffer.error[0, 0, :samples]
    saturated, dead = record.saturated_share[layer], 0
    for fraction in range(limit.size):
        saturated[fraction] = _ZERO
    for unit in range(units):
        before = buffer.before[layer, unit, :samples]
        if last and shape.kind == _BINARY:
            for s in range(samples):
                value[s] = sigmoid(before[s])
                slope[s] = value[s] * (_ONE - value[s])
        elif last:
            for s in range(samples):
                value[s], slope[s] = before[s], _ONE
        else:
            value = buffer.after[layer + 1, unit, :samples]
            differentiate(shape.activation, before, value, slope)
        off = 0
        for s in range(samples):
            off += value[s] == _ZERO and slope[s] == _ZERO
        dead += off == samples
        for fraction in range(limit.size):
            below = 0
            for s in range(samples):
                below += abs(slope[s]) < limit[fraction] and not (value[s] == _ZERO and slope[s] == _ZERO)
            saturated[fraction] += np.float32(below)
    for fraction in range(limit.size):
        saturated[fraction] /= np.float32(samples * units)
    record.dead_unit_share[layer] = np.float32(dead) / np.float32(units)


@compiled
def count(entries: np.ndarray, edges: np.ndarray, bins: np.ndarray) -> None:
    """Entries in each bin, as `probes.histograms` counts them; what is not a number is in none."""
    if bins.size:
        for b in range(bins.size):
            bins[b] = 0
        for e in range(entries.size):
            entry = entries[e]
            if entry == entry:
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
    """Sum of |x|."""
    total = _ZERO
    for e in range(entries.size):
        total += abs(entries[e])
    return total


@compiled
def add_batch(shape: Shape, gradient: np.ndarray, record: LayerRecord) -> None:
    """Add a batch's gradient to the sums that `average` turns into means."""
    kernel = 0
    for layer in range(shape.sizes.size - 1):
        size = shape.sizes[layer] * shape.sizes[layer + 1]
        entries = gradient[kernel : kernel + size]
        total, squares, zeros = _ZERO, _ZERO, 0
        for e in range(size):
            total += abs(entries[e])
            squares += entries[e] * entries[e]
            zeros += entries[e] == _ZERO
        record.gradient_mean_abs[layer] += total / np.float32(size)
        record.gradient_norm[layer] += np.sqrt(squares)
        record.gradient_zero_share[layer] += np.float32(zeros) / np.float32(size)
        kernel += size + shape.sizes[layer + 1]


@compiled
def average(shape: Shape, batches: int, change: np.ndarray, record: LayerRecord) -> None:
    """End an epoch: means over its batches, and how far each kernel went; change[entry]."""
    kernel = 0
    for layer in range(shape.sizes.size - 1):
        size = shape.sizes[layer] * shape.sizes[layer + 1]
        record.gradient_mean_abs[layer] /= np.float32(batches)
        record.gradient_norm[layer] /= np.float32(batches)
        record.gradient_zero_share[layer] /= np.float32(batches)
        record.weight_change_l1[layer] = l1_norm(change[kernel : kernel + size])
        kernel += size + shape.sizes[layer + 1]
