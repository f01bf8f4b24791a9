"""Pre-train a network greedily: train the hidden layers one by one, first to last, before training all together.

layer_wise: each layer is trained as the only hidden layer of a network that learns the targets from the outputs of the
    layers below (Bengio, Lamblin, Popovici, Larochelle 2007, "Greedy layer-wise training of deep networks").
autoencoder: each layer learns to reconstruct its own inputs through a linear decoder by mean squared error, without the
    targets (Hinton, Osindero, Teh 2006; Bengio et al. 2007).

While a layer is trained, the layers below do not change; their outputs for the training set are computed once, in
inference mode. The head of a layer (an output layer or a decoder) is initialised like an output layer, and discarded
after the layer's training; the output layer of the main training has its own initial weights. Each layer gets a new
optimizer, as the variant states it.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.foundations.seeds import Shuffles, derived_seed
from pipeline.foundations.tensorflow import tf
from pipeline.history import record as history
from pipeline.models import keras_objects, network
from pipeline.models.initial_weights import draw_stack
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.trainer import Observer
from pipeline.training.stacked import objectives
from pipeline.training.stacked.engine import Engine
from pipeline.training.stacked.forward import Forward, State
from pipeline.training.stacked.objectives import Objective

Stacks = dict[str, np.ndarray]
LayerShape = tuple[bool, int, int]  # of a hidden layer: whether it is the first, its inputs, its units


class Pretraining:
    """The pre-training of a variant, chunk by chunk."""

    def __init__(self, variant: VariantParams, name: str, split: Split, params: TrainingParams) -> None:
        """Build one block for each shape of a layer.

        Args:
            name: the variant's name, for error messages.
        """
        self._variant, self._name, self._params = variant, name, params
        self._inputs, self._targets = objectives.tensors(split.task, split.train)
        self._task = None if variant.pretraining == "autoencoder" else split.task
        # Layers of one shape share a block and its graphs; the first layer has no skip connection.
        shapes = enumerate(pairwise((split.inputs, *variant.widths)), start=1)
        self._shapes = {layer: (layer == 1, *shape) for layer, shape in shapes}
        self._blocks: dict[LayerShape, network.PretrainingBlock] = {}
        for layer, shape in self._shapes.items():
            if shape not in self._blocks:
                self._blocks[shape] = network.build_block(variant, layer, shape[1], self._task, name)
        self._trainees: dict[tuple[LayerShape, int], _Trainee] = {}

    def run(self, initial: Stacks, replicas: Sequence[int], observer: Observer) -> tuple[Stacks, xr.Dataset]:
        """Run the pre-training; return the main training's initial weights, and the record (see `history.record`).

        Args:
            initial: the initial value of every variable of the network by path, float32 [replica, *shape].
            replicas: the numbers of the replicas.
            observer: called after every epoch; epochs are counted from 1 over all layers.
        """
        stacks, losses = dict(initial), []
        inputs = tf.broadcast_to(self._inputs, (len(replicas), *self._inputs.shape))
        targets = tf.broadcast_to(self._targets, (len(replicas), *self._targets.shape))
        heads = self._heads(replicas)
        for layer in range(1, self._variant.hidden_layers + 1):
            block_paths = {
                path: network.path_in_block(path, layer) for path in stacks if network.is_of_layer(path, layer)
            }
            start = {inside: stacks[path] for path, inside in block_paths.items()} | heads[layer]
            trainee = self._trainee(layer, start, self._objective(inputs, targets))
            losses.append(self._train(trainee, layer, replicas, observer))
            trained = trainee.engine.stacks(trainee.engine.state)
            stacks |= {path: trained[inside] for path, inside in block_paths.items()}
            inputs = trainee.features(inputs)
        loss = np.stack(losses).transpose(2, 0, 1)
        loss_name = self._task.of_kind.loss_name if self._task else "mean squared error of the layer's inputs"
        return stacks, history.assemble_pretraining(replicas, loss_name, self._variant.pretraining, loss)

    def _objective(self, inputs: tf.Tensor, targets: tf.Tensor) -> Objective:
        """Return the objective of a block; each replica's inputs are the outputs of its own layers below."""
        if self._task is None:
            return Objective(inputs, inputs, objectives.mean_squared_error, is_shared=False)
        return Objective(inputs, targets, objectives.LOSSES[self._task.kind], is_shared=False)

    def _train(self, trainee: "_Trainee", layer: int, replicas: Sequence[int], observer: Observer) -> np.ndarray:
        """Train a block; return the loss before the first epoch and after each, [epoch, replica]."""
        shuffles = Shuffles(self._params.seed, replicas, len(self._targets), f"shuffle, pre-training of layer {layer}")
        losses, earlier = [trainee.loss()], (layer - 1) * self._variant.pretraining_epochs
        for epoch in range(earlier + 1, earlier + 1 + self._variant.pretraining_epochs):
            trainee.engine.train_epoch(shuffles.next_epochs(1)[0], record=False)
            losses.append(trainee.loss())
            observer.on_epochs(replicas, range(epoch, epoch + 1), {})
        return np.stack(losses)

    def _trainee(self, layer: int, start: Stacks, objective: Objective) -> "_Trainee":
        """Return a block that is ready to train; layers of one shape share its graphs."""
        key = (self._shapes[layer], len(start["hidden/kernel"]))
        if key in self._trainees:
            self._trainees[key].restart(start, objective)
        else:
            optimizer, clipping = keras_objects.optimizer(self._variant.optimizer, f"variants.{self._name}.optimizer")
            block = self._blocks[self._shapes[layer]]
            forward = Forward(block.network)
            engine = Engine(forward, optimizer, clipping, objective, start, self._params.batch_size)
            self._trainees[key] = _Trainee(block, forward, engine, objective)
        return self._trainees[key]

    def _heads(self, replicas: Sequence[int]) -> dict[int, Stacks]:
        """Draw the initial variables of each layer's head."""
        kernels: dict[int, np.ndarray] = {}
        for shape, block in self._blocks.items():
            head = block.network.model.get_layer("head")
            layers = [layer for layer, layer_shape in self._shapes.items() if layer_shape == shape]
            names = [f"pre-training of layer {layer}" for layer in layers]
            seeds = [
                [derived_seed(self._params.seed, each, name, "head/kernel") for each in replicas] for name in names
            ]
            head_kernels = draw_stack(head.kernel_initializer, tuple(head.kernel.shape), np.array(seeds))
            kernels |= dict(zip(layers, head_kernels, strict=True))
        return {
            layer: {"head/kernel": each, "head/bias": np.zeros((len(replicas), each.shape[-1]))}
            for layer, each in kernels.items()
        }


class _Trainee:
    """A block with the graphs that train it."""

    def __init__(self, block: network.PretrainingBlock, forward: Forward, engine: Engine, objective: Objective) -> None:
        self.engine = engine
        self._block, self._forward, self._objective = block, forward, objective

    def restart(self, start: Stacks, objective: Objective) -> None:
        """Start again with another layer's weights and data."""
        self.engine.restart(start, objective)
        self._objective = objective

    def loss(self) -> np.ndarray:
        """Return the loss on the whole training set in inference mode, [replica]."""
        return self._loss(self.engine.state, self._objective.inputs, self._objective.targets).numpy()

    def features(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the layer's outputs [replica, sample, unit] for inputs [replica, sample, input], in inference mode."""
        stacks, model = self.engine.stacks(self.engine.state), self._block.features
        trainable = tuple(tf.constant(stacks[variable.path]) for variable in model.trainable_variables)
        non_trainable = tuple(tf.constant(stacks[variable.path]) for variable in model.non_trainable_variables)
        return self._features(trainable, non_trainable, inputs)

    @tf.function(autograph=False)
    def _loss(self, state: State, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        return self._objective.loss(targets, self._forward(state, inputs, training=False, is_shared=False).outputs)

    @tf.function(autograph=False)
    def _features(self, trainable: tuple, non_trainable: tuple, inputs: tf.Tensor) -> tf.Tensor:
        def run_replica(elements: tuple) -> tf.Tensor:
            weights, statistics, rows = elements
            return self._block.features.stateless_call(list(weights), list(statistics), rows, training=False)[0]

        return tf.vectorized_map(run_replica, (trainable, non_trainable, inputs))
