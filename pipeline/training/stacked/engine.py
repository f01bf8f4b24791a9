"""All replicas of a variant in one graph: a replica axis, not a loop over replicas.

Every weight of every replica lies in one flat variable [replica, entry]. Keras's own layers run on it through
`stateless_call` under `vectorized_map`, and a Keras optimizer that is elementwise steps all replicas at once: the
gradient of the summed losses with respect to the stack is every replica's own gradient.
"""

import numpy as np

from pipeline.foundations.tensorflow import keras, tf
from pipeline.models.keras_objects import Clipping
from pipeline.models.layout import Layout
from pipeline.training.stacked import quantities
from pipeline.training.stacked.clipping import clip
from pipeline.training.stacked.forward import Forward, State
from pipeline.training.stacked.objectives import Objective


class Engine:
    """One chunk of replicas, and the compiled steps that train it."""

    def __init__(
        self,
        forward: Forward,
        optimizer: keras.optimizers.Optimizer,
        clipping: Clipping,
        objective: Objective,
        initial: dict[str, np.ndarray],
        batch_size: int,
    ) -> None:
        """Args: `initial` holds every variable's stack by path, float32 [replica, *shape]."""
        self._forward = forward
        self._layout, self._statistics_layout = forward.layout, forward.statistics_layout
        self._clipping = clipping
        self._optimizer = optimizer
        self._batch_size = batch_size
        self._objective = objective
        self._replicas = len(initial[forward.network.kernels[0]])
        self._weights = keras.Variable(self._flat(self._layout, initial), name="weights")
        self._statistics = tf.Variable(self._flat(self._statistics_layout, initial))
        optimizer.build([self._weights])
        self._fresh_optimizer = [np.asarray(variable) for variable in optimizer.variables]

    def restart(self, initial: dict[str, np.ndarray], objective: Objective) -> None:
        """Begin anew with other replicas, without compiling anew; there must be as many as before, and like data."""
        self._objective = objective
        self._weights.assign(self._flat(self._layout, initial))
        self._statistics.assign(self._flat(self._statistics_layout, initial))
        for variable, value in zip(self._optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)

    @property
    def state(self) -> State:
        """The present state: a snapshot, which later steps do not touch."""
        return State(tf.convert_to_tensor(self._weights.value), tf.convert_to_tensor(self._statistics))

    def stacks(self, state: State) -> dict[str, np.ndarray]:
        """Every variable of the network by path, float32 [replica, *shape]."""
        both = ((self._layout, state.weights), (self._statistics_layout, state.statistics))
        return {
            path: stack.numpy()
            for layout, flat in both
            for path, stack in zip(layout.paths, layout.variables(flat), strict=True)
        }

    def train_epoch(self, order: np.ndarray, record: bool) -> dict[str, tf.Tensor]:
        """One epoch of every replica.

        Args:
            order: int32 [replica, sample], each replica's order of the training samples.
            record: whether to keep and summarise the gradients.

        Returns:
            Where recorded: gradient statistics and `weight_change_l1`, [replica, layer] each; else nothing.
        """
        epoch = self._recorded_epoch if record else self._plain_epoch
        return epoch(order, self._objective.inputs, self._objective.targets)

    @tf.function(autograph=False)
    def _recorded_epoch(self, order: tf.Tensor, *data: tf.Tensor) -> dict[str, tf.Tensor]:
        before = tf.convert_to_tensor(self._weights.value)
        (kept,) = self._steps(order, data, tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=before.shape))
        change = tf.convert_to_tensor(self._weights.value) - before
        values = quantities.gradient_statistics(self._layout.kernel_entries(kept.stack()))
        return {**values, "weight_change_l1": quantities.weight_l1(self._layout.kernel_entries(change))}

    @tf.function(autograph=False)
    def _plain_epoch(self, order: tf.Tensor, *data: tf.Tensor) -> dict[str, tf.Tensor]:
        self._steps(order, data)
        return {}

    def _steps(
        self, order: tf.Tensor, data: tuple[tf.Tensor, ...], *kept: tf.TensorArray
    ) -> tuple[tf.TensorArray, ...]:
        """All batches of an epoch; `kept`, none or one array, takes their gradients.

        A graph loop over the full batches (unrolling them makes tracing 5 to 20 times slower), and a step of its own
        for the short last batch (padding would change batch normalisation).
        """
        size = self._batch_size
        full, rest = divmod(order.shape[1], size)
        batches = tf.transpose(tf.reshape(order[:, : full * size], (self._replicas, full, size)), (1, 0, 2))
        inputs, targets = (self._samples(whole, batches) for whole in data)  # [batch, replica, sample, ...]

        def full_batch(batch: tf.Tensor, *kept: tf.TensorArray) -> tuple:
            gradient = self._step(inputs[batch], targets[batch])
            return (batch + 1, *(array.write(batch, gradient) for array in kept))

        if full:
            _, *arrays = tf.while_loop(lambda batch, *_: batch < full, full_batch, (tf.constant(0), *kept))
            kept = tuple(arrays)
        if rest:
            gradient = self._step(*(self._samples(whole, order[None, :, -rest:])[0] for whole in data))
            kept = tuple(array.write(full, gradient) for array in kept)
        return kept

    def _samples(self, whole: tf.Tensor, batches: tf.Tensor) -> tf.Tensor:
        """The samples [batch, replica, sample, ...] of those that all share, or of each replica's own."""
        if self._objective.is_shared:
            return tf.gather(whole, batches)
        own = tf.gather(whole, tf.transpose(batches, (1, 0, 2)), axis=1, batch_dims=1)
        return tf.transpose(own, (1, 0, *range(2, len(own.shape))))

    def _step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """One step of every replica on its own batch; returns the gradient before it, [replica, entry]."""
        stack = tf.convert_to_tensor(self._weights.value)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(stack)
            state = State(stack, tf.convert_to_tensor(self._statistics))
            signals = self._forward(
                state, inputs, training=True, is_shared=False
            )  # each replica has a batch of its own
            loss = tf.reduce_sum(self._objective.loss(targets, signals.outputs) + signals.penalties)
        gradient = tape.gradient(loss, stack)
        self._optimizer.apply([clip(gradient, self._layout, self._clipping)], [self._weights])
        self._statistics.assign(signals.statistics)
        return gradient

    def _flat(self, layout: Layout, stacks: dict[str, np.ndarray]) -> np.ndarray:
        pieces = [np.reshape(stacks[path], (self._replicas, -1)) for path in layout.paths]
        return np.concatenate([np.zeros((self._replicas, 0)), *pieces], axis=1).astype(np.float32)
