"""Train all replicas of a variant in one graph, with a replica axis instead of a loop over replicas.

All weights of all replicas are one flat variable [replica, entry]. Keras's own layers use it through `stateless_call`
under `vectorized_map`. The gradient of the summed losses consists of each replica's own gradient, so one step of an
elementwise Keras optimizer is a step of every replica; EXACT_OPTIMIZERS in `models/keras_objects` lists these.
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
    """The weights of one chunk of replicas, and the graphs that train them."""

    def __init__(
        self,
        forward: Forward,
        optimizer: keras.optimizers.Optimizer,
        clipping: Clipping,
        objective: Objective,
        initial: dict[str, np.ndarray],
        batch_size: int,
    ) -> None:
        """Set the initial weights.

        Args:
            initial: the initial value of every variable by path, float32 [replica, *shape].
        """
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
        self._initial_slots = [np.asarray(variable) for variable in optimizer.variables]

    def restart(self, initial: dict[str, np.ndarray], objective: Objective) -> None:
        """Start again with other replicas, without retracing; they must be as many, with data of the same shape."""
        self._objective = objective
        self._weights.assign(self._flat(self._layout, initial))
        self._statistics.assign(self._flat(self._statistics_layout, initial))
        for variable, value in zip(self._optimizer.variables, self._initial_slots, strict=True):
            variable.assign(value)

    @property
    def state(self) -> State:
        """Return a snapshot of the current state, which later steps do not change."""
        return State(tf.convert_to_tensor(self._weights.value), tf.convert_to_tensor(self._statistics))

    def stacks(self, state: State) -> dict[str, np.ndarray]:
        """Return every variable of the network by path, float32 [replica, *shape]."""
        layouts = ((self._layout, state.weights), (self._statistics_layout, state.statistics))
        return {
            path: stack.numpy()
            for layout, flat in layouts
            for path, stack in zip(layout.paths, layout.variables(flat), strict=True)
        }

    def train_epoch(self, order: np.ndarray, record: bool) -> dict[str, tf.Tensor]:
        """Train every replica for one epoch.

        Args:
            order: each replica's order of the training samples, int32 [replica, sample].
            record: whether to record the gradients of the epoch.

        Returns:
            If `record`: gradient statistics and `weight_change_l1`, [replica, layer] each; otherwise an empty dict.
        """
        epoch = self._recorded_epoch if record else self._plain_epoch
        return epoch(order, self._objective.inputs, self._objective.targets)

    @tf.function(autograph=False)
    def _recorded_epoch(self, order: tf.Tensor, *data: tf.Tensor) -> dict[str, tf.Tensor]:
        before = tf.convert_to_tensor(self._weights.value)
        (gradients,) = self._steps(
            order, data, tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=before.shape)
        )
        change = tf.convert_to_tensor(self._weights.value) - before
        values = quantities.gradient_statistics(self._layout.kernel_entries(gradients.stack()))
        return {**values, "weight_change_l1": quantities.weight_l1(self._layout.kernel_entries(change))}

    @tf.function(autograph=False)
    def _plain_epoch(self, order: tf.Tensor, *data: tf.Tensor) -> dict[str, tf.Tensor]:
        self._steps(order, data)
        return {}

    def _steps(
        self, order: tf.Tensor, data: tuple[tf.Tensor, ...], *gradients: tf.TensorArray
    ) -> tuple[tf.TensorArray, ...]:
        """Take the steps of all batches of an epoch.

        A loop in the graph takes the full batches, because tracing each batch takes 5 to 20 times as long. A short last
        batch is a separate step, because padding would change batch normalisation.

        Args:
            gradients: at most one array, to which each batch's gradient is written.
        """
        size = self._batch_size
        full, rest = divmod(order.shape[1], size)
        batches = tf.transpose(tf.reshape(order[:, : full * size], (self._replicas, full, size)), (1, 0, 2))
        inputs, targets = (self._samples(part, batches) for part in data)  # [batch, replica, sample, ...]

        def step_full_batch(batch: tf.Tensor, *arrays: tf.TensorArray) -> tuple:
            gradient = self._step(inputs[batch], targets[batch])
            return (batch + 1, *(array.write(batch, gradient) for array in arrays))

        if full:
            _, *arrays = tf.while_loop(lambda batch, *_: batch < full, step_full_batch, (tf.constant(0), *gradients))
            gradients = tuple(arrays)
        if rest:
            gradient = self._step(*(self._samples(part, order[None, :, -rest:])[0] for part in data))
            gradients = tuple(array.write(full, gradient) for array in gradients)
        return gradients

    def _samples(self, data: tf.Tensor, batches: tf.Tensor) -> tf.Tensor:
        """Return the samples [batch, replica, sample, ...] of batches, from shared data or from each replica's own."""
        if self._objective.is_shared:
            return tf.gather(data, batches)
        samples = tf.gather(data, tf.transpose(batches, (1, 0, 2)), axis=1, batch_dims=1)
        return tf.transpose(samples, (1, 0, *range(2, len(samples.shape))))

    def _step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Take one step of every replica on its own batch; return the gradient before clipping, [replica, entry]."""
        stack = tf.convert_to_tensor(self._weights.value)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(stack)
            state = State(stack, tf.convert_to_tensor(self._statistics))
            signals = self._forward(state, inputs, training=True, is_shared=False)
            loss = tf.reduce_sum(self._objective.loss(targets, signals.outputs) + signals.penalties)
        gradient = tape.gradient(loss, stack)
        self._optimizer.apply([clip(gradient, self._layout, self._clipping)], [self._weights])
        self._statistics.assign(signals.statistics)
        return gradient

    def _flat(self, layout: Layout, stacks: dict[str, np.ndarray]) -> np.ndarray:
        pieces = [np.reshape(stacks[path], (self._replicas, -1)) for path in layout.paths]
        return np.concatenate([np.zeros((self._replicas, 0)), *pieces], axis=1).astype(np.float32)
