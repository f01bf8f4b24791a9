"""Which rows a training is fed with: their number, their sums and their weights, seen where the training's loss is
computed. So the loss that `fit` logs is held against the record's only where both are of the same rows.

Imports TensorFlow as the user has set it up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.recorder.guard import Guard
from pipeline.recorder.replaced_attributes import replaced

NAMES: Final = ("x", "y", "y_pred", "sample_weight")  # the first arguments of Keras's `compute_loss`
ROUNDING: Final = 1e-3  # relative, of float32 sums over all batches of an epoch
ERRORS: Final = 4  # standard errors within which the mean of some rows is that of all
ORDERED: Final = 4  # times the variance of batch means of shuffled rows; of three batches 1 of 400 shuffles is beyond


class Described(NamedTuple):
    """Rows as they are known before a training: all that it is to be fed with, or some of them.

    mean, spread: of the sum of each row's inputs, and of its targets (column c counts c times, so that one-hot labels
        differ), float64 [side] each.
    """

    rows: int
    mean: np.ndarray
    spread: np.ndarray
    are_all: bool

    @classmethod
    def of(cls, inputs: Any, targets: Any, are_all: bool) -> "Described":
        """Of arrays [row, ...], or structures of them."""
        sums = [_by_row(inputs, by_place=False), _by_row(targets, by_place=True)]
        with np.errstate(all="ignore"):  # numbers that are not finite are like no others
            mean, spread = ([float(function(each)) for each in sums] for function in (np.mean, np.std))
        return cls(len(sums[0]), np.array(mean), np.array(spread), are_all)


class FedRows:
    """Sums over the batches of an epoch, added up inside the traced training step.

    The sums are a variable of TensorFlow's: of rows, their inputs, their targets, their weights' distance from 1, the
    squared mean target of each batch times its rows, and batches.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        with tf.init_scope():
            self._sums = tf.Variable(tf.zeros(6), trainable=False)

    @contextmanager
    def seen(self, model: keras.Model) -> Iterator[None]:
        """While this lasts, look at what the model computes its loss of."""
        given = model.compute_loss

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            with self._guard.beside("look at the rows that `fit` trains on"):
                self._add(dict(zip(NAMES, args, strict=False)) | kwargs)
            return given(*args, **kwargs)

        with replaced([(model, "compute_loss", compute_loss)]):
            yield

    def restart(self) -> None:
        """Begin a new epoch."""
        self._sums.assign(tf.zeros(6))

    def are(self, known: Described) -> bool:
        """Return whether the rows since the last start are those that are described, each with the weight 1, and
        shuffled: where a batch is of one class, its loss is low just before the weights follow it.

        Of a training that nobody saw, no.
        """
        rows, *sums, unequal, squares, batches = self._sums.numpy().astype(np.float64).tolist()
        if rows == 0 or unequal > ROUNDING * rows:
            return False
        mean = sums[-1] / rows
        if squares / rows - mean**2 > ORDERED * known.spread[-1] ** 2 * batches / rows + ROUNDING**2 * mean**2:
            return False
        if known.are_all and not np.isclose(rows, known.rows, rtol=ROUNDING):
            return False
        error = ROUNDING if known.are_all else ERRORS / np.sqrt(known.rows)
        close = np.isclose(np.array(sums) / rows, known.mean, rtol=ROUNDING, atol=0)
        return bool((close | (np.abs(np.array(sums) / rows - known.mean) <= error * known.spread)).all())

    def _add(self, given: dict[str, Any]) -> None:
        inputs, targets = given.get("x"), given.get("y")
        weights = given.get("sample_weight")
        if not _numbers(inputs):
            return
        count = tf.cast(tf.shape(_numbers(inputs)[0])[0], tf.float32)
        unequal = [tf.reduce_sum(tf.abs(tf.cast(each, tf.float32) - 1)) for each in _numbers(weights)]
        sums = [_total(inputs), _total(targets, by_place=True), tf.add_n(unequal) if unequal else tf.constant(0.0)]
        self._sums.assign_add(tf.stack([count, *sums, tf.square(sums[1]) / count, tf.constant(1.0)]))


def _numbers(values: Any) -> list[Any]:
    """Tensors of numbers among them; others, such as texts, say nothing here."""
    leaves = [leaf for leaf in keras.tree.flatten(values) if isinstance(leaf, tf.Tensor)]
    return [leaf for leaf in leaves if leaf.dtype.is_floating or leaf.dtype.is_integer or leaf.dtype.is_bool]


def _total(values: Any, by_place: bool = False) -> tf.Tensor:
    found = [tf.cast(leaf, tf.float32) for leaf in _numbers(values)]
    if by_place:
        found = [_times_place(leaf) for leaf in found]
    return tf.add_n([tf.reduce_sum(leaf) for leaf in found]) if found else tf.constant(0.0)


def _times_place(leaf: tf.Tensor) -> tf.Tensor:
    """Of a shape that the traced step does not know, the leaf itself: it is then like no others."""
    if not leaf.shape[1:].is_fully_defined():
        return leaf
    width = prod(leaf.shape[1:])
    return tf.reshape(leaf, [-1, width]) * np.arange(1, width + 1, dtype=np.float32)


def _by_row(values: Any, by_place: bool) -> np.ndarray:
    """float64 [row], the sum of all numbers of a row, each times its place where that is asked for."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(values) if leaf is not None]
    flat = [leaf.reshape(len(leaf), -1) for leaf in leaves if leaf.dtype.kind in "biuf"]
    if by_place:
        flat = [leaf * np.arange(1.0, leaf.shape[1] + 1) for leaf in flat]
    sums = [leaf.sum(axis=1, dtype=np.float64) for leaf in flat]
    return np.sum(sums, axis=0) if sums else np.zeros(len(leaves[0]) if leaves else 1)
