"""Compute the output layer of each kind of task: predictions, gradient of the loss, loss and scores.

Blocks have the layout of `shapes`.
"""

import math

import numpy as np

from pipeline.training.compiled.compiling import compiled, inlined
from pipeline.training.compiled.elementwise import expm1, exponential, sigmoid
from pipeline.training.compiled.eligible import TASK_KINDS
from pipeline.training.compiled.lanes import LANES, Numbers, choose, load, store, zeros
from pipeline.training.compiled.shapes import TILE, Block, Shape, tile_count, tiles_of

_BINARY, _MULTICLASS = TASK_KINDS.index("binary"), TASK_KINDS.index("multiclass")
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_ARTANH_SERIES = tuple(np.float32(2 / n) for n in range(1, 16, 2))


@compiled
def predict(shape: Shape, block: Block, samples: int) -> None:
    """Set the output rows of `block.errors` to the predictions for the pre-activations in `block.signals`."""
    signals, errors, size = block.signals, block.errors, shape.widths[-1] * TILE
    for tile in tiles_of(block, samples):
        first = tile + shape.rows[-2] * TILE
        if shape.kind == _BINARY:
            for place in range(first, first + size, LANES):
                store(errors, place, sigmoid(load(signals, place)))
        elif shape.kind == _MULTICLASS:
            for start in range(first, first + TILE, LANES):
                set_softmax(signals, start, start + size, errors)
        else:
            for place in range(first, first + size, LANES):
                store(errors, place, load(signals, place))


@inlined
def set_softmax(before: np.ndarray, start: int, end: int, after: np.ndarray) -> None:
    """Set `after` to the softmax of LANES samples, whose pre-activations are between `start` and `end` of `before`."""
    greatest, total = greatest_of(before, start, end), zeros()
    for place in range(start, end, TILE):
        power = exponential(load(before, place) - greatest)
        total = total + power
        store(after, place, power)
    for place in range(start, end, TILE):
        store(after, place, load(after, place) / total)


@inlined
def greatest_of(before: np.ndarray, start: int, end: int) -> Numbers:
    """Return the greatest pre-activation of each of LANES samples; see `set_softmax`."""
    greatest = load(before, start)
    for place in range(start + TILE, end, TILE):
        greatest = choose("<=", load(before, place), greatest, greatest, load(before, place))
    return greatest


@compiled
def output_error(shape: Shape, block: Block, samples: int, all_samples: int) -> None:
    """Set the output rows of `block.errors` to the gradient of the mean loss over `all_samples` samples."""
    share, errors, targets = _ONE / np.float32(all_samples), block.errors, block.targets
    if shape.kind not in (_BINARY, _MULTICLASS):  # the mean of squares, over outputs too
        share = _ONE / (np.float32(all_samples * shape.widths[-1]) / _TWO)
    predict(shape, block, samples)
    for tile in tiles_of(block, samples):
        first, ones = tile + shape.rows[-2] * TILE, tile + shape.rows[-1] * TILE
        for row in range(first, first + shape.widths[-1] * TILE, TILE):
            for lane in range(0, TILE, LANES):
                error = (load(errors, row + lane) - load(targets, row + lane)) * share
                store(errors, row + lane, choose(">", load(errors, ones + lane), _ZERO, error, _ZERO))


@compiled
def add_scores(shape: Shape, block: Block, samples: int, sums: np.ndarray) -> None:
    """Add a block to the sums from which `set_curves` computes loss and scores.

    Args:
        sums: float64 [3, output or class]. Row 0 has the total loss, or the squared errors of each output. Row 1 has
            the samples of each class, and row 2 those of them that are predicted right.
    """
    outputs = shape.widths[-1]
    for tile in range(tile_count(samples)):
        first, count = tile * block.tile_size + shape.rows[-2] * TILE, min(TILE, samples - tile * TILE)
        before, targets = block.signals[first:], block.targets[first:]
        if shape.kind == _BINARY:
            add_binary(before, targets, count, sums)
        elif shape.kind == _MULTICLASS:
            add_multiclass(before, targets, count, outputs, block.buffer, sums)
        else:
            for k in range(outputs):
                for s in range(k * TILE, k * TILE + count):
                    sums[0, k] += (targets[s] - before[s]) ** 2


@compiled
def add_binary(logits: np.ndarray, labels: np.ndarray, samples: int, sums: np.ndarray) -> None:
    """Add the binary cross-entropy (nat) and hits of a tile; see `add_scores`.

    A probability of exactly one half, or NaN, predicts label 0, as in Keras.
    """
    loss, positives, right_positives, right = _ZERO, _ZERO, _ZERO, _ZERO
    for s in range(samples):
        x = logits[s]
        tail = expm1(-abs(x)) + _ONE
        # log(1 + e^-|x|) = 2 artanh(u), whose series is exact to float32 for u up to 1/3.
        u = tail / (tail + _TWO)
        v = u * u
        o = _ARTANH_SERIES
        series = o[0] + v * (o[1] + v * (o[2] + v * (o[3] + v * (o[4] + v * (o[5] + v * (o[6] + v * o[7]))))))
        loss += (_ZERO if x <= _ZERO else x) - x * labels[s] + u * series
        label = _ONE if labels[s] > _HALF else _ZERO
        predicted = _ONE if sigmoid(x) > _HALF else _ZERO
        positives += label
        right_positives += label * predicted
        right += _ONE if label == predicted else _ZERO
    sums[0, 0] += loss
    sums[1, 0] += samples - positives
    sums[1, 1] += positives
    sums[2, 0] += right - right_positives
    sums[2, 1] += right_positives


@compiled
def add_multiclass(
    before: np.ndarray, targets: np.ndarray, samples: int, outputs: int, buffer: np.ndarray, sums: np.ndarray
) -> None:
    """Add the categorical cross-entropy (nat) and hits of a tile; see `add_scores`.

    The first of several greatest pre-activations is predicted.

    Args:
        buffer: at least 4 TILE numbers, overwritten.
    """
    greatest, total, at_label, label = buffer[:TILE], buffer[TILE:], buffer[2 * TILE :], buffer[3 * TILE :]
    for lane in range(0, TILE, LANES):
        most, sum_of_powers, own, own_label = greatest_of(before, lane, outputs * TILE), zeros(), zeros(), zeros()
        number = _ZERO
        for place in range(lane, outputs * TILE, TILE):
            target, x = load(targets, place), load(before, place)
            sum_of_powers = sum_of_powers + exponential(x - most)
            own = choose(">", target, _HALF, x, own)
            own_label = choose(">", target, _HALF, number, own_label)
            number += _ONE
        store(greatest, lane, most)
        store(total, lane, sum_of_powers)
        store(at_label, lane, own)
        store(label, lane, own_label)
    product = 1.0  # of at most outputs^TILE
    for s in range(samples):
        product *= total[s]
        sums[0, 0] += greatest[s] - at_label[s]
        own, predicted = int(label[s]), 0
        while predicted < outputs - 1 and before[predicted * TILE + s] != greatest[s]:
            predicted += 1
        sums[1, own] += 1
        sums[2, own] += predicted == own
    sums[0, 0] += math.log(product)  # the sum of the logarithms


@compiled
def set_curves(shape: Shape, sums: np.ndarray, samples: int, squares: np.ndarray, curves: np.ndarray) -> None:
    """Set curves [1 + scores] to the mean loss and the scores (see `Task.scores`).

    If only some classes occur, the balanced accuracy is that of these classes.

    Args:
        sums: see `add_scores`.
        squares: squared deviations from the mean target, summed over the samples, [output].
    """
    outputs, loss, score, count = shape.widths[-1], 0.0, 0.0, 0
    for k in range(sums.shape[1]):
        loss += sums[0, k]
    if shape.kind not in (_BINARY, _MULTICLASS):
        for k in range(outputs):
            score += 1 - sums[0, k] / squares[k]
        curves[0], curves[1] = loss / (samples * outputs), score / outputs
        return
    right = 0.0
    for k in range(sums.shape[1]):
        if sums[1, k]:
            right, score, count = right + sums[2, k], score + sums[2, k] / sums[1, k], count + 1
    curves[0], curves[1], curves[2] = loss / samples, right / samples, score / count
