"""Compile a function of weights, states and rows once, for any number of rows. Imports TensorFlow."""

from collections.abc import Callable
from typing import Generic, TypeVar

import tensorflow as tf

from pipeline.foundations.untyped import Batch

R = TypeVar("R")


class OneTrace(Generic[R]):
    """A compiled function that TensorFlow traces once for rows of one kind, although calls have other numbers of rows.

    A model that needs to know the number of rows cannot be traced so: then each number of rows is traced.
    """

    def __init__(self, function: Callable[[Batch, Batch, Batch], R]) -> None:
        self._by_shape = tf.function(function, autograph=False)
        self._concrete: dict[str, Callable[[Batch, Batch, Batch], R]] = {}  # by types and shapes of a row

    def __call__(self, weights: Batch, states: Batch, rows: Batch) -> R:
        """Return what the function returns for weights, states of layers, and rows [row, ...]."""
        any_rows = tf.nest.map_structure(_with_any_rows, rows)
        kind = repr(any_rows)
        function = self._concrete.get(kind)
        if function is None:
            try:
                function = self._by_shape.get_concrete_function(weights, states, any_rows)
            except Exception:  # the model's own code needs the number of rows; any other error comes again
                function = self._by_shape
            self._concrete[kind] = function
        return function(weights, states, rows)


def _with_any_rows(leaf: tf.Tensor | None) -> tf.TensorSpec | None:
    return None if leaf is None else tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype)
