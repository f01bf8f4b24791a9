"""Find the class of each row, and compare the classes with `class_weight`."""

from collections.abc import Mapping

import keras
import numpy as np

from pipeline.data.split.tasks import MOST_CLASSES
from pipeline.foundations.untyped import Array, Batch
from pipeline.models.loss_names import CLASSES, DISTANCES, TWO_CLASSES, loss_of
from pipeline.recorder.row_samples import numeric_leaves


def classes_of(model: keras.Model, targets: Batch, kind: str) -> Array | None:
    """Return the class of each row; None if the targets are no classes, or not one class for each row.

    Args:
        kind: the kind of task, or `auto` to infer it from the loss and the targets.
    """
    leaves = numeric_leaves(targets)
    if len(leaves) != 1 or leaves[0].ndim > 2 or kind == "regression":
        return None
    values = leaves[0]
    if values.ndim == 2 and values.shape[1] > 1:
        is_one_hot = bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())
        return values.argmax(axis=1) if is_one_hot else None
    values = values.reshape(-1)
    if not (np.isfinite(values).all() and (values == np.round(values)).all()):
        return None
    loss, _ = loss_of(model)
    is_for_classes = kind != "auto" or loss in (*TWO_CLASSES, *CLASSES)
    distinct = np.unique(values)
    if is_for_classes or (len(distinct) <= MOST_CLASSES and loss not in DISTANCES) or set(distinct.tolist()) == {0, 1}:
        return values.astype(np.int64)
    return None


def class_weight_facts(targets: Batch, class_weight: Mapping[int, float] | None) -> dict[str, float]:
    """Return `class_weight_missing`, `class_weight_unknown` and `weighted_share`; empty without class weights."""
    leaves = numeric_leaves(targets)
    if class_weight is None or len(leaves) != 1:
        return {}
    values = leaves[0]
    if values.ndim > 1:  # as Keras reads them
        values = values.argmax(axis=-1) if values.shape[-1] != 1 else values[..., 0]
    classes, counts = np.unique(np.round(values).astype(np.int64), return_counts=True)
    is_missing = [each not in class_weight for each in classes.tolist()]
    unknown = [key for key in class_weight if key not in set(classes.tolist())]
    missing = counts[is_missing].sum() / counts.sum()
    facts = {"class_weight_missing": float(missing), "class_weight_unknown": float(len(unknown))}
    weights = counts * np.array([class_weight.get(each, 1.0) for each in classes.tolist()], float)
    if len(classes) > 1 and weights.min() >= 0 and weights.sum() > 0:
        facts["weighted_share"] = float(weights.min() / weights.sum() * len(classes))
    return facts
