"""Measure value and slope of every activation while the model's own call runs, to count dead and saturated units.

During one pass, a wrapper replaces each activation: it counts, and returns what the activation returns. Imports
TensorFlow with the user's own settings.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Concatenate, Final, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.history.record import SLOPE_FRACTIONS, SLOPE_GRID
from pipeline.recorder.layers import BESIDE, Row, every_layer
from pipeline.recorder.replaced_attributes import replaced
from pipeline.recorder.structure import graph

# Class names of activation layers, and of activation operations in a Functional model's graph.
LAYER_ACTIVATIONS: Final = ("ReLU", "LeakyReLU", "PReLU", "ELU")
OPERATION_ACTIVATIONS: Final = (
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Sigmoid", "HardSigmoid"),
    *("HardSilu", "HardTanh", "Softplus", "Softsign", "Mish", "Tanh", "TanhShrink"),
)
GRID: Final = np.array(SLOPE_GRID, np.float32)
P = ParamSpec("P")
R = TypeVar("R")
Elementwise = Callable[[tf.Tensor], tf.Tensor]


class Activity:
    """Counts dead and saturated units by row of the layer table, as `history.record` defines them.

    The counts are TensorFlow variables, so that an activation within a loop over time is counted at every step.

    order: the rows, in the order in which the model calls their layers.
    """

    def __init__(self, model: keras.Model, rows: Sequence[Row]) -> None:
        self.order: list[int] = []
        self._counts: dict[int, _Counts] = {}
        self._activation_of_row: dict[int, keras.Operation] = {}
        self._last_row: int | None = None
        # A layer with several rows counts at its first one: in reversed order, that one is written last.
        row_of = {id(row.owner): number for number, row in reversed(list(enumerate(rows))) if row.role != BESIDE}
        layers = every_layer(model)
        self._owners = [(layer, row_of[id(layer)]) for layer in layers if id(layer) in row_of]
        self._activations = [
            (layer, row_of.get(id(layer))) for layer in layers if _is_elementwise(vars(layer).get("activation"))
        ]
        graphs = [structure for structure in map(graph, layers) if structure is not None]
        operations = [
            each for structure in graphs for each in structure.operations if not isinstance(each, keras.layers.Layer)
        ]
        self._activation_layers = [
            *(layer for layer in layers if type(layer).__name__ in LAYER_ACTIVATIONS),
            *(operation for operation in operations if type(operation).__name__ in OPERATION_ACTIVATIONS),
        ]

    @property
    def measured_rows(self) -> list[int]:
        """The rows whose layer is followed by a measured activation."""
        return sorted(self._counts)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the activations of one pass of the model, and add them to the counts since the last `read`."""
        self.order, self._last_row = [], None
        with ExitStack() as stack:
            for layer, row in self._activations:
                stack.enter_context(replaced([(layer, "activation", self._measuring(layer, layer.activation, row))]))
            for layer in self._activation_layers:
                stack.enter_context(replaced([(layer, "call", self._measuring(layer, layer.call, None))]))
            for layer, row in self._owners:
                stack.enter_context(replaced([(layer, "call", self._marking(layer.call, row))]))
            yield

    def restart(self) -> None:
        """Set all counts to 0."""
        for counts in self._counts.values():
            counts.restart()

    def read(self) -> dict[int, tuple[float, Array]]:
        """Return the shares of dead units and of saturated units [fraction] by measured row, since `restart`."""
        return {row: self._counts[row].shares() for row in self.measured_rows}

    def _marking(self, call: Callable[P, R], row: int) -> Callable[P, R]:
        """Return a layer's call that also stores the layer's row as the last one called."""

        def marking_call(*args: P.args, **kwargs: P.kwargs) -> R:
            self._last_row = row
            if row not in self.order:
                self.order.append(row)
            result = call(*args, **kwargs)
            self._last_row = row
            return result

        return marking_call

    def _measuring(
        self,
        operation: keras.Operation,
        function: Callable[Concatenate[tf.Tensor, P], tf.Tensor],
        row: int | None,
    ) -> Callable[Concatenate[tf.Tensor, P], tf.Tensor]:
        """Return a function that computes the activation and counts its dead and saturated units.

        Args:
            row: the row to count for; None for the row whose layer was called last.
        """

        def measuring_function(signal: tf.Tensor, *args: P.args, **kwargs: P.kwargs) -> tf.Tensor:
            target = self._last_row if row is None else row
            if (
                target is None
                or self._activation_of_row.setdefault(target, operation) is not operation
                or not signal.shape.rank
            ):
                return function(signal, *args, **kwargs)

            def activation(each: tf.Tensor) -> tf.Tensor:
                return function(each, *args, **kwargs)

            value, slope = with_slope(activation, signal)
            greatest = self._greatest_slope(operation, activation, signal)
            self._count(target, operation, tf.stop_gradient(value), slope, greatest)
            return value

        return measuring_function

    def _greatest_slope(self, operation: keras.Operation, function: Elementwise, signal: tf.Tensor) -> tf.Tensor:
        """Return the greatest |slope| of the activation over GRID; for each unit if it has a slope for each unit."""
        if type(operation).__name__ == "PReLU":  # its slope is a weight of each unit
            grid = tf.reshape(GRID, (-1, *[1] * (len(signal.shape) - 1)))
            signals = tf.broadcast_to(tf.cast(grid, signal.dtype), (len(GRID), *signal.shape[1:]))
            return tf.reduce_max(tf.abs(with_slope(function, signals)[1]), axis=0)
        return tf.reduce_max(tf.abs(with_slope(function, tf.cast(GRID, signal.dtype))[1]))

    def _count(
        self, row: int, operation: keras.Operation, value: tf.Tensor, slope: tf.Tensor, greatest: tf.Tensor
    ) -> None:
        axis = 1 if getattr(operation, "data_format", None) == "channels_first" else len(value.shape) - 1
        others = [each for each in range(len(value.shape)) if each != axis]
        is_off = tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0))
        relative = tf.where(is_off, tf.ones((), slope.dtype), tf.abs(slope) / greatest)
        if row not in self._counts:
            with tf.init_scope():
                self._counts[row] = _Counts(int(value.shape[axis]))
        is_on = tf.reduce_any(tf.logical_not(is_off), axis=others)
        self._counts[row].add(is_on, tf.cast(relative, tf.float32))


class _Counts:
    """Counts of one layer's activation, over all inputs: rows of data, pixels and time steps.

    They are one TensorFlow variable, because the number of operations determines how long tracing takes: for each unit,
    in how many passes it was on for any input; then, for each interval between two of SLOPE_FRACTIONS, the number of
    pairs (input, unit) whose slope is in it.
    """

    def __init__(self, units: int) -> None:
        self._units = units
        self._counts = tf.Variable(tf.zeros(units + len(SLOPE_FRACTIONS) + 1, tf.int32), trainable=False)

    def restart(self) -> None:
        self._counts.assign(tf.zeros_like(self._counts))

    def add(self, is_on: tf.Tensor, relative_slopes: tf.Tensor) -> None:
        # NaN is in the last interval, as if it were no saturated slope.
        interval = tf.raw_ops.Bucketize(input=tf.reshape(relative_slopes, [-1]), boundaries=list(SLOPE_FRACTIONS))
        pairs = tf.math.unsorted_segment_sum(tf.ones_like(interval), interval, len(SLOPE_FRACTIONS) + 1)
        self._counts.assign_add(tf.concat([tf.cast(is_on, tf.int32), pairs], axis=0))

    def shares(self) -> tuple[float, Array]:
        on, pairs = np.split(self._counts.numpy(), [self._units])
        below = pairs.cumsum(dtype=np.int64)
        return float((on == 0).mean()), (below[:-1] / below[-1]).astype(np.float32)


def with_slope(function: Elementwise, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return value and slope of an elementwise function, of the shape of the inputs."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        value = function(inputs)
    slope = tape.gradient(value, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return value, slope


def _is_elementwise(function: Elementwise | None) -> bool:
    """Return whether the function maps each number by itself, and is not the identity."""
    if not callable(function):
        return False
    try:
        row = np.array([[-2.0, -0.3, 0.4, 3.0]], np.float32)
        whole = np.asarray(function(tf.constant(row)))
        halves = [np.asarray(function(tf.constant(half))) for half in np.split(row, 2, axis=1)]
    except Exception:  # a layer for one shape only, or a function that takes no tensor
        return False
    return (
        whole.shape == row.shape
        and bool((whole != row).any())
        and np.allclose(whole, np.concatenate(halves, axis=1), atol=1e-6)
    )
