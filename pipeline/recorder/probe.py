"""Measure gradients, activity, loss and outputs of a model on fixed rows, the probe, in inference mode.

Each measurement is a pure function of weights and rows: a `StatelessScope` replaces Keras's variables, so the model's
statistics, seeds and metrics do not change. Imports TensorFlow with the user's own settings.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil, prod
from typing import Final, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array, Batch
from pipeline.history.record import SLOPE_FRACTIONS, count_type
from pipeline.recorder.activity import Activity
from pipeline.recorder.kernel_summary import kernel_summary
from pipeline.recorder.layers import Row, batch_size, inference_mode, states
from pipeline.recorder.one_trace import OneTrace
from pipeline.recorder.recurrence import Recurrence, time_values
from pipeline.recorder.structure import graph

NUMBERS_AT_ONCE: Final = 2**26  # largest number of float32 outputs of all layers in one pass: 0.25 GB
ROWS_AT_ONCE: Final = 256  # rows in one pass of a model without a graph: its number of outputs is unknown
Tensors: TypeAlias = Sequence[tf.Tensor]
# [loss without penalties, penalties], outputs, gradients by row of the layer table, new states of layers, and the sums
# of recurrent layers.
PassResult: TypeAlias = tuple[tf.Tensor, Batch, Tensors, Tensors, Tensors]


class Rows(NamedTuple):
    """Inputs, targets and sample weights as the model takes them; targets and weights may be None."""

    inputs: Batch
    targets: Batch
    weights: Batch

    @classmethod
    def of(cls, inputs: Batch, targets: Batch, weights: Batch) -> "Rows":
        """Return the rows as tensors; double precision becomes Keras's float type, as in `fit`."""
        return cls(*keras.tree.map_structure(_tensor, (inputs, targets, weights)))

    @property
    def size(self) -> int:
        """The number of rows."""
        return int(keras.tree.flatten(self.inputs)[0].shape[0])

    def between(self, start: int, stop: int) -> "Rows":
        """Return the rows from `start` to before `stop`."""
        return Rows(*keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[start:stop], tuple(self)))


# Takes all weights, the states of stateful layers, and some rows.
Pass: TypeAlias = Callable[[Tensors, Tensors, Rows], PassResult]


class ForwardPass(NamedTuple):
    """Results of a forward pass.

    loss: the mean loss without penalties; NaN if the model has no loss.
    penalties: the sum of the penalties that layers add.
    """

    loss: float
    outputs: Batch
    penalties: float


class Probe:
    """Measures a model by compiled functions; eagerly if the model runs eagerly.

    A model with a fixed batch size gets pieces of that size. Stateful layers begin each measurement with states of 0;
    each piece passes its states to the next one. The model's own states do not change.

    has_loss: whether `compute_loss` returns a loss.
    """

    def __init__(self, model: keras.Model, rows: Sequence[Row], histograms: bool) -> None:
        self.activity = Activity(model, rows)
        self.recurrence = Recurrence(model)
        self.has_loss = True
        self._model = model
        self._weights = model.weights
        self._states = states(model)
        self._batch = batch_size(model)
        index = {id(variable): number for number, variable in enumerate(self._weights)}
        self._kernels = [index[id(row.variable)] for row in rows]
        self._histograms = histograms
        self._count_type = count_type(max(prod(row.variable.shape) for row in rows))
        self._at_once = _rows_at_once(model)
        parameters = inspect.signature(model.compute_loss).parameters
        takes_mode = "training" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        self._loss_mode = {"training": False} if takes_mode else {}
        self._compiled_backward: Pass = self._compiled(self._backward)
        self._compiled_forward: Pass = self._compiled(self._forward)

    def state(self) -> list[tf.Tensor]:
        """Return a copy of all weights."""
        return [tf.identity(variable.value) for variable in self._weights]

    def kernels(self, state: Tensors) -> list[tf.Tensor]:
        """Return the kernels among all weights, by row."""
        return [state[index] for index in self._kernels]

    def measure(self, state: Tensors, data: Rows, before: Tensors | None) -> tuple[ForwardPass, dict[str, Array]]:
        """Measure loss, outputs, gradients and activity on all rows.

        Args:
            state: all weights.
            before: the kernels one epoch ago; None if unknown.

        Returns:
            The forward pass, and arrays [layer, ...] by their names in the record, of recurrent layers [call, step]; no
            gradients without a loss.
        """
        gradients: list[tf.Tensor] = []
        self.activity.restart()
        sums: list[Array] = []  # of recurrent layers
        losses, outputs, total = np.zeros(2), [], data.size
        for piece, result in self._pass_pieces(self._compiled_backward, state, data):
            piece_losses, output, piece_gradients, piece_sums = result
            outputs.append(output)
            piece_sums = [each.numpy() for each in piece_sums]
            sums = [a + b for a, b in zip(sums, piece_sums, strict=True)] if sums else piece_sums
            share = piece.size / total
            losses += np.asarray(piece_losses, np.float64) * share
            if share < 1:
                piece_gradients = [each * share for each in piece_gradients]
            gradients = (
                [a + b for a, b in zip(gradients, piece_gradients, strict=True)] if gradients else list(piece_gradients)
            )
        values = self._values(gradients, self.kernels(state), before) | self._activity()
        return _forward_pass(losses, outputs), values | time_values(self.recurrence.calls, sums)

    def evaluate(self, state: Tensors, data: Rows) -> ForwardPass:
        """Return loss and outputs only."""
        losses, outputs = np.zeros(2), []
        for piece, (piece_losses, output, *_) in self._pass_pieces(self._compiled_forward, state, data):
            losses += np.asarray(piece_losses, np.float64) * piece.size / data.size
            outputs.append(output)
        return _forward_pass(losses, outputs)

    def with_weights(self, weights: Mapping[int, Array | float], data: Rows) -> ForwardPass:
        """Return loss and outputs with other values of some weights.

        Args:
            weights: the values, by the id of the weight's variable.
        """
        state = [
            tf.broadcast_to(tf.cast(weights[id(variable)], now.dtype), now.shape) if id(variable) in weights else now
            for variable, now in zip(self._weights, self.state(), strict=True)
        ]
        return self.evaluate(state, data)

    def loss_of(self, data: Rows, outputs: Batch) -> float:
        """Return the loss of given outputs for the rows, without penalties."""
        return float(self.loss_tensor(data, outputs))

    def loss_tensor(self, data: Rows, outputs: Batch) -> tf.Tensor:
        """Return the loss of given outputs for the rows, without penalties, as a tensor that has a gradient."""
        # Regularisers read their weights from the scope.
        mapping = [(each, tf.convert_to_tensor(each.value)) for each in self._weights]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            loss = self._model.compute_loss(data.inputs, data.targets, outputs, data.weights, **self._loss_mode)
            penalties = self._model.losses
        return tf.cast(loss, tf.float32) - float(sum(float(each) for each in penalties))

    def measure_kernels(self, state: Tensors, before: Tensors | None) -> dict[str, Array]:
        """Return the values by layer that need no rows, such as weight norms."""
        return self._values([], self.kernels(state), before)

    def pieces(self, data: Rows) -> list[Rows]:
        """Split the rows into pieces for one pass each."""
        count = ceil(data.size / self._at_once) if self._batch is None else data.size // self._batch
        if count == 1:
            return [data]
        edges = np.linspace(0, data.size, count + 1).round().astype(int).tolist()
        return [data.between(start, stop) for start, stop in pairwise(edges)]

    def few(self, data: Rows, most: int) -> Rows:
        """Return the first rows, at most `most`; for a model with a fixed batch size at least one batch."""
        return data.between(0, most if self._batch is None else max(1, most // self._batch) * self._batch)

    def _compiled(self, function: Pass) -> Pass:
        if self._model.run_eagerly:
            return function
        return OneTrace(function) if self._batch is None else tf.function(function, autograph=False)

    def _values(self, gradients: Tensors, now: Tensors, before: Tensors | None) -> dict[str, Array]:
        values = kernel_summary(gradients, now, before, self._histograms)
        for name in ("gradient_histogram", "weight_histogram"):
            if name in values:
                values[name] = values[name].astype(self._count_type)
        return values

    def _activity(self) -> dict[str, Array]:
        """Return the shares of dead and saturated units by row; empty if no activation was measured."""
        shares = self.activity.read()
        if not shares:
            return {}
        dead_shares = np.zeros(len(self._kernels), np.float32)
        saturated = np.full((len(self._kernels), len(SLOPE_FRACTIONS)), np.nan, np.float32)
        for row, (dead_share, saturated_shares) in shares.items():
            dead_shares[row], saturated[row] = dead_share, saturated_shares
        return {"dead": dead_shares == 1, "dead_unit_share": dead_shares, "saturated_share": saturated}

    def _pass_pieces(
        self, function: Pass, state: Tensors, data: Rows
    ) -> Iterator[tuple[Rows, tuple[tf.Tensor, Batch, Tensors, Tensors]]]:
        """Yield each piece of rows with its results; layer states pass on to the next piece."""
        carried_states: Tensors = [tf.zeros(each.shape, each.dtype) for each in self._states]
        for piece in self.pieces(data):
            loss, outputs, gradients, carried_states, sums = function(state, carried_states, piece)
            yield piece, (loss, outputs, gradients, sums)

    def _backward(self, state: Tensors, carried_states: Tensors, data: Rows) -> PassResult:
        kernels = self.kernels(state)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            with self.recurrence.watching(tape), self.activity.watching():
                loss, losses, outputs, carried_states = self._losses(state, carried_states, data)
        if loss is None:
            return losses, outputs, [], carried_states, []
        sources = (kernels, self.recurrence.sequences)
        gradients, by_time = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [tf.cast(tf.convert_to_tensor(each), tf.float32) for each in gradients]
        return losses, outputs, gradients, carried_states, self.recurrence.sums(by_time)

    def _forward(self, state: Tensors, carried_states: Tensors, data: Rows) -> PassResult:
        _, losses, outputs, carried_states = self._losses(state, carried_states, data)
        return losses, outputs, [], carried_states, []

    def _losses(
        self, state: Tensors, carried_states: Tensors, data: Rows
    ) -> tuple[tf.Tensor | None, tf.Tensor, Batch, Tensors]:
        """Return the training loss or None, [loss without penalties, penalties], outputs, and new states."""
        mapping = [*zip(self._weights, state, strict=True), *zip(self._states, carried_states, strict=True)]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            outputs = self._model(data.inputs, **inference_mode(self._model))
            carried_states = [tf.convert_to_tensor(scope.get_current_value(each)) for each in self._states]
            loss = None
            if self.has_loss:
                try:
                    loss = self._model.compute_loss(data.inputs, data.targets, outputs, data.weights, **self._loss_mode)
                except Exception:  # `compile` got no loss: the model's own training step computes one
                    loss = None
            self.has_loss = loss is not None
            if loss is None:
                return None, tf.fill([2], tf.constant(np.nan, tf.float32)), outputs, carried_states
            # Without a compiled loss, the losses that layers add are the loss itself, not penalties.
            layer_losses = self._model.losses if getattr(self._model, "loss", None) is not None else []
            penalties = [tf.cast(each, tf.float32) for each in layer_losses]
        penalty = tf.add_n(penalties) if penalties else tf.constant(0.0)
        return loss, tf.stack([tf.cast(loss, tf.float32) - penalty, penalty]), outputs, carried_states


def _tensor(leaf: Batch) -> tf.Tensor | None:
    if leaf is None:
        return None
    array = np.asarray(leaf)
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype == np.float64 else array)


def _joined(outputs: list[Batch]) -> Batch:
    arrays = [keras.tree.map_structure(np.asarray, each) for each in outputs]
    if len(arrays) == 1:
        return arrays[0]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *arrays)


def _forward_pass(losses: Array, outputs: list[Batch]) -> ForwardPass:
    loss, penalties = losses.tolist()
    return ForwardPass(loss, _joined(outputs), penalties)


def _rows_at_once(model: keras.Model) -> int:
    structure = graph(model)
    if structure is None:
        return ROWS_AT_ONCE
    return max(1, NUMBERS_AT_ONCE // max(1, structure.number_count))
