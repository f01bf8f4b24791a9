"""What the units of each layer do: value and slope of every activation, seen while the model's own call runs.

Nothing is rebuilt: for the length of one pass the activations are replaced by functions that look and give on what they
got. Imports TensorFlow as the user has set it up.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.history.record import SLOPE_FRACTIONS, SLOPE_GRID
from pipeline.recorder.layers import BESIDE, Row, every_layer
from pipeline.recorder.replaced_attributes import replaced
from pipeline.recorder.structure import graph

# Activations that are layers, or operations in a Functional model's graph, by their classes' names.
LAYERS: Final = ("ReLU", "LeakyReLU", "PReLU", "ELU")
OPERATIONS: Final = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Sigmoid", "HardSigmoid")
MORE_OPERATIONS: Final = ("HardSilu", "HardTanh", "Softplus", "Softsign", "Mish", "Tanh", "TanhShrink")
LINE: Final = np.array(SLOPE_GRID, np.float32)


class Activity:
    """Counts of dead and saturated units by row, as `history.record` defines them.

    The counts are variables of TensorFlow's, so that an activation within a loop over time is counted at every step.

    order: the rows in the order in which their layers were called.
    """

    def __init__(self, model: keras.Model, rows: Sequence[Row]) -> None:
        self.order: list[int] = []
        self._counts: dict[int, _Counts] = {}
        self._sources: dict[int, Any] = {}
        self._last: int | None = None
        own = {id(row.owner): number for number, row in reversed(list(enumerate(rows))) if row.role != BESIDE}
        layers = every_layer(model)
        self._owners = [(layer, own[id(layer)]) for layer in layers if id(layer) in own]
        self._functions = [
            (layer, own.get(id(layer))) for layer in layers if _elementwise(vars(layer).get("activation"))
        ]
        graphs = [found for found in map(graph, layers) if found is not None]
        operations = [each for found in graphs for each in found.operations if not isinstance(each, keras.layers.Layer)]
        named = [each for each in operations if type(each).__name__ in (*OPERATIONS, *MORE_OPERATIONS)]
        self._calls = [*(layer for layer in layers if type(layer).__name__ in LAYERS), *named]

    @property
    def measured(self) -> list[int]:
        """The rows that an activation follows."""
        return sorted(self._counts)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """One pass of the model; what it counts is added to what was counted since `restart`."""
        self.order, self._last = [], None
        with ExitStack() as stack:
            for layer, row in self._functions:
                stack.enter_context(replaced([(layer, "activation", self._looking(layer, layer.activation, row))]))
            for layer in self._calls:
                stack.enter_context(replaced([(layer, "call", self._looking(layer, layer.call, None))]))
            for layer, row in self._owners:
                stack.enter_context(replaced([(layer, "call", self._marking(layer.call, row))]))
            yield

    def restart(self) -> None:
        """Begin to count anew."""
        for counts in self._counts.values():
            counts.restart()

    def read(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The shares of dead units [measured row], and the saturated shares [measured row, fraction]; counts anew."""
        dead, saturated = zip(*(self._counts[row].shares() for row in self.measured), strict=True)
        found = tf.stack(dead), tf.stack(saturated)
        with tf.control_dependencies(found):
            self.restart()
        return found

    def _marking(self, call: Callable, row: int) -> Callable:
        def marked(*args: Any, **kwargs: Any) -> Any:
            self._last = row
            if row not in self.order:
                self.order.append(row)
            result = call(*args, **kwargs)
            self._last = row
            return result

        return marked

    def _looking(self, layer: Any, function: Callable, row: int | None) -> Callable:
        def looked(signal: Any, *args: Any, **kwargs: Any) -> Any:
            value = function(signal, *args, **kwargs)
            place = self._last if row is None else row
            if place is not None and self._sources.setdefault(place, layer) is layer and signal.shape.rank:
                self._count(place, layer, lambda each: function(each, *args, **kwargs), signal)
            return value

        return looked

    def _count(self, row: int, layer: Any, function: Callable, signal: Any) -> None:
        axis = 1 if getattr(layer, "data_format", None) == "channels_first" else len(signal.shape) - 1
        value, slope = _with_slope(function, tf.stop_gradient(signal))
        others = [each for each in range(len(signal.shape)) if each != axis]
        if type(layer).__name__ == "PReLU":  # its slope differs from unit to unit
            line = tf.reshape(LINE, (-1, *[1] * (len(signal.shape) - 1)))
            around = tf.broadcast_to(tf.cast(line, signal.dtype), (len(LINE), *signal.shape[1:]))
            greatest = tf.reduce_max(tf.abs(_with_slope(function, around)[1]), axis=0)
        else:
            greatest = tf.reduce_max(tf.abs(_with_slope(function, tf.cast(LINE, signal.dtype))[1]))
        off = tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0))
        relative = tf.where(off, tf.ones_like(slope), tf.abs(slope) / greatest)
        below = [tf.reduce_sum(tf.cast(relative < fraction, tf.float32)) for fraction in SLOPE_FRACTIONS]
        if row not in self._counts:
            with tf.init_scope():
                self._counts[row] = _Counts(int(signal.shape[axis]))
        on = tf.reduce_any(tf.logical_not(off), axis=others)
        self._counts[row].add(on, tf.stack(below), tf.cast(tf.size(signal), tf.float32))


class _Counts:
    """Of one row's activation, over all rows of data, places and steps in time."""

    def __init__(self, units: int) -> None:
        self._on = tf.Variable(tf.zeros(units, tf.bool), trainable=False)
        self._below = tf.Variable(tf.zeros(len(SLOPE_FRACTIONS)), trainable=False)
        self._pairs = tf.Variable(0.0, trainable=False)

    def restart(self) -> None:
        self._on.assign(tf.zeros_like(self._on))
        self._below.assign(tf.zeros_like(self._below))
        self._pairs.assign(0.0)

    def add(self, on: tf.Tensor, below: tf.Tensor, pairs: tf.Tensor) -> None:
        self._on.assign(tf.logical_or(self._on, on))
        self._below.assign_add(below)
        self._pairs.assign_add(pairs)

    def shares(self) -> tuple[tf.Tensor, tf.Tensor]:
        dead = tf.reduce_mean(tf.cast(tf.logical_not(self._on), tf.float32))
        return dead, self._below / self._pairs


def _with_slope(function: Callable, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(before)
        value = function(before)
    slope = tape.gradient(value, before, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return value, slope


def _elementwise(function: Any) -> bool:
    """Whether a function gives for each number what it gives for that number alone, and not the number itself."""
    if not callable(function):
        return False
    try:
        row = np.array([[-2.0, -0.3, 0.4, 3.0]], np.float32)
        together = np.asarray(function(tf.constant(row)))
        halves = [np.asarray(function(tf.constant(half))) for half in np.split(row, 2, axis=1)]
    except Exception:  # a layer for one shape alone, or what is no function of a tensor
        return False
    return (
        together.shape == row.shape
        and bool((together != row).any())
        and np.allclose(together, np.concatenate(halves, axis=1), atol=1e-6)
    )
