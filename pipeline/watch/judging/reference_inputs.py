"""Bring the inputs of a watched fit into a form that quick models take: columns, ids, arrays or steps."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import keras
import numpy as np

from pipeline.data.reference.reference import Inputs
from pipeline.foundations.untyped import Array
from pipeline.recorder.input_facts import kind_of_leaf
from pipeline.recorder.layers import every_layer

MOST_CATEGORIES: Final = 100  # an input of one whole number with at most so many values becomes a column for each value


class ReferenceInputs(NamedTuple):
    """Inputs of two parts of the data in one form.

    kind: as in `Reference`.
    judge: None without rows to judge.
    """

    kind: Inputs
    train: Array
    judge: Array | None


def reference_inputs(
    model: keras.Model, train: Sequence[Array], judge: Sequence[Array] | None, steps: int
) -> ReferenceInputs | str:
    """Return the inputs of both parts; or a text that says why quick models cannot take them.

    Args:
        train: the leaves of the model's inputs for the training rows.
        judge: the same for the rows to judge.
        steps: the number of time steps with a target of their own; 0 if a row has one target.
    """
    parts = [train, *([judge] if judge is not None else [])]
    if not all(leaf.dtype.kind in "biuf" for leaves in parts for leaf in leaves):
        return "the inputs are no numbers"
    layers = every_layer(model)
    has_ids = any(isinstance(layer, keras.layers.Embedding) for layer in layers)
    if steps:
        if len(train) > 1 or train[0].ndim not in (2, 3) or train[0].shape[1] != steps:
            return "inputs and outputs have different time steps"
        return ReferenceInputs("steps", *_train_and_judge(_with_previous(leaves[0], has_ids) for leaves in parts))
    if len(train) == 1:
        kind = kind_of_leaf(train[0], layers)
        kinds: dict[str, Inputs] = {"table": "columns", "ids": "ids"}
        inputs = kinds.get(kind, "array")
        number = np.int64 if inputs == "ids" else train[0].dtype
        return ReferenceInputs(inputs, *_train_and_judge(leaves[0].astype(number) for leaves in parts))
    if any(leaf.ndim > 2 or (has_ids and leaf.ndim == 2 and leaf.shape[1] > 1 and _is_whole(leaf)) for leaf in train):
        return "there are several inputs, and not all of them are columns"
    return ReferenceInputs("columns", *_train_and_judge(_joined(train, leaves) for leaves in parts))


def _train_and_judge(parts: Iterator[Array]) -> tuple[Array, Array | None]:
    train, *others = parts
    return train, others[0] if others else None


def _with_previous(values: Array, are_ids: bool) -> Array:
    """Return the current and the previous value of each step, [row x step, ...]; ids as two ranges of ids."""
    first = values[:, :1]
    previous = np.concatenate([np.zeros_like(first), values[:, :-1]], axis=1)
    if values.ndim == 2 and (are_ids or values.dtype.kind in "iu"):
        whole, before = values.astype(np.int64), previous.astype(np.int64)
        return np.stack([2 * whole, 2 * before + 1], axis=-1).reshape(-1, 2)
    both = np.stack([values, previous], axis=2).astype(np.float64)
    return both.reshape(values.shape[0] * values.shape[1], -1)


def _joined(train: Sequence[Array], leaves: Sequence[Array]) -> Array:
    """Return all leaves as columns; a single whole number with few values becomes a column for each value."""
    columns = []
    for known, leaf in zip(train, leaves, strict=True):
        flat = leaf.reshape(len(leaf), -1)
        values = np.unique(known) if flat.shape[1] == 1 and known.dtype.kind in "iu" else np.empty(0)
        columns.append(flat == values if 2 < len(values) <= MOST_CATEGORIES else flat)
    return np.concatenate([each.astype(np.float64) for each in columns], axis=1)


def _is_whole(values: Array) -> bool:
    return bool((values == np.round(values)).all())
