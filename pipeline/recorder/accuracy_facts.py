"""Compare the user's metrics of accuracy with the accuracy of the record, on the same rows.

An intersection over union (IoU) of predicted labels is compared with its value for labels instead of probabilities.
"""

from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Batch

ACCURACIES: Final = (
    keras.metrics.Accuracy,
    keras.metrics.BinaryAccuracy,
    keras.metrics.CategoricalAccuracy,
    keras.metrics.SparseCategoricalAccuracy,
)


def accuracy_metrics(model: keras.Model) -> list[keras.metrics.Metric]:
    """Return the compiled metrics that are accuracies of Keras, also those that `metrics=["accuracy"]` makes."""
    return [metric for metric in _compiled(model) if isinstance(metric, ACCURACIES)]


def overlap_metrics(model: keras.Model) -> list[keras.metrics.IoU]:
    """Return the compiled metrics that take predicted labels, and cut probabilities to whole numbers."""
    kinds = (keras.metrics.IoU, keras.metrics.MeanIoU)
    return [metric for metric in _compiled(model) if type(metric) in kinds and metric.sparse_y_pred]


def _compiled(model: keras.Model) -> list[keras.metrics.Metric]:
    return [each for metric in model.metrics for each in getattr(metric, "metrics", None) or [metric]]


def overlap_gap(metric: keras.metrics.IoU, targets: Batch, outputs: Batch) -> float:
    """Return |value of the metric for the outputs - value for the labels that they predict|; 0 if they are labels."""
    (target,), (output,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    values = np.asarray(output)
    if values.size != np.size(target) or np.array_equal(values, np.round(values)):
        return 0.0  # labels; or probabilities of several classes, which this metric rejects by itself
    return abs(_value(metric, target, values) - _value(metric, target, (values > 0.5).astype(int)))


def _value(metric: keras.metrics.Metric, target: Batch, output: Batch) -> float:
    """Return the value of a copy of the metric, so that the model's own metric does not change."""
    copy = type(metric).from_config(metric.get_config())
    copy.update_state(target, output)
    return float(np.asarray(copy.result()))


def accuracy_gap(metric: keras.metrics.Metric, targets: Batch, outputs: Batch, accuracy: float) -> float:
    """Return |value of the metric on the rows - accuracy of the record|."""
    (target,), (output,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    return abs(_value(metric, target, output) - accuracy)
