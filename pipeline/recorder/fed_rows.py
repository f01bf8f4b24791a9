"""Check whether `fit` trains on the rows of the record: add up its rows where the training computes its loss.

The loss that `fit` logs is compared with the record's loss only if both are of the same rows. Imports TensorFlow with
the user's own settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array, Batch
from pipeline.recorder.guard import Guard
from pipeline.recorder.replaced_attributes import replaced

NAMES: Final = ("x", "y", "y_pred", "sample_weight")  # the first arguments of Keras's `compute_loss`
ROUNDING: Final = 1e-3  # relative error of float32 sums over all batches of an epoch
ERRORS: Final = 4  # a mean of some rows may differ from that of all rows by so many standard errors
# Rows count as ordered if the variance of batch means exceeds that of shuffled rows by this factor; with three batches,
# 1 of 400 shuffles does.
ORDERED: Final = 4


class RowStatistics(NamedTuple):
    """Statistics of the rows that `fit` should get.

    rows: the number of rows.
    mean, spread: mean and standard deviation over the rows, float64 [2]: of the sum of a row's inputs, and of the sum
        of its targets. Target column c counts c times, so that one-hot labels differ.
    are_all: whether these are all rows that `fit` should get, or only some of them.
    """

    rows: int
    mean: Array
    spread: Array
    are_all: bool

    @classmethod
    def of(cls, inputs: Batch, targets: Batch, are_all: bool) -> "RowStatistics":
        """Return the statistics of arrays [row, ...], or of structures of such arrays."""
        sums = [_by_row(inputs, is_weighted=False), _by_row(targets, is_weighted=True)]
        with np.errstate(all="ignore"):  # NaN and infinity match no other rows
            mean, spread = ([float(function(each)) for each in sums] for function in (np.mean, np.std))
        return cls(len(sums[0]), np.array(mean), np.array(spread), are_all)


class FedRows:
    """Adds up sums over the batches of an epoch, inside the traced training step.

    The sums are one TensorFlow variable: number of rows, sum of inputs, sum of targets, sum of |sample weight - 1|, sum
    of (squared mean target of a batch times its rows), number of batches.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        with tf.init_scope():
            self._sums = tf.Variable(tf.zeros(6), trainable=False)

    @contextmanager
    def watching(self, model: keras.Model) -> Iterator[None]:
        """Add up the rows of which the model computes its loss within the context."""
        original = model.compute_loss

        def compute_loss(*args: Batch, **kwargs: Batch) -> tf.Tensor:
            with self._guard.optional("examine the rows that `fit` trains on"):
                arguments = dict(zip(NAMES, args, strict=False)) | kwargs
                self._add(arguments.get("x"), arguments.get("y"), arguments.get("sample_weight"))
            return original(*args, **kwargs)

        with replaced([(model, "compute_loss", compute_loss)]):
            yield

    def restart(self) -> None:
        """Set the sums to 0, for a new `fit`."""
        self._sums.assign(tf.zeros(6))

    def match(self, statistics: RowStatistics) -> bool:
        """Return whether the rows since the last restart have these statistics, are shuffled, and have weight 1.

        Sorted rows do not match: on a batch of one class, the weights adapt and the loss is low. False without rows.
        """
        rows, *sums, weight_distances, squares, batches = self._sums.numpy().astype(np.float64).tolist()
        if rows == 0 or weight_distances > ROUNDING * rows:
            return False
        means = np.array(sums) / rows
        between_batches = squares / rows - means[-1] ** 2
        if between_batches > ORDERED * statistics.spread[-1] ** 2 * batches / rows + ROUNDING**2 * means[-1] ** 2:
            return False
        if statistics.are_all and not np.isclose(rows, statistics.rows, rtol=ROUNDING):
            return False
        error = ROUNDING if statistics.are_all else ERRORS / np.sqrt(statistics.rows)
        is_close = np.isclose(means, statistics.mean, rtol=ROUNDING, atol=0)
        return bool((is_close | (np.abs(means - statistics.mean) <= error * statistics.spread)).all())

    def _add(self, inputs: Batch, targets: Batch, weights: Batch) -> None:
        if not _numbers(inputs):
            return
        count = tf.cast(tf.shape(_numbers(inputs)[0])[0], tf.float32)
        weight_distances = [tf.reduce_sum(tf.abs(tf.cast(each, tf.float32) - 1)) for each in _numbers(weights)]
        sums = [
            _total(inputs),
            _total(targets, is_weighted=True),
            tf.add_n(weight_distances) if weight_distances else tf.constant(0.0),
        ]
        self._sums.assign_add(tf.stack([count, *sums, tf.square(sums[1]) / count, tf.constant(1.0)]))


def _numbers(values: Batch) -> list[tf.Tensor]:
    """Return the tensors of numbers; others, such as texts, are left out."""
    leaves = [leaf for leaf in keras.tree.flatten(values) if isinstance(leaf, tf.Tensor)]
    return [leaf for leaf in leaves if leaf.dtype.is_floating or leaf.dtype.is_integer or leaf.dtype.is_bool]


def _total(values: Batch, is_weighted: bool = False) -> tf.Tensor:
    numbers = [tf.cast(leaf, tf.float32) for leaf in _numbers(values)]
    if is_weighted:
        numbers = [_times_column(leaf) for leaf in numbers]
    return tf.add_n([tf.reduce_sum(leaf) for leaf in numbers]) if numbers else tf.constant(0.0)


def _times_column(leaf: tf.Tensor) -> tf.Tensor:
    """Multiply each number of a row by its column number; a leaf of unknown shape stays, and matches no rows."""
    if not leaf.shape[1:].is_fully_defined():
        return leaf
    width = prod(leaf.shape[1:])
    return tf.reshape(leaf, [-1, width]) * np.arange(1, width + 1, dtype=np.float32)


def _by_row(values: Batch, is_weighted: bool) -> Array:
    """Return the sum of each row's numbers, float64 [row]; `is_weighted` multiplies each by its column number."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(values) if leaf is not None]
    flat = [leaf.reshape(len(leaf), -1) for leaf in leaves if leaf.dtype.kind in "biuf"]
    if is_weighted:
        flat = [leaf * np.arange(1.0, leaf.shape[1] + 1) for leaf in flat]
    sums = [leaf.sum(axis=1, dtype=np.float64) for leaf in flat]
    return np.sum(sums, axis=0) if sums else np.zeros(len(leaves[0]) if leaves else 1)
