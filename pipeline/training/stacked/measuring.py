"""Measure a snapshot of the replicas' state; this may run during the training."""

import numpy as np

from pipeline.data.split.samples import Split
from pipeline.foundations.tensorflow import keras, tf
from pipeline.history.record import GRADIENT_EDGES, SLOPE_FRACTIONS, SLOPE_GRID, WEIGHT_EDGES
from pipeline.training.stacked import objectives, quantities
from pipeline.training.stacked.forward import Forward, State


class Measures:
    """Measures a chunk of replicas by traced graphs."""

    def __init__(self, forward: Forward, split: Split, histograms: bool) -> None:
        """Prepare the measurements.

        Args:
            histograms: whether to compute histograms of kernels and gradients.
        """
        self.network = forward.network
        self._forward = forward
        self._task = split.task
        self._parts = {name: objectives.tensors(split.task, part) for name, part in split.parts.items()}
        self._histograms = histograms

    @tf.function(autograph=False)
    def curves(self, state: State) -> dict[str, tf.Tensor]:
        """Return loss and scores on all rows of every part, in inference mode, [replica] each."""
        return self._curves(state, self._forward(state, self._parts["train"][0], training=False).outputs)

    @tf.function(autograph=False)
    def all(self, state: State) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Return the curves, and the layer values of a probe: a pass over the whole training set.

        Layer values are [replica, layer], but `saturated_share` is [replica, layer, fraction], and histograms are
        [replica, layer, bin].

        The probe runs in training mode, so that batch normalisation uses this set's own statistics: in inference mode,
        untrained batch normalisation is nearly the identity. Without batch normalisation both modes are equal, and
        one pass gives curves and layer values.
        """
        inputs, targets = self._parts["train"]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.weights)
            signals = self._forward(state, inputs, training=True)
            loss = tf.reduce_sum(objectives.LOSSES[self._task.kind](targets, signals.outputs) + signals.penalties)
        gradient = tape.gradient(loss, state.weights)
        kernels, kernel_gradients = map(self._forward.layout.kernel_entries, (state.weights, gradient))
        values = {
            "probe_gradient_mean_abs": quantities.gradient_mean_abs(kernel_gradients),
            "weight_l1": quantities.weight_l1(kernels),
            **self._measure_activity(state, signals.before),
        }
        if self._histograms:
            values["gradient_histogram"] = quantities.histogram(kernel_gradients, GRADIENT_EDGES)
            values["weight_histogram"] = quantities.histogram(kernels, WEIGHT_EDGES)
        if self._forward.statistics_layout.shapes:
            return self._curves(state, self._forward(state, inputs, training=False).outputs), values
        return self._curves(state, signals.outputs), values

    @tf.function(autograph=False)
    def predictions(self, state: State, inputs: tf.Tensor) -> tf.Tensor:
        """Return predictions in inference mode, [replica, sample, output], for inputs [sample, input]."""
        return objectives.predictions(self._task, self._forward(state, inputs, training=False).outputs)

    def _curves(self, state: State, train_outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        values: dict[str, tf.Tensor] = {}
        for name, (inputs, targets) in self._parts.items():
            is_train = name == "train"
            outputs = train_outputs if is_train else self._forward(state, inputs, training=False).outputs
            scores = objectives.scores(self._task, targets, outputs)
            measured = {"loss": objectives.LOSSES[self._task.kind](targets, outputs), **scores}
            values |= {f"{name}_{what}": value for what, value in measured.items()}
        return values

    def _measure_activity(self, state: State, before: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return `dead`, `dead_unit_share` and `saturated_share` of each layer."""
        position = {path: index for index, path in enumerate(self._forward.layout.paths)}
        variables = self._forward.layout.variables(state.weights)
        dead, saturated = [], []
        for row, layer, signal in zip(self.network.table, self.network.activations, before, strict=True):
            if not row.has_activation:
                dead.append(tf.zeros(signal.shape[:1]))
                saturated.append(tf.fill((signal.shape[0], len(SLOPE_FRACTIONS)), np.float32(np.nan)))
                continue
            layer_weights = tuple(variables[position[variable.path]] for variable in layer.trainable_variables)
            value, slope = _with_slope(layer, layer_weights, signal)
            grid = tf.constant(SLOPE_GRID, tf.float32)[None, :, None]
            grid_signal = tf.broadcast_to(grid, (*signal.shape[:1], len(SLOPE_GRID), *signal.shape[2:]))
            greatest = tf.reduce_max(tf.abs(_with_slope(layer, layer_weights, grid_signal)[1]), axis=1)
            dead.append(quantities.dead_unit_share(value, slope))
            saturated.append(quantities.saturated_shares(value, slope, greatest))
        share = tf.stack(dead, axis=1)
        return {
            "dead": tf.equal(share, 1.0),
            "dead_unit_share": share,
            "saturated_share": tf.stack(saturated, axis=1),
        }


def _with_slope(
    layer: keras.layers.Layer, layer_weights: tuple[tf.Tensor, ...], before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return an elementwise activation's value and derivative at `before` [replica, sample, unit].

    Args:
        layer_weights: the activation layer's weights, if it has any, [replica, *shape] each.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(before)
        if layer_weights:
            value = tf.vectorized_map(
                lambda each: layer.stateless_call(list(each[0]), [], each[1])[0], (layer_weights, before)
            )
        else:
            value = layer(before)
    return value, tape.gradient(value, before)
