"""Run the forward pass of all replicas at once."""

from threading import Lock
from typing import NamedTuple

from pipeline.foundations.tensorflow import tf
from pipeline.models.layout import Layout
from pipeline.models.network import Network


class State(NamedTuple):
    """The state of a chunk of replicas.

    weights: trainable variables, float32 [replica, entry].
    statistics: non-trainable variables, such as moving averages, float32 [replica, entry].
    """

    weights: tf.Tensor
    statistics: tf.Tensor


class Signals(NamedTuple):
    """The results of a forward pass.

    before: the pre-activations of each layer, [replica, sample, unit]; the output layer's come last.
    statistics: the statistics after the pass, [replica, entry]; training mode updates them.
    penalties: the losses that layers add, such as regularisation, [replica].
    """

    before: list[tf.Tensor]
    statistics: tf.Tensor
    penalties: tf.Tensor

    @property
    def outputs(self) -> tf.Tensor:
        """Return the output layer's pre-activations, [replica, sample, output]."""
        return self.before[-1]


class Forward:
    """Runs Keras's own layers on stacked weights, through `stateless_call` under `vectorized_map`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layout = Layout.of(network.taps.trainable_variables, network.kernels)
        self.statistics_layout = Layout.of(network.taps.non_trainable_variables)
        # Keras stores the losses of a call in its layers. Training and measuring trace in different threads; without
        # the lock, one thread could clear losses before the other has collected them. Steps do not take the lock.
        self._tracing = Lock()
        # Keras finds a call's losses by `id`, and keeps the ids of earlier calls. If a tensor were freed, the loss of
        # another layer could get its id, and Keras would drop that loss. So all losses are kept alive.
        self.losses: list[tf.Tensor] = []

    def __call__(self, state: State, inputs: tf.Tensor, training: bool, is_shared: bool = True) -> Signals:
        """Run the pass on shared inputs [sample, input], or on separate inputs [replica, sample, input].

        Args:
            is_shared: whether all replicas share the inputs.
        """
        layer_count = self.network.layer_count

        def run_replica(elements: tuple) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
            trainable, non_trainable, rows = (*elements, inputs) if is_shared else elements
            taps, updated, losses = self.network.taps.stateless_call(
                list(trainable), list(non_trainable), rows, training=training, return_losses=True
            )
            self.losses += losses
            flat = [tf.reshape(value, (-1,)) for value in updated]
            penalty = tf.add_n(losses) if losses else tf.zeros(())
            return taps[:layer_count], tf.concat(flat, 0) if flat else tf.zeros((0,)), penalty

        elements = (self.layout.variables(state.weights), self.statistics_layout.variables(state.statistics))
        with self._tracing:
            return Signals(*tf.vectorized_map(run_replica, elements if is_shared else (*elements, inputs)))
