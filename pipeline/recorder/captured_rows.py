"""Keep rows of the first batches of `fit`, and the weights before the first step.

Imports TensorFlow with the user's own settings.
"""

from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Batch
from pipeline.recorder.guard import Guard

P = ParamSpec("P")
R = TypeVar("R")


class CapturedRows:
    """Keeps inputs, targets and sample weights of the first batches, inside the traced step.

    Batches are joined if all their dimensions but the first are known; otherwise only the first batch is kept. XLA is
    impossible, because it has no variables of free shape.
    """

    def __init__(self, most: int, guard: Guard) -> None:
        """Args: most: the largest number of rows to keep."""
        self._most = most
        self._guard = guard
        self._variables: list[tf.Variable] | None = None
        self._structure: Batch = None
        self._rows = tf.Variable(0, trainable=False)

    def capturing(self, step: Callable[Concatenate[Batch, P], R]) -> Callable[Concatenate[Batch, P], R]:
        """Return a `train_step` or `test_step` that also keeps its batch."""

        def capturing_step(data: Batch, *args: P.args, **kwargs: P.kwargs) -> R:
            with self._guard("keep rows of the batches of `fit`"):
                self._add(data)
            return step(data, *args, **kwargs)

        return capturing_step

    def rows(self) -> tuple[Batch, Batch, Batch] | None:
        """Return inputs, targets and sample weights as NumPy arrays, and stop keeping rows; None if there are none."""
        kept = None
        if self._variables is not None and int(self._rows.numpy()):
            values = iter([np.asarray(variable.numpy())[: self._most] for variable in self._variables])
            flat = [next(values) if is_there else None for is_there in keras.tree.flatten(self._structure)]
            kept = keras.tree.pack_sequence_as(self._structure, flat)
        self._rows.assign(np.iinfo(np.int32).max)
        return kept

    def _add(self, data: Batch) -> None:
        batch = keras.utils.unpack_x_y_sample_weight(data)
        leaves = [leaf for leaf in keras.tree.flatten(batch) if leaf is not None]
        if not leaves or not all(isinstance(leaf, tf.Tensor) and leaf.shape.rank for leaf in leaves):
            raise TypeError("batches are no plain tensors; for a probe, pass the data: Diagnosis(x_train, y_train)")
        if self._variables is None:
            self._structure = keras.tree.map_structure(lambda leaf: leaf is not None, batch)
            with tf.init_scope():
                self._variables = [_empty(leaf) for leaf in leaves]
        variables = self._variables
        if len(variables) != len(leaves):
            return
        can_join = all(size is not None for leaf in leaves for size in leaf.shape[1:])

        def add() -> tf.Tensor:
            for variable, leaf in zip(variables, leaves, strict=True):
                if can_join:
                    before = tf.ensure_shape(variable, (None, *leaf.shape[1:]))
                    variable.assign(tf.concat([before, leaf], axis=0))
                else:
                    variable.assign(leaf)
            return self._rows.assign_add(tf.shape(leaves[0])[0])

        tf.cond(self._rows < (self._most if can_join else 1), add, lambda: tf.identity(self._rows))


def _empty(leaf: tf.Tensor) -> tf.Variable:
    return tf.Variable(
        tf.zeros((0, *(size or 0 for size in leaf.shape[1:])), leaf.dtype),
        shape=tf.TensorShape(None),
        validate_shape=False,
        trainable=False,
    )


class KeptWeights:
    """Keeps the weights before the first step of a model that its first batch builds, inside that step.

    They already contain that batch's statistics, such as those of batch normalisation.
    """

    def __init__(self, weights: Sequence[keras.Variable]) -> None:
        self._sources = list(weights)
        with tf.init_scope():
            self._kept = [tf.Variable(tf.zeros(each.shape, each.dtype), trainable=False) for each in weights]
            self._is_kept = tf.Variable(False, trainable=False)

    def keep(self) -> None:
        """Keep the weights at the first call; call it in each step, before the weights change."""

        def keep() -> tf.Tensor:
            for kept, variable in zip(self._kept, self._sources, strict=True):
                kept.assign(variable.value)
            return tf.identity(self._is_kept.assign(True))

        tf.cond(self._is_kept, lambda: tf.constant(True), keep)

    @property
    def weights(self) -> list[tf.Tensor]:
        """The kept weights."""
        return [tf.identity(each) for each in self._kept]
