"""Rows of a training's own batches, kept where nobody gave any, and the weights before its first step.

Imports TensorFlow as the user has set it up.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.recorder.guard import Guard


class CapturedRows:
    """Keeps (inputs, targets, sample weights) of the first batches, inside the traced step.

    Batches are put together where all but their first dimension is known; else the first one alone is kept. Not under
    XLA, which has no variables of free shape.
    """

    def __init__(self, most: int, guard: Guard) -> None:
        self._most = most
        self._guard = guard
        self._kept: list[tf.Variable] | None = None
        self._structure: Any = None
        self._rows = tf.Variable(0, trainable=False)

    def keep(self, step: Any) -> Any:
        """A `train_step` or `test_step` that keeps what it is given, and does what it did."""

        def kept_step(data: Any, *args: Any, **kwargs: Any) -> Any:
            with self._guard("keep rows of the batches of `fit`"):
                self._keep(data)
            return step(data, *args, **kwargs)

        return kept_step

    def _keep(self, data: Any) -> None:
        batch = keras.utils.unpack_x_y_sample_weight(data)
        leaves = keras.tree.flatten(batch)
        leaves = [leaf for leaf in leaves if leaf is not None]
        if not leaves or not all(isinstance(leaf, tf.Tensor) and leaf.shape.rank for leaf in leaves):
            raise TypeError("batches are not plain tensors")
        if self._kept is None:
            self._structure = keras.tree.map_structure(lambda leaf: leaf is not None, batch)
            with tf.init_scope():
                self._kept = [
                    tf.Variable(
                        tf.zeros((0, *(size or 0 for size in leaf.shape[1:])), leaf.dtype),
                        shape=tf.TensorShape(None),
                        validate_shape=False,
                        trainable=False,
                    )
                    for leaf in leaves
                ]
        kept = self._kept
        if len(kept) != len(leaves):
            return
        grows = all(size is not None for leaf in leaves for size in leaf.shape[1:])
        most = self._most if grows else 1

        def add() -> tf.Tensor:
            for variable, leaf in zip(kept, leaves, strict=True):
                whole = leaf
                if grows:
                    before = tf.ensure_shape(variable, (None, *leaf.shape[1:]))
                    whole = tf.concat([before, leaf], axis=0)
                variable.assign(whole)
            return self._rows.assign_add(tf.shape(leaves[0])[0])

        tf.cond(self._rows < most, add, lambda: tf.identity(self._rows))

    def data(self) -> Any:
        """(inputs, targets, sample weights) of at most so many rows, as NumPy; None where nothing was kept."""
        if self._kept is None or not int(self._rows.numpy()):
            return None
        values = iter([np.asarray(variable.numpy())[: self._most] for variable in self._kept])
        flat = [next(values) if is_there else None for is_there in keras.tree.flatten(self._structure)]
        return keras.tree.pack_sequence_as(self._structure, flat)

    def close(self) -> Any:
        """The same, and nothing more is kept."""
        kept = self.data()
        self._rows.assign(np.iinfo(np.int32).max)
        return kept


class KeptWeights:
    """The weights before the first step, kept inside it: of a model that its first batch builds.

    A statistic of that batch, as of batch normalisation, is in them already.
    """

    def __init__(self, weights: Sequence[keras.Variable]) -> None:
        self._from = list(weights)
        with tf.init_scope():
            self._kept = [tf.Variable(tf.zeros(each.shape, each.dtype), trainable=False) for each in weights]
            self._is_kept = tf.Variable(False, trainable=False)

    def keep(self) -> None:
        """In a step, before the weights change; once."""

        def keep() -> tf.Tensor:
            for kept, variable in zip(self._kept, self._from, strict=True):
                kept.assign(variable.value)
            return tf.identity(self._is_kept.assign(True))

        tf.cond(self._is_kept, lambda: tf.constant(True), keep)

    @property
    def weights(self) -> list[tf.Tensor]:
        """As they were."""
        return [tf.identity(each) for each in self._kept]
