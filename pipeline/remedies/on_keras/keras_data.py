"""Remedies for any Keras model that change its data: scales, rows with NaN, and weights of classes."""

from collections.abc import Iterator

import keras
import numpy as np

from pipeline.recorder.layers import every_layer
from pipeline.remedies.on_keras.trial import Arrays, InapplicableError, Part, Trial


def scaled_inputs(trial: Trial) -> Iterator[str]:
    """Scale inputs to mean 0 and standard deviation 1 over the training rows."""
    inputs, _ = trial.data
    if any(isinstance(layer, keras.layers.Embedding) for layer in every_layer(trial.model)):
        raise InapplicableError("its inputs are ids, which an embedding looks up")
    scales = [_mean_and_spread(np.asarray(leaf)) for leaf in keras.tree.flatten(inputs)]

    def scaled(values: Arrays) -> Arrays:
        leaves = zip(keras.tree.flatten(values), scales, strict=True)
        return keras.tree.pack_sequence_as(values, [_standardised(leaf, *scale) for leaf, scale in leaves])

    yield "a first layer `keras.layers.Normalization()`; call its `adapt(x_train)` before `fit`"
    trial.parts = {name: (scaled(x), y) for name, (x, y) in trial.parts.items()}


def scaled_targets(trial: Trial) -> Iterator[str]:
    """Scale targets to mean 0 and standard deviation 1 over the training rows."""
    _, targets = trial.data
    values = one_array(targets)
    if class_labels(values) is not None:
        raise InapplicableError("its targets are classes")
    mean, spread = _mean_and_spread(values)

    def scaled(targets: Arrays | None) -> Arrays | None:
        return None if targets is None else _standardised(targets, mean, spread).reshape(np.asarray(targets).shape)

    yield "(targets - mean) / standard deviation as targets; scale predictions back"
    trial.parts = {name: (x, scaled(y)) for name, (x, y) in trial.parts.items()}


def finite_rows(trial: Trial) -> Iterator[str]:
    """Drop rows with a NaN or infinite input or target."""
    inputs, targets = trial.data
    if trial.arguments.get("sample_weight") is not None:
        raise InapplicableError("its rows have weights")
    if all(np.isfinite(np.asarray(leaf, np.float64)).all() for leaf in keras.tree.flatten((inputs, targets))):
        raise InapplicableError("all its numbers are finite")

    def finite(part: Part) -> Part:
        leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(part)]
        is_finite = [np.isfinite(leaf.astype(np.float64)).reshape(len(leaf), -1).all(axis=1) for leaf in leaves]
        kept = np.logical_and.reduce(is_finite)
        return keras.tree.pack_sequence_as(part, [leaf[kept] for leaf in leaves])

    yield "rows with a NaN or infinite number dropped: `kept = numpy.isfinite(x).all(axis=1)`"
    trial.parts = {name: finite(part) for name, part in trial.parts.items()}


def class_weights(trial: Trial) -> Iterator[str]:
    """Weight each class in inverse proportion to its rows."""
    _, targets = trial.data
    labels = class_labels(one_array(targets))
    if labels is None:
        raise InapplicableError("its targets are not classes")
    if trial.arguments.get("class_weight") is not None:
        raise InapplicableError("its classes are weighted already")
    classes, counts = np.unique(labels, return_counts=True)
    weights = {
        int(label): len(labels) / (len(classes) * int(count)) for label, count in zip(classes, counts, strict=True)
    }
    rounded = {label: round(weight, 3) for label, weight in weights.items()}
    yield f"`class_weight={rounded}` in `fit`"
    trial.arguments["class_weight"] = weights


def one_array(targets: Arrays | None) -> np.ndarray:
    """Return the only array of the targets.

    Raises:
        InapplicableError: there is not exactly one.
    """
    leaves = keras.tree.flatten(targets)
    if len(leaves) != 1 or leaves[0] is None:
        raise InapplicableError("its targets are not one array")
    return np.asarray(leaves[0])


def class_labels(targets: np.ndarray) -> np.ndarray | None:
    """Return the class of each row, int [row]; None if the targets are neither labels nor one-hot rows."""
    if targets.ndim == 2 and targets.shape[1] > 1:
        is_one_hot = set(np.unique(targets).tolist()) <= {0, 1} and (targets.sum(axis=1) == 1).all()
        return targets.argmax(axis=1) if is_one_hot else None
    flat = targets.reshape(-1)
    if not np.issubdtype(flat.dtype, np.number) and flat.dtype != bool:
        return None
    values = np.unique(flat)
    count_up_from_0 = values[0] == 0 and np.array_equal(values, np.arange(len(values)))
    are_few = len(values) <= max(2, len(flat) // 5)
    return flat.astype(np.int64) if count_up_from_0 and are_few else None


def _mean_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the finite values, by the last dimension.

    The standard deviation of a constant column is replaced by 1.
    """
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    mean, spread = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
    return mean, np.where(spread > 0, spread, 1.0)


def _standardised(values: Arrays, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return ((np.asarray(values, np.float64) - mean) / spread).astype(np.float32)
