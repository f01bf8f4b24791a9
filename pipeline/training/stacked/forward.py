"""The forward pass of all replicas at once, and the losses."""

from collections.abc import Callable
from typing import NamedTuple

from pipeline.data.points import Points
from pipeline.foundations.tensorflow import tf
from pipeline.models.layout import Layout
from pipeline.models.network import Network


class State(NamedTuple):
    """A chunk at one moment. `weights`: trainable, `statistics`: not trainable; float32 [replica, entry] each."""

    weights: tf.Tensor
    statistics: tf.Tensor


class Signals(NamedTuple):
    """What a forward pass gives.

    logits: [replica, sample]. before: of each layer the pre-activation, [replica, sample, unit].
    statistics: as training mode leaves them, [replica, entry].
    """

    logits: tf.Tensor
    before: list[tf.Tensor]
    statistics: tf.Tensor


class Task(NamedTuple):
    """What is to be learned: `loss(targets, signals)` is [replica].

    inputs: [sample, input], and targets [sample], that all replicas share; or a replica axis before both.
    """

    inputs: tf.Tensor
    targets: tf.Tensor
    loss: Callable[[tf.Tensor, Signals], tf.Tensor]

    @property
    def is_shared(self) -> bool:
        """Whether all replicas learn from the same."""
        return len(self.inputs.shape) == 2


class Forward:
    """Keras's own layers on stacked weights: `stateless_call` under `vectorized_map`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layout = Layout.of(network.taps.trainable_variables, network.kernels)
        self.statistics_layout = Layout.of(network.taps.non_trainable_variables)

    def __call__(self, state: State, inputs: tf.Tensor, training: bool) -> Signals:
        """For inputs [replica, sample, input], or [sample, input] that all replicas share."""
        own_inputs = len(inputs.shape) == 3
        layers = self.network.layers

        def one(elements: tuple) -> tuple[list[tf.Tensor], tf.Tensor]:
            trainable, other, rows = elements if own_inputs else (*elements, inputs)
            taps, updated = self.network.taps.stateless_call(list(trainable), list(other), rows, training=training)
            flat = [tf.reshape(value, (-1,)) for value in updated]
            return taps[:layers], tf.concat(flat, 0) if flat else tf.zeros((0,))

        elements = (self.layout.variables(state.weights), self.statistics_layout.variables(state.statistics))
        before, statistics = tf.vectorized_map(one, (*elements, inputs) if own_inputs else elements)
        return Signals(before[-1][..., 0], before, statistics)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy over samples, [replica]; from logits, as Keras's compiled graph takes it."""
    every = tf.broadcast_to(labels, tf.shape(logits))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(every, logits), axis=1)


def classification(inputs: tf.Tensor, labels: tf.Tensor) -> Task:
    """To tell label 1 from label 0."""
    return Task(inputs, labels, lambda targets, signals: cross_entropy(targets, signals.logits))


def reconstruction(inputs: tf.Tensor, labels: tf.Tensor) -> Task:
    """To give the inputs back: mean squared error over samples and inputs; labels are not looked at."""
    return Task(
        inputs, inputs, lambda targets, signals: tf.reduce_mean(tf.square(targets - signals.before[-1]), axis=(1, 2))
    )


def tensors(points: Points) -> tuple[tf.Tensor, tf.Tensor]:
    """Inputs and labels, float32."""
    return tf.constant(points.inputs, tf.float32), tf.constant(points.labels, tf.float32)
