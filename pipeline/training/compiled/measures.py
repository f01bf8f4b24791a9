"""What is recorded of one replica: the same values as `training.measuring` and `probes` take of stacked ones.

The two are written apart and held against each other in the tests.
"""

from typing import NamedTuple

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import differentiate, expm1, sigmoid
from pipeline.training.compiled.passes import Shape, Signals, backward, forward, show

_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_ODD = tuple(np.float32(2 / n) for n in range(1, 16, 2))


class Limits(NamedTuple):
    """What the measurements compare with; float32 each.

    slopes: of the activation's |f'|, below which a unit counts as saturated, one for each fraction; row 0 those of the
        hidden layers, row 1 of the output's sigmoid. gradient_edges, weight_edges: between the histograms' bins.
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
def loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.float32, np.float32]:
    """Mean binary cross-entropy (nat), and the share that is classified right; a probability of exactly one half, or
    not a number, predicts label 0, as in Keras."""
    samples, loss, hits = logits.size, _ZERO, 0
    for s in range(samples):
        x = logits[s]
        tail = expm1(-abs(x)) + _ONE
        # log(1 + tail) = 2 artanh(u), whose series is exact to float32 for u up to a third.
        u = tail / (tail + _TWO)
        v = u * u
        o = _ODD
        series = o[0] + v * (o[1] + v * (o[2] + v * (o[3] + v * (o[4] + v * (o[5] + v * (o[6] + v * o[7]))))))
        positive = _ZERO if x <= _ZERO else x
        loss += positive - x * labels[s] + u * series
        hits += (sigmoid(x) > _HALF) == (labels[s] > _HALF)
    return loss / np.float32(samples), np.float32(hits) / np.float32(samples)


@compiled
def probe(
    shape: Shape,
    limits: Limits,
    weights: np.ndarray,
    room: Signals,
    gradient: np.ndarray,
    inputs: np.ndarray,
    labels: np.ndarray,
    record: LayerRecord,
) -> None:
    """Fill of `record` what is of a state: on the full training set, whose signals stay in `room`."""
    samples = labels.size
    show(room, inputs)
    forward(shape, weights, room, samples)
    backward(shape, weights, room, labels, gradient, samples)
    kernel = 0
    for layer in range(shape.sizes.size - 1):
        units = shape.sizes[layer + 1]
        end = kernel + shape.sizes[layer] * units
        record.probe_gradient_mean_abs[layer] = l1_norm(gradient[kernel:end]) / np.float32(end - kernel)
        record.weight_l1[layer] = l1_norm(weights[kernel:end])
        count(gradient[kernel:end], limits.gradient_edges, record.gradient_histogram[layer])
        count(weights[kernel:end], limits.weight_edges, record.weight_histogram[layer])
        activity(shape, limits, room, layer, samples, record)
        kernel = end + units


@compiled
def activity(shape: Shape, limits: Limits, room: Signals, layer: int, samples: int, record: LayerRecord) -> None:
    """How many units of the layer are dead, and how many (input, unit) pairs saturated; see `probes.activity`."""
    last = layer == shape.sizes.size - 2
    units, limit = shape.sizes[layer + 1], limits.slopes[1 if last else 0]
    slope, value = room.slope[:samples], room.error[0, 0, :samples]
    saturated, dead = record.saturated_share[layer], 0
    for fraction in range(limit.size):
        saturated[fraction] = _ZERO
    for unit in range(units):
        before = room.before[layer, unit, :samples]
        if last:
            for s in range(samples):
                value[s] = sigmoid(before[s])
                slope[s] = value[s] * (_ONE - value[s])
        else:
            value = room.after[layer + 1, unit, :samples]
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
