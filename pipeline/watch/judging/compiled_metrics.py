"""Read what a user compiled: the loss and the metrics of each output."""

from collections.abc import Sequence
from typing import Final

import keras

from pipeline.foundations.untyped import Batch

# Metrics of the ranking of rows; the loss leaves the threshold between two classes to the user.
RANKING: Final = (
    keras.metrics.AUC,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
)
TOP: Final = (keras.metrics.TopKCategoricalAccuracy, keras.metrics.SparseTopKCategoricalAccuracy)


def output_names(model: keras.Model, outputs: Batch) -> list[str]:
    """Return a name for each of the flat outputs."""
    if isinstance(outputs, dict):
        return ["/".join(map(str, path)) for path, _ in keras.tree.flatten_with_path(outputs)]
    names = getattr(model, "output_names", None) or []
    count = len(keras.tree.flatten(outputs))
    return list(names) if len(names) == count else [f"output {place}" for place in range(1, count + 1)]


def losses_of(model: keras.Model, outputs: Batch) -> list[keras.losses.Loss | None]:
    """Return the loss of each of the flat outputs, None for an output without one; empty if they are unknown.

    Keras knows them after its first step.
    """
    compiled = getattr(model, "_compile_loss", None)
    built = getattr(compiled, "_flat_losses", None)
    structure = getattr(compiled, "_y_pred_build_structure", None)
    if not built:
        return []
    by_path = {tuple(each.path): each.loss for each in built}
    if not keras.tree.is_nested(outputs):
        return list(by_path.values()) if len(by_path) == 1 else []
    if isinstance(structure, dict) and not isinstance(outputs, dict):  # Keras orders the outputs by their names
        return [by_path.get((name,)) for name in output_names(model, outputs)]
    return [by_path.get(tuple(path)) for path, _ in keras.tree.flatten_with_path(outputs)]


def metrics_of(model: keras.Model, place: int) -> list[keras.metrics.Metric]:
    """Return the compiled metrics of one of the flat outputs; empty before Keras's first step."""
    compiled = getattr(model, "_compile_metrics", None)
    metrics: list[keras.metrics.Metric] = []
    for name in ("_flat_metrics", "_flat_weighted_metrics"):
        by_output: Sequence[keras.metrics.Metric | None] = getattr(compiled, name, None) or []
        if place < len(by_output):
            metrics += getattr(by_output[place], "metrics", None) or []
    return [each for each in metrics if each is not None]


def is_of_ranking(metric: keras.metrics.Metric) -> bool:
    """Return whether the metric scores how rows are ranked, such as AUC."""
    return isinstance(metric, RANKING) or "auc" in metric.name.lower().split("_")


def is_accuracy(metric: keras.metrics.Metric) -> bool:
    """Return whether the metric is a share of rows that are classified correctly."""
    return "accuracy" in type(metric).__name__.lower() or metric.name.lower() in ("acc", "accuracy")
