"""Compare the user's metrics of accuracy with the accuracy of the record, on the same rows."""

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
    compiled = [each for metric in model.metrics for each in getattr(metric, "metrics", None) or [metric]]
    return [metric for metric in compiled if isinstance(metric, ACCURACIES)]


def accuracy_gap(metric: keras.metrics.Metric, targets: Batch, outputs: Batch, accuracy: float) -> float:
    """Return |value of a copy of the metric on the rows - accuracy of the record|.

    The model's own metric does not change.
    """
    copy = type(metric).from_config(metric.get_config())
    (target,), (output,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    copy.update_state(target, output)
    return abs(float(np.asarray(copy.result())) - accuracy)
