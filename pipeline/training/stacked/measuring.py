"""Measure a state: pure functions of a snapshot, which touch nothing and may run beside the training that goes on."""

from pipeline.data.points import Split
from pipeline.foundations.tensorflow import keras, tf
from pipeline.history.record import GRADIENT_EDGES, WEIGHT_EDGES
from pipeline.training.probes import activity, gradients, histograms, weights
from pipeline.training.stacked.forward import Forward, State, cross_entropy, tensors

SLOPE_SAMPLES = 41  # from -1 to 1, 0 among them


class Measures:
    """The compiled measurements of one chunk of replicas."""

    def __init__(self, forward: Forward, split: Split, histograms: bool) -> None:
        """Args: `histograms` says whether the probes count the kernels' and gradients' entries."""
        self.network = forward.network
        self._forward = forward
        self._train = tensors(split.train)
        self._test = tensors(split.test)
        self._histograms = histograms

    @tf.function(autograph=False)
    def curves(self, state: State) -> dict[str, tf.Tensor]:
        """Loss and accuracy on the whole train and test sets in inference mode, [replica] each."""
        return self._curves(state, self._forward(state, self._train[0], training=False).logits)

    @tf.function(autograph=False)
    def all(self, state: State) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """The curves, and what the probes see on the full training set.

        The latter is [replica, layer], with an axis more for `saturated_share` (fraction) and the histograms (bin).

        The probes run in training mode, so that batch normalisation uses this set's own statistics: in inference mode
        an untrained one is nearly the identity. Where there are no statistics both modes are one, and so is the pass.
        """
        inputs, labels = self._train
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.weights)
            signals = self._forward(state, inputs, training=True)
            loss = tf.reduce_sum(cross_entropy(labels, signals.logits))
        gradient = tape.gradient(loss, state.weights)
        kernels, kernel_gradients = map(self._forward.layout.kernel_entries, (state.weights, gradient))
        values = {
            "probe_gradient_mean_abs": gradients.mean_abs(kernel_gradients),
            "weight_l1": weights.l1_norm(kernels),
            **self._activity(state, signals.before),
        }
        if self._histograms:
            values["gradient_histogram"] = histograms.counts(kernel_gradients, GRADIENT_EDGES)
            values["weight_histogram"] = histograms.counts(kernels, WEIGHT_EDGES)
        if self._forward.statistics_layout.shapes:
            return self._curves(state, self._forward(state, inputs, training=False).logits), values
        return self._curves(state, signals.logits), values

    @tf.function(autograph=False)
    def probabilities(self, state: State, inputs: tf.Tensor) -> tf.Tensor:
        """Predicted probability of label 1 in inference mode, [replica, sample], for inputs [sample, input]."""
        return tf.sigmoid(self._forward(state, inputs, training=False).logits)

    def _curves(self, state: State, train_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        test_logits = self._forward(state, self._test[0], training=False).logits
        values = {}
        for part, labels, logits in (("train", self._train[1], train_logits), ("test", self._test[1], test_logits)):
            # As Keras's binary accuracy: a probability of exactly one half, or not a number, predicts label 0.
            hit = tf.equal(tf.sigmoid(logits) > 0.5, labels > 0.5)
            values[f"{part}_loss"] = cross_entropy(labels, logits)
            values[f"{part}_accuracy"] = tf.reduce_mean(tf.cast(hit, tf.float32), axis=1)
        return values

    def _activity(self, state: State, before: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """What the units of each layer do."""
        position = {path: index for index, path in enumerate(self._forward.layout.paths)}
        variables = self._forward.layout.variables(state.weights)
        dead, saturated = [], []
        for layer, signal in zip(self.network.activations, before, strict=True):
            own = tuple(variables[position[variable.path]] for variable in layer.trainable_variables)
            value, slope = _with_slope(layer, own, signal)
            # Around 0, where initialisations put a unit: an exponential has no greatest slope anywhere else.
            line = tf.linspace(-1.0, 1.0, SLOPE_SAMPLES)[None, :, None]
            around = tf.broadcast_to(line, (*signal.shape[:1], SLOPE_SAMPLES, *signal.shape[2:]))
            greatest = tf.reduce_max(tf.abs(_with_slope(layer, own, around)[1]), axis=1)
            dead.append(activity.dead_unit_share(value, slope))
            saturated.append(activity.saturated_shares(value, slope, greatest))
        share = tf.stack(dead, axis=1)
        return {
            "dead": tf.equal(share, 1.0),
            "dead_unit_share": share,
            "saturated_share": tf.stack(saturated, axis=1),
        }


def _with_slope(
    layer: keras.layers.Layer, own: tuple[tf.Tensor, ...], before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """An elementwise activation's value and derivative at `before` [replica, sample, unit].

    Args:
        own: the layer's own weights, if it has any, [replica, *shape] each.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(before)
        if own:
            value = tf.vectorized_map(lambda each: layer.stateless_call(list(each[0]), [], each[1])[0], (own, before))
        else:
            value = layer(before)
    return value, tape.gradient(value, before)
