"""The forward pass of all replicas at once."""

from threading import Lock
from typing import NamedTuple

from pipeline.foundations.tensorflow import tf
from pipeline.models.layout import Layout
from pipeline.models.network import Network


class State(NamedTuple):
    """A chunk at one moment. `weights`: trainable, `statistics`: not trainable; float32 [replica, entry] each."""

    weights: tf.Tensor
    statistics: tf.Tensor


class Signals(NamedTuple):
    """What a forward pass gives.

    before: of each layer the pre-activation, [replica, sample, unit]; the output layer's comes last.
    statistics: as training mode leaves them, [replica, entry].
    penalties: what the layers add to the loss by themselves, such as regularisation, [replica].
    """

    before: list[tf.Tensor]
    statistics: tf.Tensor
    penalties: tf.Tensor

    @property
    def outputs(self) -> tf.Tensor:
        """The output layer's pre-activations, [replica, sample, output]."""
        return self.before[-1]


class Forward:
    """Keras's own layers on stacked weights: `stateless_call` under `vectorized_map`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layout = Layout.of(network.taps.trainable_variables, network.kernels)
        self.statistics_layout = Layout.of(network.taps.non_trainable_variables)
        # Keras keeps in its layers which losses they added in a call. Training and measuring trace in threads of their
        # own, and one would clear what the other is about to collect. Only tracing comes through here, no step.
        self._tracing = Lock()

    def __call__(self, state: State, inputs: tf.Tensor, training: bool, is_shared: bool = True) -> Signals:
        """For inputs [sample, input] that all replicas share, or [replica, sample, input] where they do not."""
        layers = self.network.layers

        def one(elements: tuple) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
            trainable, other, rows = (*elements, inputs) if is_shared else elements
            taps, updated, losses = self.network.taps.stateless_call(
                list(trainable), list(other), rows, training=training, return_losses=True
            )
            flat = [tf.reshape(value, (-1,)) for value in updated]
            penalty = tf.add_n(losses) if losses else tf.zeros(())
            return taps[:layers], tf.concat(flat, 0) if flat else tf.zeros((0,)), penalty

        elements = (self.layout.variables(state.weights), self.statistics_layout.variables(state.statistics))
        with self._tracing:
            return Signals(*tf.vectorized_map(one, elements if is_shared else (*elements, inputs)))
