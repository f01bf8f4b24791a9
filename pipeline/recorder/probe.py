"""The probe: gradient, activity, loss and predictions of fixed rows at a state of the model, in inference mode.

A pure function of weights and rows: Keras's variables are read through a `StatelessScope`, so no statistic, seed or
metric of the user's changes. Imports TensorFlow as the user has set it up.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil, prod
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.history.record import GRADIENT_EDGES, SLOPE_FRACTIONS, WEIGHT_EDGES, count_type
from pipeline.recorder.activity import Activity
from pipeline.recorder.layers import Row, batch_size, states
from pipeline.recorder.structure import graph

NUMBERS_AT_ONCE: Final = 2**26  # that a pass may hold, of all layers' outputs: 0.25 GB
ROWS_AT_ONCE: Final = 256  # where the model does not say how much a row needs


class Rows(NamedTuple):
    """Inputs, targets and sample weights, as the model takes them; the last two may be None."""

    inputs: Any
    targets: Any
    weights: Any

    @classmethod
    def of(cls, inputs: Any, targets: Any, weights: Any) -> "Rows":
        """As tensors; numbers of double precision become Keras's float type, as `fit` makes them."""
        return cls(*keras.tree.map_structure(_tensor, (inputs, targets, weights)))

    @property
    def size(self) -> int:
        """Rows of it."""
        return int(keras.tree.flatten(self.inputs)[0].shape[0])

    def some(self, start: int, stop: int) -> "Rows":
        """Those between."""
        return Rows(*keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[start:stop], tuple(self)))


class Seen(NamedTuple):
    """What a pass gives: the mean loss without penalties, NaN where there is none, and the model's outputs."""

    loss: float
    outputs: Any


class Probe:
    """The compiled measurements of a model. Where the model runs eagerly, so does the probe.

    A model that takes batches of a fixed size gets pieces of that size. Stateful layers begin each measurement with
    states of 0, which go on from piece to piece as copies: the model's own states stay as they are.

    has_loss: whether the loss of `compile` gave one.
    """

    def __init__(self, model: keras.Model, rows: Sequence[Row], histograms: bool) -> None:
        self.activity = Activity(model, rows)
        self.has_loss = True
        self._model = model
        self._weights = model.weights
        self._states = states(model)
        self._batch = batch_size(model)
        place = {id(variable): number for number, variable in enumerate(self._weights)}
        self._kernels = [place[id(row.variable)] for row in rows]
        self._histograms = histograms
        self._count_type = count_type(max(prod(row.variable.shape) for row in rows))
        self._at_once = _rows_at_once(model)
        parameters = inspect.signature(model.compute_loss).parameters
        takes_mode = "training" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        self._mode = {"training": False} if takes_mode else {}
        compiled = (lambda function: function) if model.run_eagerly else tf.function(autograph=False)
        self._pass, self._look, self._summary = (
            compiled(each) for each in (self._pass_of, self._look_of, self._summary_of)
        )

    def state(self) -> list[tf.Tensor]:
        """All weights as they are: a snapshot, which later steps do not touch."""
        return [tf.identity(variable.value) for variable in self._weights]

    def kernels(self, state: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The kernels among them, by row."""
        return [state[place] for place in self._kernels]

    def measure(
        self, state: Sequence[tf.Tensor], data: Rows, before: Sequence[tf.Tensor] | None
    ) -> tuple[Seen, dict[str, np.ndarray]]:
        """A pass with gradients and activity over all rows.

        Args:
            before: the kernels one epoch ago, if there were any.

        Returns:
            What was seen, and by names of the record a value for each row; without a loss no gradients.
        """
        gradients: list[tf.Tensor] = []
        losses, outputs, total = 0.0, [], data.size
        for some, (loss, given, found) in self._passed(self._pass, state, data):
            outputs.append(given)
            share = some.size / total
            losses += float(loss) * share
            if share < 1:
                found = [each * share for each in found]
            gradients = [a + b for a, b in zip(gradients, found, strict=True)] if gradients else list(found)
        return Seen(losses, _joined(outputs)), self._values(gradients, self.kernels(state), before)

    def look(self, state: Sequence[tf.Tensor], data: Rows) -> Seen:
        """Loss and outputs alone."""
        return self._seen(self._look, state, data)

    def with_weights(self, weights: Mapping[int, Any], data: Rows) -> Seen:
        """Loss and outputs as they would be with other weights, by the ids of their variables; not compiled."""
        state = [
            tf.broadcast_to(tf.cast(weights[id(each)], each.dtype), each.shape) if id(each) in weights else each.value
            for each in self._weights
        ]
        return self._seen(self._look_of, state, data)

    def loss_of(self, data: Rows, outputs: Any) -> float:
        """The loss of other outputs for the same rows, without penalties."""
        mapping = list(zip(self._weights, self.state(), strict=True))  # a regulariser asks the scope for its weights
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            loss = self._model.compute_loss(data.inputs, data.targets, outputs, data.weights, **self._mode)
            penalties = self._model.losses
        return float(loss) - float(sum(float(each) for each in penalties))

    def weigh(self, state: Sequence[tf.Tensor], before: Sequence[tf.Tensor] | None) -> dict[str, np.ndarray]:
        """What is known of the kernels themselves, with no rows to pass."""
        return self._values([], self.kernels(state), before)

    def _values(
        self, gradients: Sequence[tf.Tensor], now: Sequence[tf.Tensor], before: Sequence[tf.Tensor] | None
    ) -> dict[str, np.ndarray]:
        summary = self._summary(gradients, now, now if before is None else before)  # so it is traced but once
        if before is None:
            del summary["weight_change_l1"]
        found = {name: each.numpy() for name, each in summary.items()}
        for name in ("gradient_histogram", "weight_histogram"):
            if name in found:
                found[name] = found[name].astype(self._count_type)
        if not self.activity.measured:
            return found
        dead = np.zeros(len(now), np.float32)
        saturated = np.full((len(now), len(SLOPE_FRACTIONS)), np.nan, np.float32)
        for place, row in enumerate(self.activity.measured):
            dead[row], saturated[row] = found["dead_unit_share"][place], found["saturated_share"][place]
        return found | {"dead": dead == 1, "dead_unit_share": dead, "saturated_share": saturated}

    def pieces(self, data: Rows) -> list[Rows]:
        """Return the rows in pieces that the model takes at a time."""
        pieces = ceil(data.size / self._at_once) if self._batch is None else data.size // self._batch
        if pieces == 1:
            return [data]
        edges = np.linspace(0, data.size, pieces + 1).round().astype(int).tolist()
        return [data.some(start, stop) for start, stop in pairwise(edges)]

    def few(self, data: Rows, most: int) -> Rows:
        """Return the first rows, at most so many; of a model that takes batches of a fixed size at least one batch."""
        return data.some(0, most if self._batch is None else max(1, most // self._batch) * self._batch)

    def _seen(self, function: Callable[..., tuple], state: Sequence[tf.Tensor], data: Rows) -> Seen:
        loss, outputs = 0.0, []
        for some, (piece_loss, given) in self._passed(function, state, data):
            loss += float(piece_loss) * some.size / data.size
            outputs.append(given)
        return Seen(loss, _joined(outputs))

    def _passed(
        self, function: Callable[..., tuple], state: Sequence[tf.Tensor], data: Rows
    ) -> Iterator[tuple[Rows, list[Any]]]:
        """Yield each piece and what the function gives for it; what stateful layers carry is handed on."""
        carried = [tf.zeros(each.shape, each.dtype) for each in self._states]
        for some in self.pieces(data):
            *found, carried = function(state, carried, *some)
            yield some, found

    def _pass_of(
        self, state: Sequence[tf.Tensor], carried: Sequence[tf.Tensor], inputs: Any, targets: Any, weights: Any
    ) -> tuple:
        kernels = self.kernels(state)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            with self.activity.watched():
                loss, curve, outputs, carried = self._losses(state, carried, inputs, targets, weights)
        if loss is None:
            return curve, outputs, [], carried
        found = tape.gradient(loss, kernels, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return curve, outputs, [tf.cast(tf.convert_to_tensor(each), tf.float32) for each in found], carried

    def _look_of(
        self, state: Sequence[tf.Tensor], carried: Sequence[tf.Tensor], inputs: Any, targets: Any, weights: Any
    ) -> tuple:
        _, curve, outputs, carried = self._losses(state, carried, inputs, targets, weights)
        return curve, outputs, carried

    def _losses(
        self, state: Sequence[tf.Tensor], carried: Sequence[tf.Tensor], inputs: Any, targets: Any, weights: Any
    ) -> tuple:
        """The loss that is trained, or None; the same without its penalties; the outputs; and what stateful layers
        carry on."""
        mode = {"training": False} if getattr(self._model, "_call_has_training_arg", True) else {}
        mapping = [*zip(self._weights, state, strict=True), *zip(self._states, carried, strict=True)]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            outputs = self._model(inputs, **mode)
            carried = [tf.convert_to_tensor(scope.get_current_value(each)) for each in self._states]
            loss = None
            if self.has_loss:
                try:
                    loss = self._model.compute_loss(inputs, targets, outputs, weights, **self._mode)
                except Exception:  # none was given to `compile`: the model's own training step has another
                    loss = None
            self.has_loss = loss is not None
            if loss is None:
                return None, tf.constant(np.nan, tf.float32), outputs, carried
            # Where no loss is compiled, what the layers add is the loss.
            added = self._model.losses if getattr(self._model, "loss", None) is not None else []
            penalties = [tf.cast(each, tf.float32) for each in added]
        curve = tf.cast(loss, tf.float32)
        return loss, curve - tf.add_n(penalties) if penalties else curve, outputs, carried

    def _summary_of(
        self, gradients: Sequence[tf.Tensor], now: Sequence[tf.Tensor], before: Sequence[tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        flat, slopes = ([tf.reshape(tf.cast(each, tf.float32), [-1]) for each in some] for some in (now, gradients))
        values = {"weight_l1": tf.stack([tf.reduce_sum(tf.abs(each)) for each in flat])}
        values["unit_spread"] = tf.stack([_unit_spread(tf.cast(each, tf.float32)) for each in now])
        changes = [after - earlier for after, earlier in zip(now, before, strict=True)]
        values["weight_change_l1"] = tf.stack([tf.reduce_sum(tf.abs(each)) for each in changes])
        if gradients:
            values["probe_gradient_mean_abs"] = tf.stack([tf.reduce_mean(tf.abs(each)) for each in slopes])
        if self._histograms:
            values["weight_histogram"] = tf.stack([_counts(each, WEIGHT_EDGES) for each in flat])
            if gradients:
                values["gradient_histogram"] = tf.stack([_counts(each, GRADIENT_EDGES) for each in slopes])
        if self.activity.measured:
            values["dead_unit_share"], values["saturated_share"] = self.activity.read()
        return values


def _unit_spread(kernel: tf.Tensor) -> tf.Tensor:
    """0 where all units are equal, a kernel of zeros among them; NaN of one unit."""
    if kernel.shape.rank < 2 or kernel.shape[-1] == 1:
        return tf.constant(np.nan, tf.float32)
    by_unit = tf.reshape(kernel, [-1, kernel.shape[-1]])
    greatest = tf.reduce_max(tf.reduce_max(by_unit, axis=1) - tf.reduce_min(by_unit, axis=1))
    return tf.math.divide_no_nan(greatest, tf.reduce_max(tf.abs(kernel)))


def _tensor(leaf: Any) -> Any:
    if leaf is None:
        return None
    array = np.asarray(leaf)
    return tf.convert_to_tensor(array.astype(keras.config.floatx()) if array.dtype == np.float64 else array)


def _counts(flat: tf.Tensor, edges: Sequence[float]) -> tf.Tensor:
    """Entries in each bin, edges[b - 1] <= x < edges[b]; what is not a number is in none."""
    place = tf.raw_ops.Bucketize(input=flat, boundaries=list(edges))
    place = tf.where(tf.math.is_nan(flat), -1, place)
    return tf.math.unsorted_segment_sum(tf.ones_like(place), place, len(edges) + 1)


def _joined(outputs: list[Any]) -> Any:
    arrays = [keras.tree.map_structure(np.asarray, each) for each in outputs]
    if len(arrays) == 1:
        return arrays[0]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *arrays)


def _rows_at_once(model: keras.Model) -> int:
    joined = graph(model)
    if joined is None:
        return ROWS_AT_ONCE
    return max(1, NUMBERS_AT_ONCE // max(1, joined.entries))
