"""Compute the output layer of each kind of task: predictions, gradient of the loss, loss and scores.

Arrays have the layouts of `passes`; targets are [output, sample].
"""

import math

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import expm1, exponential, sigmoid
from pipeline.training.compiled.eligible import TASK_KINDS
from pipeline.training.compiled.shapes import Buffers, Shape

_BINARY, _MULTICLASS = TASK_KINDS.index("binary"), TASK_KINDS.index("multiclass")
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_ARTANH_SERIES = tuple(np.float32(2 / n) for n in range(1, 16, 2))


@compiled
def predict(shape: Shape, buffer: Buffers, samples: int) -> None:
    """Set `buffer.after[-1]` to the predictions for the output's pre-activations; overwrites `buffer.error[1]`."""
    layer_count = shape.widths.size - 1
    outputs, before, after = shape.widths[layer_count], buffer.before[layer_count - 1], buffer.after[layer_count]
    if shape.kind == _BINARY:
        for s in range(samples):
            after[0, s] = sigmoid(before[0, s])
    elif shape.kind == _MULTICLASS:
        greatest, total = buffer.slope, buffer.error[1, 0]
        for s in range(samples):
            greatest[s], total[s] = before[0, s], _ZERO
        for k in range(1, outputs):
            for s in range(samples):
                greatest[s] = max(greatest[s], before[k, s])
        for k in range(outputs):
            for s in range(samples):
                after[k, s] = exponential(before[k, s] - greatest[s])
                total[s] += after[k, s]
        for k in range(outputs):
            for s in range(samples):
                after[k, s] /= total[s]
    else:
        for k in range(outputs):
            for s in range(samples):
                after[k, s] = before[k, s]


@compiled
def output_error(shape: Shape, buffer: Buffers, targets: np.ndarray, samples: int) -> None:
    """Set `buffer.error[0]` to the gradient of the mean loss with respect to the output's pre-activations."""
    layer_count = shape.widths.size - 1
    outputs, before, error = shape.widths[layer_count], buffer.before[layer_count - 1], buffer.error[0]
    if shape.kind == _BINARY:
        for s in range(samples):
            error[0, s] = (sigmoid(before[0, s]) - targets[0, s]) / np.float32(samples)
        return
    predict(shape, buffer, samples)
    divisor = np.float32(samples) if shape.kind == _MULTICLASS else np.float32(samples * outputs) / _TWO
    for k in range(outputs):
        for s in range(samples):
            error[k, s] = (buffer.after[layer_count, k, s] - targets[k, s]) / divisor


@compiled
def loss_and_scores(
    shape: Shape, buffer: Buffers, targets: np.ndarray, first: int, samples: int, curves: np.ndarray
) -> None:
    """Set curves [1 + scores] to the mean loss and the scores (see `Task.scores`) of the last forward pass.

    Args:
        targets: the targets of all parts, [output, sample].
        first: the position in `targets` of the first sample of the pass.
    """
    layer_count = shape.widths.size - 1
    outputs, before = shape.widths[layer_count], buffer.before[layer_count - 1]
    if shape.kind == _BINARY:
        labels = targets[0, first : first + samples]
        curves[0], curves[1] = loss_and_accuracy(before[0, :samples], labels)
        curves[2] = balanced_accuracy(before[0, :samples], labels)
    elif shape.kind == _MULTICLASS:
        loss, hits = 0.0, 0
        class_samples, class_hits = np.zeros(outputs, np.int64), np.zeros(outputs, np.int64)
        for s in range(samples):
            label, predicted, greatest, total = 0, 0, before[0, s], 0.0
            for k in range(outputs):
                if targets[k, first + s] > _HALF:
                    label = k
                if before[k, s] > greatest:
                    predicted, greatest = k, before[k, s]
            for k in range(outputs):
                total += exponential(before[k, s] - greatest)
            loss += math.log(total) + greatest - before[label, s]
            hits += predicted == label
            class_samples[label] += 1
            class_hits[label] += predicted == label
        recall_sum, class_count = 0.0, 0
        for k in range(outputs):
            if class_samples[k]:
                recall_sum += class_hits[k] / class_samples[k]
                class_count += 1
        curves[0], curves[1], curves[2] = loss / samples, hits / samples, recall_sum / class_count
    else:
        squares, r2_sum = 0.0, 0.0
        for k in range(outputs):
            mean, residual, total = 0.0, 0.0, 0.0
            for s in range(samples):
                mean += targets[k, first + s]
            mean /= samples
            for s in range(samples):
                residual += (targets[k, first + s] - before[k, s]) ** 2
                total += (targets[k, first + s] - mean) ** 2
            squares += residual
            r2_sum += 1 - residual / total
        curves[0], curves[1] = squares / (samples * outputs), r2_sum / outputs


@compiled
def loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.float32, np.float32]:
    """Return the mean binary cross-entropy (nat) and the accuracy.

    A probability of exactly one half, or NaN, predicts label 0, as in Keras.
    """
    samples, loss, hits = logits.size, _ZERO, 0
    for s in range(samples):
        x = logits[s]
        tail = expm1(-abs(x)) + _ONE
        # log(1 + e^-|x|) = 2 artanh(u), whose series is exact to float32 for u up to 1/3.
        u = tail / (tail + _TWO)
        v = u * u
        o = _ARTANH_SERIES
        series = o[0] + v * (o[1] + v * (o[2] + v * (o[3] + v * (o[4] + v * (o[5] + v * (o[6] + v * o[7]))))))
        positive = _ZERO if x <= _ZERO else x
        loss += positive - x * labels[s] + u * series
        hits += (sigmoid(x) > _HALF) == (labels[s] > _HALF)
    return loss / np.float32(samples), np.float32(hits) / np.float32(samples)


@compiled
def balanced_accuracy(logits: np.ndarray, labels: np.ndarray) -> np.float32:
    """Return the balanced accuracy of two classes; if only one class occurs, the accuracy."""
    samples, positives, true_positives, true_negatives = logits.size, 0, 0, 0
    for s in range(samples):
        predicted, label = sigmoid(logits[s]) > _HALF, labels[s] > _HALF
        positives += label
        true_positives += predicted and label
        true_negatives += not predicted and not label
    negatives = samples - positives
    if positives == 0:
        return np.float32(true_negatives) / np.float32(samples)
    if negatives == 0:
        return np.float32(true_positives) / np.float32(samples)
    return _HALF * (
        np.float32(true_positives) / np.float32(positives) + np.float32(true_negatives) / np.float32(negatives)
    )
