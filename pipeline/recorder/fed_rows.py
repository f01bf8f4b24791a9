"""Add up the rows that `fit` trains on, where the training computes its loss: their number, order and weights.

The loss that `fit` logs is compared with the record's loss only if both are of the same rows. Imports TensorFlow with
the user's own settings.
"""

from collections.abc import Callable
from math import prod
from typing import Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array, Batch
from pipeline.recorder.guard import Guard
from pipeline.recorder.replaced_attributes import Change
from pipeline.recorder.switch import Switch

NAMES: Final = ("x", "y", "y_pred", "sample_weight")  # the first arguments of Keras's `compute_loss`
TARGET_ROUNDING: Final = 1e-6  # relative error of one target in float32, with some margin
ROUNDING: Final = 1e-3  # relative error of float32 sums over all batches of an epoch
ERRORS: Final = 4  # a mean of some rows may differ from that of all rows by so many standard errors
# Rows count as ordered if the variance of batch means exceeds that of shuffled rows by this factor; with three batches,
# 1 of 400 shuffles does.
ORDERED: Final = 4
FEWEST_BATCHES: Final = 3  # the order of rows shows only in the differences of several batches
SUMS: Final = 8  # see `FedRows`


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

    The sums are one TensorFlow variable, in double precision because their squares are subtracted: number of rows,
    sum of inputs, sum of targets, sum of |sample weight - 1|, sum of (squared mean target of a batch times its rows),
    number of batches, sum of sample weights, sum of squared targets. A row's target is the sum of its target columns,
    each times its column number.
    """

    def __init__(self, before_loss: Callable[[], None], guard: Guard) -> None:
        """Args: before_loss: called in each traced step, before its loss is computed."""
        self._before_loss = before_loss
        self._guard = guard
        self._switch = Switch()
        with tf.init_scope():
            self._sums = tf.Variable(tf.zeros(SUMS, tf.float64), trainable=False)

    def changes(self, model: keras.Model) -> list[Change]:
        """Return the change of the model that adds up the rows of which it computes its loss."""
        original = model.compute_loss

        def compute_loss(*args: Batch, **kwargs: Batch) -> tf.Tensor:
            self._before_loss()
            with self._guard.optional("examine the rows that `fit` trains on"):
                arguments = dict(zip(NAMES, args, strict=False)) | kwargs
                self.add(arguments.get("x"), arguments.get("y"), arguments.get("sample_weight"))
            return original(*args, **kwargs)

        return [(model, "compute_loss", compute_loss)]

    def restart(self) -> None:
        """Set the sums to 0, for a new `fit`."""
        self._switch.set(True)
        self._sums.assign(tf.zeros(SUMS, tf.float64))

    def pause(self) -> None:
        """Add no more rows until the next `restart`."""
        self._switch.set(False)

    @property
    def batches(self) -> float:
        """The number of batches since the last restart."""
        return float(self._sums.numpy()[5])

    def facts(self) -> dict[str, float]:
        """Return `batch_rows`, `row_weight` and `batch_order` of the batches since the last restart; see FIT_FACTS."""
        rows, _, targets, _, squares, batches, weights, target_squares = self._sums.numpy().tolist()
        if not rows:
            return {}
        facts = {"batch_rows": rows / batches, "row_weight": weights / rows}
        variance = target_squares / rows - (targets / rows) ** 2
        is_constant = not variance > (TARGET_ROUNDING * targets / rows) ** 2  # also if it is NaN
        if is_constant or batches < FEWEST_BATCHES or rows < 2 * batches:
            return facts
        share = (squares / rows - (targets / rows) ** 2) / variance
        shuffled = (batches - 1) / (rows - 1)
        return facts | {"batch_order": (share - shuffled) / (1 - shuffled)}

    def match(self, statistics: RowStatistics) -> bool:
        """Return whether the rows since the last restart have these statistics, are shuffled, and have weight 1.

        Sorted rows do not match: on a batch of one class, the weights adapt and the loss is low. False without rows.
        """
        rows, *sums, weight_distances, squares, batches, _, _ = self._sums.numpy().tolist()
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

    def add(self, inputs: Batch, targets: Batch, weights: Batch) -> None:
        """Add the rows of a batch: tensors, or structures of tensors."""
        if _numbers(inputs):
            self._switch.run(lambda: self._add_batch(inputs, targets, weights))

    def _add_batch(self, inputs: Batch, targets: Batch, weights: Batch) -> None:
        count = tf.cast(tf.shape(_numbers(inputs)[0])[0], tf.float64)
        row_weights = [tf.cast(each, tf.float64) for each in _numbers(weights)]
        weight_distance = tf.add_n([tf.reduce_sum(tf.abs(each - 1)) for each in row_weights]) if row_weights else 0.0
        weight_sum = tf.add_n([tf.reduce_mean(each) for each in row_weights]) / len(row_weights) if row_weights else 1.0
        by_row = _row_targets(targets)
        target_sum, target_squares = (0.0, 0.0) if by_row is None else (tf.reduce_sum(by_row), tf.reduce_sum(by_row**2))
        sums = [count, _total(inputs), target_sum, weight_distance]
        sums += [target_sum**2 / count, 1.0, weight_sum * count, target_squares]
        self._sums.assign_add(tf.stack([tf.cast(each, tf.float64) for each in sums]))


def _numbers(values: Batch) -> list[tf.Tensor]:
    """Return the tensors of numbers; others, such as texts, are left out."""
    leaves = [leaf for leaf in keras.tree.flatten(values) if isinstance(leaf, tf.Tensor)]
    return [leaf for leaf in leaves if leaf.dtype.is_floating or leaf.dtype.is_integer or leaf.dtype.is_bool]


def _total(values: Batch) -> tf.Tensor | float:
    numbers = [tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in _numbers(values)]
    return tf.add_n(numbers) if numbers else 0.0


def _row_targets(targets: Batch) -> tf.Tensor | None:
    """Return the sum of each row's targets, each times its column number, float64 [row]; None without targets."""
    columns = [_times_column(tf.cast(leaf, tf.float32)) for leaf in _numbers(targets)]
    flat = [tf.reshape(leaf, [tf.shape(leaf)[0], -1]) for leaf in columns]
    return tf.add_n([tf.cast(tf.reduce_sum(leaf, axis=1), tf.float64) for leaf in flat]) if flat else None


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
