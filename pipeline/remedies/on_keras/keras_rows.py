"""Remedies for any Keras model that drop, clip, shift or weight single rows of its data."""

from collections.abc import Iterator

import keras
import numpy as np

from pipeline.recorder.layers import every_layer
from pipeline.remedies.on_keras.trial import TRAIN, Arrays, InapplicableError, Part, Trial
from pipeline.remedies.remedy import CLIPPED_QUANTILE, LONG_ROW


def no_long_rows(trial: Trial) -> Iterator[str]:
    """Drop the training rows that are far longer than the median row."""
    inputs, targets = trial.data
    if trial.arguments.get("sample_weight") is not None:
        raise InapplicableError("its rows have weights")
    leaves = [np.asarray(leaf, np.float64) for leaf in _numbers(trial, inputs)]
    norms = np.sqrt(sum((leaf.reshape(len(leaf), -1) ** 2).sum(axis=1) for leaf in leaves))
    is_kept = ~(norms > LONG_ROW * np.nanmedian(norms))
    if is_kept.all() or not np.nanmedian(norms):
        raise InapplicableError(f"no row is longer than {LONG_ROW} times the median row")
    yield f"{(~is_kept).sum()} training rows dropped, longer than {LONG_ROW} times the median `numpy.linalg.norm(row)`"
    part = keras.tree.map_structure(lambda leaf: np.asarray(leaf)[is_kept], (inputs, targets))
    trial.parts = {**trial.parts, TRAIN: part}


def clipped_columns(trial: Trial) -> Iterator[str]:
    """Clip inputs at quantiles of the training rows, by the last dimension."""
    inputs, _ = trial.data
    limits = [_limits(np.asarray(leaf, np.float64)) for leaf in _numbers(trial, inputs)]

    def clipped(values: Arrays) -> Arrays:
        leaves = zip(keras.tree.flatten(values), limits, strict=True)
        return keras.tree.pack_sequence_as(values, [np.clip(leaf, *limit).astype("float32") for leaf, limit in leaves])

    ends = f"{CLIPPED_QUANTILE:g}, {1 - CLIPPED_QUANTILE:g}"
    yield f"`numpy.clip(x, *numpy.quantile(x_train, [{ends}], axis=0))` as inputs, before they are scaled"
    trial.parts = {name: (clipped(x), y) for name, (x, y) in trial.parts.items()}


def padding_in_front(trial: Trial) -> Iterator[str]:
    """Move the padding of sequences to their beginning, so that recurrent layers end with the last real step."""
    inputs, _ = trial.data
    if not any(np.any(padding(np.asarray(leaf))) for leaf in keras.tree.flatten(inputs) if np.ndim(leaf) > 1):
        raise InapplicableError("its rows have no padding at their end")

    def moved(part: Part) -> Part:
        x, y = part
        return keras.tree.map_structure(_with_padding_in_front, x), y

    yield "padding in front of each row: `pad_sequences(..., padding='pre')`"
    trial.parts = {name: moved(part) for name, part in trial.parts.items()}


def unit_weights(trial: Trial) -> Iterator[str]:
    """Divide the weights of the rows by their mean."""
    weights = trial.arguments.get("sample_weight")
    if weights is None or not np.mean(weights):
        raise InapplicableError("`fit` gets no `sample_weight`, or its mean is 0")
    yield f"`sample_weight` divided by its mean, which is {np.mean(weights):.3g}"
    trial.arguments["sample_weight"] = np.asarray(weights) / np.mean(weights)


def no_weights(trial: Trial) -> Iterator[str]:
    """Let all rows and classes count the same."""
    names = [name for name in ("sample_weight", "class_weight") if trial.arguments.get(name) is not None]
    if not names:
        raise InapplicableError("`fit` gets neither `sample_weight` nor `class_weight`")
    yield f"no `{'` and no `'.join(names)}` in `fit`"
    for name in names:
        trial.arguments[name] = None


def _numbers(trial: Trial, inputs: Arrays) -> list[np.ndarray]:
    """Return the arrays of the inputs.

    Raises:
        InapplicableError: they are ids.
    """
    if any(isinstance(layer, keras.layers.Embedding) for layer in every_layer(trial.model)):
        raise InapplicableError("its inputs are ids, which an embedding looks up")
    return [np.asarray(leaf) for leaf in keras.tree.flatten(inputs)]


def _limits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two quantiles of each column's finite values; a column whose quantiles are equal stays as it is."""
    flat = values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    low, high = np.nanquantile(flat, [CLIPPED_QUANTILE, 1 - CLIPPED_QUANTILE], axis=0)
    is_varied = low < high
    return np.where(is_varied, low, -np.inf), np.where(is_varied, high, np.inf)


def padding(rows: np.ndarray) -> np.ndarray:
    """Return how many steps at the end of each row are 0, int [row]; 0 for a row that is only padding."""
    is_zero = (rows.reshape(*rows.shape[:2], -1) == 0).all(axis=2)
    return np.where(is_zero.all(axis=1), 0, np.argmin(is_zero[:, ::-1], axis=1))


def _with_padding_in_front(values: np.ndarray) -> np.ndarray:
    rows = np.asarray(values)
    if rows.ndim < 2:
        return rows
    steps = (np.arange(rows.shape[1]) - padding(rows)[:, None]) % rows.shape[1]
    return np.take_along_axis(rows, steps.reshape(*steps.shape, *[1] * (rows.ndim - 2)), axis=1)
