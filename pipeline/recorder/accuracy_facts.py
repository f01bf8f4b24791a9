"""Compare the accuracy that the user's metrics show with the accuracy of the record, on the same rows."""

from collections.abc import Iterator
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
    """Return the compiled metrics that are Keras's accuracy, also those that `metrics=["accuracy"]` made."""
    return [metric for metric in _compiled(model) if isinstance(metric, ACCURACIES)]


def accuracy_gap(metric: keras.metrics.Metric, targets: Batch, outputs: Batch, accuracy: float) -> float:
    """Return |what a copy of the metric shows for the rows - the accuracy of the record|.

    The model's own metric does not change.
    """
    copy = type(metric).from_config(metric.get_config())
    (target,), (output,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    copy.update_state(target, output)
    return abs(float(np.asarray(copy.result())) - accuracy)


def _compiled(model: keras.Model) -> Iterator[keras.metrics.Metric]:
    for metric in model.metrics:
        yield from getattr(metric, "metrics", None) or [metric]
