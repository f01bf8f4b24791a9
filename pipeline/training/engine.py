"""All replicas of a variant in one graph: a replica axis, not a loop over replicas.

Every weight of every replica lies in one flat variable [replica, entry]. Keras's own layers run on it through
`stateless_call` under `vectorized_map`, and a Keras optimizer that is elementwise steps all replicas at once: the
gradient of the summed losses with respect to the stack is every replica's own gradient.
"""

from typing import NamedTuple

import numpy as np

from pipeline.backend import keras, tf
from pipeline.data.points import Split
from pipeline.model.keras_objects import Clipping
from pipeline.model.layout import Layout
from pipeline.model.network import Network
from pipeline.probes import activity, gradients, weights
from pipeline.training.clipping import clip

LayerValues = dict[str, tf.Tensor]


class State(NamedTuple):
    """A chunk at one moment. `weights`: trainable, `statistics`: not trainable; float32 [replica, entry] each."""

    weights: tf.Tensor
    statistics: tf.Tensor


class Engine:
    """The compiled operations on one chunk of replicas: step through an epoch, and measure a state."""

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        clipping: Clipping,
        split: Split,
        initial: dict[str, np.ndarray],
        batch_size: int,
    ) -> None:
        """Args: `initial` holds every variable's stack by path, float32 [replica, *shape]."""
        self._network = network
        self._clipping = clipping
        self._optimizer = optimizer
        self._batch_size = batch_size
        self._train = _tensors(split.train.inputs, split.train.labels)
        self._test = _tensors(split.test.inputs, split.test.labels)
        self._layout = Layout.of(network.taps.trainable_variables, network.kernels)
        self._statistics_layout = Layout.of(network.taps.non_trainable_variables)
        self._replicas = len(initial[network.kernels[0]])
        self._weights = keras.Variable(self._flat(self._layout, initial), name="weights")
        self._statistics = tf.Variable(self._flat(self._statistics_layout, initial))
        optimizer.build([self._weights])
        self._fresh_optimizer = [np.asarray(variable) for variable in optimizer.variables]

    def restart(self, initial: dict[str, np.ndarray]) -> None:
        """Begin anew with other replicas, without compiling anew; there must be as many as before."""
        self._weights.assign(self._flat(self._layout, initial))
        self._statistics.assign(self._flat(self._statistics_layout, initial))
        for variable, value in zip(self._optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)

    @property
    def layers(self) -> int:
        """Layers with a kernel."""
        return self._network.layers

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

    def train_epoch(self, order: np.ndarray, record: bool) -> LayerValues:
        """One epoch of every replica.

        Args:
            order: int32 [replica, sample], each replica's order of the training samples.
            record: whether to keep and summarise the gradients.

        Returns:
            Where recorded: gradient statistics and `weight_change_l1`, [replica, layer] each; else nothing.
        """
        return self._recorded_epoch(order) if record else self._plain_epoch(order)

    @tf.function(autograph=False)
    def _recorded_epoch(self, order: tf.Tensor) -> LayerValues:
        before = tf.convert_to_tensor(self._weights.value)
        (kept,) = self._steps(order, tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=before.shape))
        change = tf.convert_to_tensor(self._weights.value) - before
        values = gradients.batch_statistics(self._layout.kernel_entries(kept.stack()))
        return {**values, "weight_change_l1": weights.l1_norm(self._layout.kernel_entries(change))}

    @tf.function(autograph=False)
    def _plain_epoch(self, order: tf.Tensor) -> LayerValues:
        self._steps(order)
        return {}

    def _steps(self, order: tf.Tensor, *kept: tf.TensorArray) -> tuple[tf.TensorArray, ...]:
        """All batches of an epoch; `kept`, none or one array, takes their gradients.

        A graph loop over the full batches (unrolling them makes tracing 5 to 20 times slower), and a step of its own
        for the short last batch (padding would change batch normalisation).
        """
        inputs, labels = (tf.gather(whole, order) for whole in self._train)
        size = self._batch_size
        full, rest = divmod(order.shape[1], size)

        def full_batch(batch: tf.Tensor, *kept: tf.TensorArray) -> tuple:
            rows = batch * size + tf.range(size)
            gradient = self._step(tf.gather(inputs, rows, axis=1), tf.gather(labels, rows, axis=1))
            return (batch + 1, *(array.write(batch, gradient) for array in kept))

        if full:
            _, *arrays = tf.while_loop(lambda batch, *_: batch < full, full_batch, (tf.constant(0), *kept))
            kept = tuple(arrays)
        if rest:
            gradient = self._step(inputs[:, -rest:], labels[:, -rest:])
            kept = tuple(array.write(full, gradient) for array in kept)
        return kept

    def _step(self, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """One step of every replica on its own batch; returns the gradient before it, [replica, entry]."""
        stack = tf.convert_to_tensor(self._weights.value)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(stack)
            logits, statistics = self._forward(stack, tf.convert_to_tensor(self._statistics), inputs, training=True)
            loss = tf.reduce_sum(_cross_entropy(labels, logits))
        gradient = tape.gradient(loss, stack)
        self._optimizer.apply([clip(gradient, self._layout, self._clipping)], [self._weights])
        self._statistics.assign(statistics)
        return gradient

    def _forward(
        self, stack: tf.Tensor, statistics: tf.Tensor, inputs: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits [replica, sample] and the new statistics, for inputs [replica, sample, input] or [sample, input]."""
        own_inputs = len(inputs.shape) == 3

        def one(elements: tuple) -> tuple[tf.Tensor, tf.Tensor]:
            trainable, other, rows = elements if own_inputs else (*elements, inputs)
            taps, updated = self._network.taps.stateless_call(list(trainable), list(other), rows, training=training)
            flat = [tf.reshape(value, (-1,)) for value in updated]
            return taps[self._network.layers - 1][:, 0], tf.concat(flat, 0) if flat else tf.zeros((0,))

        elements = (self._layout.variables(stack), self._statistics_layout.variables(statistics))
        return tf.vectorized_map(one, (*elements, inputs) if own_inputs else elements)

    @tf.function(autograph=False)
    def curves(self, state: State) -> dict[str, tf.Tensor]:
        """Loss and accuracy on the whole train and test sets in inference mode, [replica] each."""
        inputs, labels = (tf.concat(both, 0) for both in zip(self._train, self._test, strict=True))
        logits, _ = self._forward(state.weights, state.statistics, inputs, training=False)
        cut = self._train[1].shape[0]
        values = {}
        for part, rows in (("train", slice(0, cut)), ("test", slice(cut, None))):
            # As Keras's binary accuracy: a probability of exactly one half, or not a number, predicts label 0.
            hit = tf.equal(tf.sigmoid(logits[:, rows]) > 0.5, labels[rows] > 0.5)
            values[f"{part}_loss"] = _cross_entropy(labels[rows], logits[:, rows])
            values[f"{part}_accuracy"] = tf.reduce_mean(tf.cast(hit, tf.float32), axis=1)
        return values

    @tf.function(autograph=False)
    def layer_values(self, state: State) -> LayerValues:
        """What the probes see on the full training set, [replica, layer] each; no state is touched.

        In training mode, so that batch normalisation uses this set's own statistics: in inference mode an untrained
        one is nearly the identity.
        """
        inputs, labels = self._train
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.weights)
            logits, _ = self._forward(state.weights, state.statistics, inputs, training=True)
            loss = tf.reduce_sum(_cross_entropy(labels, logits))
        gradient = tape.gradient(loss, state.weights)
        return {
            "probe_gradient_mean_abs": gradients.mean_abs(self._layout.kernel_entries(gradient)),
            "dead": self._dead(state, inputs),
            "weight_l1": weights.l1_norm(self._layout.kernel_entries(state.weights)),
        }

    def _dead(self, state: State, inputs: tf.Tensor) -> tf.Tensor:
        """bool [replica, layer]."""
        position = {path: index for index, path in enumerate(self._layout.paths)}

        def one(elements: tuple) -> tf.Tensor:
            trainable, other = elements
            taps, _ = self._network.taps.stateless_call(list(trainable), list(other), inputs, training=True)
            values, slopes = [], []
            for layer, before in zip(self._network.activations, taps, strict=False):
                own = [trainable[position[variable.path]] for variable in layer.trainable_variables]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(before)
                    value, _ = layer.stateless_call(own, [], before)
                values.append(value)
                slopes.append(tape.gradient(value, before))
            return activity.dead(values, slopes)

        elements = (self._layout.variables(state.weights), self._statistics_layout.variables(state.statistics))
        return tf.vectorized_map(one, elements)

    @tf.function(autograph=False)
    def probabilities(self, state: State, inputs: tf.Tensor) -> tf.Tensor:
        """Predicted probability of label 1 in inference mode, [replica, sample], for inputs [sample, input]."""
        return tf.sigmoid(self._forward(state.weights, state.statistics, inputs, training=False)[0])

    def _flat(self, layout: Layout, stacks: dict[str, np.ndarray]) -> np.ndarray:
        pieces = [np.reshape(stacks[path], (self._replicas, -1)) for path in layout.paths]
        return np.concatenate([np.zeros((self._replicas, 0)), *pieces], axis=1).astype(np.float32)


def _tensors(inputs: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(inputs, tf.float32), tf.constant(labels, tf.float32)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean binary cross-entropy over samples, [replica]; from logits, as Keras's compiled graph takes it."""
    every = tf.broadcast_to(labels, tf.shape(logits))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(every, logits), axis=1)
