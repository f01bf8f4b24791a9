"""Measure recurrent layers by time step in the probe's pass; `history.time_profiles` defines the quantities.

During one pass, a wrapper replaces the loop over time of each recurrent layer: it watches the loop's input, keeps all
outputs, and returns what the loop returns. The loop is Keras's own, so it serves every cell, mask and direction.
Imports TensorFlow with the user's own settings.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array, Batch
from pipeline.history.time_profiles import TIME_VALUES, RecurrentCall
from pipeline.recorder.activity import Elementwise
from pipeline.recorder.gates import count_saturated, gate_function
from pipeline.recorder.layers import every_layer, own_kernels
from pipeline.recorder.replaced_attributes import replaced

MOST_CALLS: Final = 4  # of one layer in one pass; `TimeDistributed` calls its layer once for each of its own steps
GATE_ROWS: Final = 64  # from a piece with more rows, each n-th row measures the gates, at least so many


class Loop(Protocol):
    """A layer's loop over time: returns the last output, all outputs, and the states."""

    def __call__(
        self, sequences: tf.Tensor, initial_state: Batch, mask: tf.Tensor | None = None, **more: Batch
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]: ...


class _Reading:
    """Picks the recorded steps of each row in the order of reading, aligned at the row's last step without a mask.

    is_read: bool [row, recorded step], whether the row has this step and it is not masked.
    """

    def __init__(self, layer: keras.layers.RNN, inputs: tf.Tensor, mask: tf.Tensor | None, steps: Array) -> None:
        self._is_reversed = bool(layer.go_backwards)
        self._steps = steps - 1
        self._places: tf.Tensor | None = None  # int [row, recorded step]; None if all rows have the same; -1: no step
        self.is_read = tf.ones((tf.shape(inputs)[0], len(steps)), tf.bool)
        if mask is not None:
            unmasked = self.in_order(tf.reshape(tf.cast(mask, tf.bool), tf.shape(inputs)[:2]))
            later = tf.cumsum(tf.cast(unmasked, tf.int32), axis=1, reverse=True)
            masked_at_end = tf.reduce_sum(tf.cast(later == 0, tf.int32), axis=1)
            self._places = tf.maximum(self._steps[None] - masked_at_end[:, None], -1)
            self.is_read = tf.logical_and(self._places >= 0, self.pick(unmasked))

    def in_order(self, values: tf.Tensor) -> tf.Tensor:
        """Return values [row, step, ...] of the sequence in the order of reading."""
        return tf.reverse(values, [1]) if self._is_reversed else values

    def pick(self, values: tf.Tensor, every: int | tf.Tensor = 1) -> tf.Tensor:
        """Return the recorded steps of values, [row, recorded step, ...].

        Args:
            values: [row, step, ...] in the order of reading.
            every: values belong to each n-th row alone.
        """
        if self._places is None:
            return tf.gather(values, self._steps, axis=1)
        return tf.gather(values, tf.maximum(self._places[::every], 0), axis=1, batch_dims=1)

    def sum(self, values: tf.Tensor, every: int | tf.Tensor = 1) -> tf.Tensor:
        """Return the sum over rows of values [row, recorded step], without masked steps."""
        return tf.reduce_sum(tf.where(self.is_read[::every], values, 0.0), axis=0)


class _Call(NamedTuple):
    """A call of a recurrent layer.

    inputs: of the loop, [row, step, ...].
    state_sums: the sums over rows of the state's norm, of saturated and of all values of the gates [3, recorded step].
    """

    described: RecurrentCall
    inputs: tf.Tensor
    reading: _Reading
    state_sums: tf.Tensor

    def sums(self, gradient: tf.Tensor) -> tf.Tensor:
        """Return the sums over rows of |gradient|, its norm, and 1; then `state_sums`: float32 [6, recorded step].

        Args:
            gradient: of the mean loss by `inputs`.
        """
        rows = tf.cast(tf.shape(gradient)[0], tf.float32)  # of the mean loss
        by_row = tf.cast(self.reading.pick(self.reading.in_order(gradient)), tf.float32) * rows
        mean_abs = tf.reduce_mean(tf.abs(by_row), axis=list(range(2, len(by_row.shape))))
        counted = (mean_abs, _norm(by_row), tf.ones_like(mean_abs))
        return tf.concat([tf.stack([self.reading.sum(each) for each in counted]), self.state_sums], axis=0)


class Recurrence:
    """Measures the recurrent layers of one model.

    calls: the calls of the latest traced pass, in order.
    """

    def __init__(self, model: keras.Model) -> None:
        self.calls: list[RecurrentCall] = []
        self._layers = [layer for layer in every_layer(model) if isinstance(layer, keras.layers.RNN)]
        self._calls: list[_Call] = []  # of the present pass
        self._counts: dict[int, int] = {}  # of the present pass: how often a layer was called, by its id

    @property
    def sequences(self) -> list[tf.Tensor]:
        """The inputs of the present pass's calls: the gradient of the loss by them is to be taken."""
        return [call.inputs for call in self._calls]

    @contextmanager
    def watching(self, tape: tf.GradientTape) -> Iterator[None]:
        """Watch the loops of one pass of the model.

        Args:
            tape: records the pass.
        """
        self._calls, self._counts = [], {}
        trace = _trace()
        with replaced(
            [(each, "inner_loop", self._watched(each, each.inner_loop, tape, trace)) for each in self._layers]
        ):
            yield

    def sums(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return the sums over rows for each call of the present pass, see `_Call.sums`; then forget the calls.

        Args:
            gradients: of the mean loss by `sequences`.
        """
        calls, self._calls = self._calls, []
        self.calls = [call.described for call in calls]
        return [call.sums(gradient) for call, gradient in zip(calls, gradients, strict=True)]

    def _watched(self, layer: keras.layers.RNN, loop: Loop, tape: tf.GradientTape, trace: object) -> Loop:
        function = gate_function(layer)  # before `Activity` replaces the function of a simple cell

        def watched_loop(
            sequences: tf.Tensor, initial_state: Batch, mask: tf.Tensor | None = None, **more: Batch
        ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
            # Within another loop or a function of its own, such as `vectorized_map`, the tape does not see the input.
            if sequences.shape[1] is None or _trace() is not trace or self._counts.get(id(layer), 0) == MOST_CALLS:
                return loop(sequences, initial_state, mask, **more)
            number = self._counts[id(layer)] = self._counts.get(id(layer), 0) + 1
            inputs = tf.identity(sequences)  # both directions of a Bidirectional layer have the same input
            tape.watch(inputs)
            with replaced([(layer, "return_sequences", True)]):
                last, outputs, states = loop(inputs, initial_state, mask, **more)
            described = RecurrentCall.of(_path(layer), number, int(inputs.shape[1]))
            reading = _Reading(layer, inputs, mask, described.steps)
            first_state = keras.tree.flatten(initial_state)[0]
            state_sums = _state_sums(
                layer.cell, function, reading, *map(tf.stop_gradient, (inputs, first_state, outputs))
            )
            self._calls.append(_Call(described, inputs, reading, state_sums))
            return last, outputs, states

        return watched_loop


def time_values(calls: Sequence[RecurrentCall], sums: Sequence[Array]) -> dict[str, Array]:
    """Return the means over rows, [call, place among the steps of the longest call], by the names of TIME_VALUES.

    Args:
        sums: as `Recurrence.sums` returns them, of all rows.
    """
    if not calls:
        return {}
    longest = max(len(call.steps) for call in calls)
    values: dict[str, Array] = {name: np.full((len(calls), longest), np.nan, np.float32) for name in TIME_VALUES}
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, (mean_abs, norm, count, state_norm, saturated, pairs) in enumerate(sums):
            means = (mean_abs / count, norm / count, saturated / pairs, state_norm / count)
            for name, mean in zip(TIME_VALUES, means, strict=True):
                values[name][number, : len(mean)] = mean
    return values


def _state_sums(
    cell: keras.layers.Layer,
    function: Elementwise | None,
    reading: _Reading,
    inputs: tf.Tensor,
    first_state: tf.Tensor,
    outputs: tf.Tensor,
) -> tf.Tensor:
    """Return `_Call.state_sums`; the sums of the gates are 0 if their activation is None."""
    norms = reading.sum(_norm(tf.cast(reading.pick(outputs), tf.float32)))
    if function is None:
        return tf.stack([norms, tf.zeros_like(norms), tf.zeros_like(norms)])
    every = tf.maximum(1, tf.shape(inputs)[0] // GATE_ROWS)
    before = tf.concat([tf.cast(first_state, outputs.dtype)[::every, None], outputs[::every, :-1]], axis=1)
    picked = [reading.pick(each, every) for each in (reading.in_order(inputs[::every]), before)]
    return tf.stack([norms, *(reading.sum(each, every) for each in count_saturated(cell, function, *picked))])


def _norm(values: tf.Tensor) -> tf.Tensor:
    """Return the L2 norm of [row, step, ...] over all but rows and steps; scaled, as float32 has no square of 1e-23."""
    axes = list(range(2, len(values.shape)))
    largest = tf.reduce_max(tf.abs(values), axes, keepdims=True)
    scaled = tf.math.divide_no_nan(values, largest)
    return tf.sqrt(tf.reduce_sum(tf.square(scaled), axes)) * tf.squeeze(largest, axes)


def _path(layer: keras.layers.RNN) -> str:
    """Return the path of the layer's first kernel, as in the layer table."""
    cells = getattr(layer.cell, "cells", None) or [layer.cell]
    kernels = own_kernels(cells[0]) if isinstance(cells[0], keras.layers.Layer) else []
    return str(kernels[0].path.removesuffix("/kernel")) if kernels else str(layer.name)


def _trace() -> object:
    """Return the graph that is being traced; None in eager execution."""
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
