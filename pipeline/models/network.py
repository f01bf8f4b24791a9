"""Build a variant's network: a Keras model with taps before and after every activation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pipeline.data.split.samples import Origin
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.tensorflow import keras
from pipeline.history.record import HIDDEN, OUTPUT, Layer
from pipeline.models import keras_objects
from pipeline.models.initializers import RandomizedAsymmetric
from pipeline.models.preprocessing import Inputs, raw_inputs, raw_outputs
from pipeline.params.variant_params import VariantParams


@dataclass(frozen=True)
class Network:
    """One architecture. Its weights are only a template: the engine keeps those of every replica.

    model: inputs [sample, input] -> predictions [sample, output].
    taps: the same layers; returns the list of all pre-activations (after the normalisation, if there is one), followed
        by the list of all activations.
    activations: the activation layer of each kernel layer, in the order of the taps.
    kernels: the paths of the kernels of layers 1, 2, ..., from the input.
    table: the layer table, in the same order.
    jointly: by the name of a dense layer, what draws its kernel and bias together. The model holds a standard
        initialiser in its place, which is never used, so that a saved model needs nothing of this project.
    """

    model: keras.Model
    taps: keras.Model
    activations: tuple[keras.layers.Layer, ...]
    kernels: tuple[str, ...]
    table: tuple[Layer, ...]
    jointly: Mapping[str, RandomizedAsymmetric]

    @property
    def layers(self) -> int:
        """Return the number of layers with a kernel, the output layer included."""
        return len(self.kernels)


def build(variant: VariantParams, inputs: int, task: Task, name: str, origin: Origin | None = None) -> Network:
    """Build the network of a variant.

    `head` is the output layer of the task: dense(1) - sigmoid for two classes, dense(classes) - softmax for more,
    dense(targets) for a regression.

    hidden_layers 1:  inputs - dense - activation - head
    hidden_layers 2:  inputs - dense - activation - dense - activation - head

    With batch normalisation each hidden layer is dense - normalisation - activation, as in Ioffe & Szegedy 2015 (arXiv
    1502.03167). The dense layer keeps its bias, although the normalisation cancels it, so that the initial weights are
    the same as without normalisation.

    With residual connections, a skip connection around each hidden layer from the second on is added to the activation:
    h + act(Wh + b), or h + act(normalised(Wh + b)). The first layer has none, because it maps inputs to units.

    hidden_layers 1:  h1 = act(dense(inputs))                       - head(h1)
    hidden_layers 2:  h1 as above, h2 = h1 + act(dense(h1))         - head(h2)
    hidden_layers 3:  h1, h2 as above, h3 = h2 + act(dense(h2))     - head(h3)

    Source: He et al. 2015 (arXiv 1512.03385), whose blocks have two or three layers and whose activation follows the
    sum. An activation within the block keeps the skip connection an identity (He et al. 2016, arXiv 1603.05027). With
    He's kernels the square of the signals at least doubles at each sum, so many layers also need normalisation, or far
    smaller kernels.

    A regulariser applies to the kernels of all layers, the output layer's too.

    Args:
        inputs: the number of inputs.
        task: the task of the output layer.
        name: the variant's name, for the model and for error messages.
        origin: how raw rows become inputs and outputs become raw targets; with it the model takes raw rows and returns
            raw targets. Training needs none, because it gets scaled rows.

    Raises:
        UserError: Keras does not know an activation, initialiser or regulariser, or the engine cannot replicate it.
    """
    path = f"variants.{name}"
    source, signal = raw_inputs(origin) if origin else (keras.Input((inputs,), name="inputs"),) * 2
    stack = _Stack(source, signal)
    kernels = {units: _initializer(variant, path, units) for units in variant.widths}
    penalty = _regularizer(variant, path, [inputs, *variant.widths, task.outputs])
    output_kernel = _output_initializer(variant, f"{path}.output_kernel_initializer", task.outputs)
    for number, units in enumerate(variant.widths, start=1):
        shortcut = variant.residual and number > 1
        _add_hidden(stack, variant, path, _part(number), units, kernels[units], penalty, shortcut)
    output = keras.layers.Dense(task.outputs, kernel_initializer=output_kernel, kernel_regularizer=penalty, name=OUTPUT)
    stack.add([output, keras.layers.Activation(task.of_kind.activation, name=f"{OUTPUT}_activation")], OUTPUT)
    if origin is not None:
        stack.signal = raw_outputs(origin, stack.signal)
    network = stack.network(name)
    _expect_replicable(network.activations[0], variant, f"{path}.activation")
    return network


@dataclass(frozen=True)
class Block:
    """One hidden layer with a temporary head, as greedy pre-training trains it.

    network: inputs -> predictions of the head.
    features: inputs -> inputs of the layer above, [sample, unit].
    """

    network: Network
    features: keras.Model


def build_block(variant: VariantParams, layer: int, inputs: int, task: Task | None, name: str) -> Block:
    """Build the block of a hidden layer of a variant, numbered from 1.

    to predict:     inputs - dense - activation (+ inputs, if it is residual) - the task's output layer
    to reconstruct: inputs - dense - activation - dense(inputs); a skip connection would leave nothing to learn

    Its parts are named `hidden`, `hidden_...` and `head`, whatever the layer's number.

    Args:
        inputs: the number of inputs; from the second layer on, the number of units of the layer below.
        task: the task of the head; without one it reconstructs the inputs.
    """
    path = f"variants.{name}"
    source = keras.Input((inputs,), name="inputs")
    stack = _Stack(source, source)
    units = variant.widths[layer - 1]
    outputs, last = (task.outputs, task.of_kind.activation) if task else (inputs, "linear")
    kernel, penalty = _initializer(variant, path, units), _regularizer(variant, path, [inputs, units, outputs])
    _add_hidden(stack, variant, path, HIDDEN, units, kernel, penalty, shortcut=variant.residual and layer > 1)
    features = keras.Model(stack.source, stack.signal, name=f"{name}_features")
    stack.signal = stack.signal if task else stack.after[-1]
    head_kernel = _output_initializer(variant, f"{path}.output_kernel_initializer", outputs)
    head = keras.layers.Dense(outputs, kernel_initializer=head_kernel, kernel_regularizer=penalty, name="head")
    stack.add([head, keras.layers.Activation(last, name="head_activation")], OUTPUT)
    return Block(stack.network(f"{name}_block"), features)


def is_of_layer(path: str, layer: int) -> bool:
    """Whether the variable belongs to that hidden layer, including its normalisation and activation."""
    return path.split("/")[0].split("_")[:2] == _part(layer).split("_")


def path_in_block(path: str, layer: int) -> str:
    """Return the path of a hidden layer's variable in its block, without the layer's number.

    For example, `hidden_07_normalisation/gamma` becomes `hidden_normalisation/gamma`.
    """
    return path.replace(_part(layer), HIDDEN, 1)


def _part(layer: int) -> str:
    return f"{HIDDEN}_{layer:02d}"


@dataclass
class _Stack:
    """Layers stacked on one another, and what a network keeps of those with a kernel."""

    source: Inputs
    signal: keras.KerasTensor
    dense: list[keras.layers.Dense] = field(default_factory=list)
    activations: list[keras.layers.Layer] = field(default_factory=list)
    before: list[keras.KerasTensor] = field(default_factory=list)
    after: list[keras.KerasTensor] = field(default_factory=list)
    table: list[Layer] = field(default_factory=list)
    jointly: dict[str, RandomizedAsymmetric] = field(default_factory=dict)

    def add(self, layers: list[keras.layers.Layer], role: str, shortcut: str = "") -> None:
        """Add a dense layer, a normalisation if there is one, and an activation.

        Args:
            shortcut: the name of the sum with a skip connection; empty for none.
        """
        *below, activation = layers
        value = self.signal
        for layer in below:
            value = layer(value)
        self.dense.append(below[0])
        self.activations.append(activation)
        self.before.append(value)
        self.after.append(activation(value))
        self.table.append(
            Layer(
                path=below[0].name,
                kind=type(below[0]).__name__,
                role=role,
                units=below[0].units,
                bypassed=bool(shortcut),
                has_activation=not _is_softmax(activation),
            )
        )
        skipped = self.signal
        self.signal = keras.layers.Add(name=shortcut)([skipped, self.after[-1]]) if shortcut else self.after[-1]

    def network(self, name: str) -> Network:
        """Return the network of all layers so far."""
        model = keras.Model(self.source, self.signal, name=name)
        taps = keras.Model(self.source, self.before + self.after, name=f"{name}_taps")
        kernels = tuple(layer.kernel.path for layer in self.dense)
        return Network(model, taps, tuple(self.activations), kernels, tuple(self.table), self.jointly)


def _add_hidden(
    stack: _Stack,
    variant: VariantParams,
    path: str,
    part: str,
    units: int,
    kernel: keras.initializers.Initializer | RandomizedAsymmetric,
    penalty: keras.regularizers.Regularizer | None,
    shortcut: bool,
) -> None:
    """Add a hidden layer whose parts are named after `part`."""
    if isinstance(kernel, RandomizedAsymmetric):
        stack.jointly[part] = kernel
        kernel = keras.initializers.HeNormal()  # the standard initialiser that is most like it
    layers = [keras.layers.Dense(units, kernel_initializer=_copy(kernel), kernel_regularizer=penalty, name=part)]
    if variant.batch_normalization:
        layers.append(keras.layers.BatchNormalization(name=f"{part}_normalisation"))
    layers.append(keras_objects.activation(variant.activation, f"{path}.activation", f"{part}_activation"))
    with keras_objects.reported_as_arguments(variant.activation, f"{path}.activation", "activation"):
        stack.add(layers, HIDDEN, shortcut=f"{part}_sum" if shortcut else "")


def _initializer(
    variant: VariantParams, path: str, units: int
) -> keras.initializers.Initializer | RandomizedAsymmetric:
    return keras_objects.initializer(variant.kernel_initializer, f"{path}.kernel_initializer", units)


def _regularizer(variant: VariantParams, path: str, sizes: list[int]) -> keras.regularizers.Regularizer | None:
    """Return the regulariser of the kernels between layers of these sizes, the inputs first."""
    return keras_objects.regularizer(variant.kernel_regularizer, f"{path}.kernel_regularizer", set(pairwise(sizes)))


def _output_initializer(variant: VariantParams, path: str, units: int) -> keras.initializers.Initializer:
    initializer = keras_objects.initializer(variant.output_kernel_initializer, path, units)
    if isinstance(initializer, RandomizedAsymmetric):
        name = variant.output_kernel_initializer.class_name
        raise UserError(f"{path}: {name}: must be another: it is for rectified units, which only hidden layers have")
    return initializer


def _is_softmax(activation: keras.layers.Layer) -> bool:
    """Whether a unit's value depends on the other units of the layer, so that it has no slope of its own."""
    is_function = isinstance(activation, keras.layers.Activation)
    return isinstance(activation, keras.layers.Softmax) or (is_function and activation.activation.__name__ == "softmax")


def _copy(initializer: keras.initializers.Initializer) -> keras.initializers.Initializer:
    # Keras warns if one initialiser without a seed serves two layers; the engine draws every replica's weights itself.
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def _expect_replicable(activation: keras.layers.Layer, variant: VariantParams, path: str) -> None:
    """Check that the engine can train replicas of the activation.

    Raises:
        UserError: it draws random numbers, keeps a state, or is not elementwise.
    """
    kind = type(activation).__name__
    # Such as dropout. Keras counts a layer's draws in one integer variable; each replica would need its own count and
    # seed, so that no draw depends on the other replicas.
    if any("seed" in variable.name for variable in activation.variables):
        raise UserError(f"{path}: {kind}: draws random numbers in training, which the engine cannot replicate yet")
    if activation.non_trainable_variables:
        raise UserError(f"{path}: {kind}: keeps a state beside its weights: must be an activation without one")
    units = activation.input.shape[-1]
    # An activation without weights is measured on all replicas at once, hence the second shape.
    shapes = [(2, units)] if activation.variables else [(2, units), (2, 3, units)]
    for shape in shapes:
        with keras_objects.reported_as_arguments(variant.activation, path, "activation"):
            value = activation(np.zeros(shape, np.float32))
        if hasattr(activation, "kernel") or tuple(value.shape) != shape or value.dtype != np.float32:
            fitting = "no kernel, and as many outputs as inputs, in float32"
            raise UserError(f"{path}: {kind}: must be an activation: {fitting}")
