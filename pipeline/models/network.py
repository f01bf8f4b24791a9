"""Build a variant's network: a Keras model, with the values before and after every activation as further outputs."""

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
    """One architecture. The engine keeps the weights of every replica; the model's own weights are never trained.

    model: inputs [sample, input] -> predictions [sample, output].
    taps: the same layers; the outputs are the pre-activations of all layers (after the normalisation, if there is
        one), then the activations of all layers.
    activations: the activation layer of each kernel layer, in the order of the taps.
    kernels: the paths of the kernels of layers 1, 2, ..., from the input.
    table: the layer table, in the same order.
    joint_initializers: the initialisers that draw kernel and bias together, by the name of the dense layer. In the
        model, these layers have a standard initialiser, which is never used: a saved model must not need this project.
    """

    model: keras.Model
    taps: keras.Model
    activations: tuple[keras.layers.Layer, ...]
    kernels: tuple[str, ...]
    table: tuple[Layer, ...]
    joint_initializers: Mapping[str, RandomizedAsymmetric]

    @property
    def layer_count(self) -> int:
        """Return the number of layers with a kernel, the output layer included."""
        return len(self.kernels)


def build(variant: VariantParams, inputs: int, task: Task, name: str, origin: Origin | None = None) -> Network:
    """Build the network of a variant.

    `head` is the task's output layer: dense(1) - sigmoid for two classes, dense(classes) - softmax for more classes,
    dense(targets) for a regression.

    hidden_layers 1:  inputs - dense - activation - head
    hidden_layers 2:  inputs - dense - activation - dense - activation - head

    With batch normalisation each hidden layer is dense - normalisation - activation, as in Ioffe & Szegedy 2015 (arXiv
    1502.03167). The dense layer keeps its bias, although the normalisation cancels it, so that the initial weights are
    the same as without normalisation.

    With `residual`, from the second hidden layer on, a skip connection adds the layer's inputs to its activations:
    h + act(Wh + b), or h + act(normalised(Wh + b)). The first layer has none, because it maps inputs to units.

    hidden_layers 1:  h1 = act(dense(inputs))                       - head(h1)
    hidden_layers 2:  h1 as above, h2 = h1 + act(dense(h1))         - head(h2)
    hidden_layers 3:  h1, h2 as above, h3 = h2 + act(dense(h2))     - head(h3)

    Source: He et al. 2015 (arXiv 1512.03385); there, a block has two or three layers, and the activation follows the
    sum. Here the activation precedes the sum, so that the skip connection is an identity (He et al. 2016, arXiv
    1603.05027). With He's kernels the square of the signals at least doubles at each sum, so many layers also need
    normalisation, or far smaller kernels.

    A regulariser applies to the kernels of all layers, including the output layer.

    Args:
        inputs: the number of inputs.
        task: the task of the output layer.
        name: the variant's name, for the model and for error messages.
        origin: the scaling of rows and targets. With it, the model takes raw rows and returns raw targets. Training
            does without it, because its rows are already scaled.

    Raises:
        UserError: Keras does not know an activation, initialiser or regulariser, or the engine cannot replicate the
            activation.
    """
    path = f"variants.{name}"
    source, signal = raw_inputs(origin) if origin else (keras.Input((inputs,), name="inputs"),) * 2
    stack = _Stack(source, signal)
    initializers = {units: _initializer(variant, path, units) for units in variant.widths}
    penalty = _regularizer(variant, path, [inputs, *variant.widths, task.outputs])
    output_kernel = _output_initializer(variant, f"{path}.output_kernel_initializer", task.outputs)
    for number, units in enumerate(variant.widths, start=1):
        has_skip = variant.residual and number > 1
        _add_hidden(stack, variant, path, _part(number), units, initializers[units], penalty, has_skip)
    output = keras.layers.Dense(task.outputs, kernel_initializer=output_kernel, kernel_regularizer=penalty, name=OUTPUT)
    stack.add([output, keras.layers.Activation(task.of_kind.activation, name=f"{OUTPUT}_activation")], OUTPUT)
    if origin is not None:
        stack.signal = raw_outputs(origin, stack.signal)
    network = stack.network(name)
    _expect_replicable(network.activations[0], variant, f"{path}.activation")
    return network


@dataclass(frozen=True)
class PretrainingBlock:
    """One hidden layer with a temporary head, as greedy pre-training trains it.

    network: inputs -> predictions of the head.
    features: inputs -> the inputs of the next layer, [sample, unit].
    """

    network: Network
    features: keras.Model


def build_block(variant: VariantParams, layer: int, inputs: int, task: Task | None, name: str) -> PretrainingBlock:
    """Build the block that pre-trains one hidden layer of a variant.

    The head that predicts the targets:    inputs - dense - activation (+ inputs, if residual) - the task's output layer
    The head that reconstructs the inputs: inputs - dense - activation - dense(inputs)

    The second has no skip connection, which would leave nothing to learn.

    The parts of the block are named `hidden`, `hidden_...` and `head`, whatever the layer's number.

    Args:
        layer: the number of the hidden layer, from 1.
        inputs: the number of inputs; from the second layer on, the number of units of the layer below.
        task: the task that the head predicts; None if the head reconstructs the inputs.
        name: the variant's name, for the model and for error messages.
    """
    path = f"variants.{name}"
    source = keras.Input((inputs,), name="inputs")
    stack = _Stack(source, source)
    units = variant.widths[layer - 1]
    outputs, head_activation = (task.outputs, task.of_kind.activation) if task else (inputs, "linear")
    kernel, penalty = _initializer(variant, path, units), _regularizer(variant, path, [inputs, units, outputs])
    _add_hidden(stack, variant, path, HIDDEN, units, kernel, penalty, has_skip=variant.residual and layer > 1)
    features = keras.Model(stack.source, stack.signal, name=f"{name}_features")
    stack.signal = stack.signal if task else stack.outputs[-1]
    head_kernel = _output_initializer(variant, f"{path}.output_kernel_initializer", outputs)
    head = keras.layers.Dense(outputs, kernel_initializer=head_kernel, kernel_regularizer=penalty, name="head")
    stack.add([head, keras.layers.Activation(head_activation, name="head_activation")], OUTPUT)
    return PretrainingBlock(stack.network(f"{name}_block"), features)


def is_of_layer(path: str, layer: int) -> bool:
    """Return whether the variable at `path` belongs to hidden layer `layer`, its normalisation or its activation."""
    return path.split("/")[0].split("_")[:2] == _part(layer).split("_")


def path_in_block(path: str, layer: int) -> str:
    """Return the path that a hidden layer's variable has in the layer's block: without the layer's number.

    For example, `hidden_07_normalisation/gamma` becomes `hidden_normalisation/gamma`.
    """
    return path.replace(_part(layer), HIDDEN, 1)


def _part(layer: int) -> str:
    return f"{HIDDEN}_{layer:02d}"


@dataclass
class _Stack:
    """The layers of a network that is being built, from the inputs up.

    source: the model's inputs.
    signal: the output of the last layer, which the next layer takes.
    dense_layers, activations, table: the layers and rows of the layer table so far, as in `Network`.
    pre_activations, outputs: the values before and after each activation.
    """

    source: Inputs
    signal: keras.KerasTensor
    dense_layers: list[keras.layers.Dense] = field(default_factory=list)
    activations: list[keras.layers.Layer] = field(default_factory=list)
    pre_activations: list[keras.KerasTensor] = field(default_factory=list)
    outputs: list[keras.KerasTensor] = field(default_factory=list)
    table: list[Layer] = field(default_factory=list)
    joint_initializers: dict[str, RandomizedAsymmetric] = field(default_factory=dict)

    def add(self, layers: list[keras.layers.Layer], role: str, sum_name: str = "") -> None:
        """Add a dense layer, a normalisation if there is one, and an activation.

        Args:
            layers: these layers, in this order.
            role: `hidden` or `output`.
            sum_name: the name of the layer that adds a skip connection; empty for no skip connection.
        """
        *linear_layers, activation = layers
        dense = linear_layers[0]
        inputs = value = self.signal
        for layer in linear_layers:
            value = layer(value)
        self.dense_layers.append(dense)
        self.activations.append(activation)
        self.pre_activations.append(value)
        self.outputs.append(activation(value))
        self.table.append(
            Layer(
                path=dense.name,
                kind=type(dense).__name__,
                role=role,
                units=dense.units,
                bypassed=bool(sum_name),
                has_activation=not _is_softmax(activation),
            )
        )
        output = self.outputs[-1]
        self.signal = keras.layers.Add(name=sum_name)([inputs, output]) if sum_name else output

    def network(self, name: str) -> Network:
        """Return the network of all added layers."""
        model = keras.Model(self.source, self.signal, name=name)
        taps = keras.Model(self.source, self.pre_activations + self.outputs, name=f"{name}_taps")
        kernels = tuple(layer.kernel.path for layer in self.dense_layers)
        return Network(model, taps, tuple(self.activations), kernels, tuple(self.table), self.joint_initializers)


def _add_hidden(
    stack: _Stack,
    variant: VariantParams,
    path: str,
    part: str,
    units: int,
    initializer: keras.initializers.Initializer | RandomizedAsymmetric,
    penalty: keras.regularizers.Regularizer | None,
    has_skip: bool,
) -> None:
    """Add a hidden layer; the names of all its layers begin with `part`."""
    if isinstance(initializer, RandomizedAsymmetric):
        stack.joint_initializers[part] = initializer
        initializer = keras.initializers.HeNormal()  # the most similar standard initialiser
    layers = [keras.layers.Dense(units, kernel_initializer=_copy(initializer), kernel_regularizer=penalty, name=part)]
    if variant.batch_normalization:
        layers.append(keras.layers.BatchNormalization(name=f"{part}_normalisation"))
    layers.append(keras_objects.activation(variant.activation, f"{path}.activation", f"{part}_activation"))
    with keras_objects.reported_as_arguments(variant.activation, f"{path}.activation", "activation"):
        stack.add(layers, HIDDEN, sum_name=f"{part}_sum" if has_skip else "")


def _initializer(
    variant: VariantParams, path: str, units: int
) -> keras.initializers.Initializer | RandomizedAsymmetric:
    return keras_objects.initializer(variant.kernel_initializer, f"{path}.kernel_initializer", units)


def _regularizer(variant: VariantParams, path: str, widths: list[int]) -> keras.regularizers.Regularizer | None:
    """Return the regulariser of the kernels between successive `widths`, which begin with the inputs."""
    return keras_objects.regularizer(variant.kernel_regularizer, f"{path}.kernel_regularizer", set(pairwise(widths)))


def _output_initializer(variant: VariantParams, path: str, units: int) -> keras.initializers.Initializer:
    initializer = keras_objects.initializer(variant.output_kernel_initializer, path, units)
    if isinstance(initializer, RandomizedAsymmetric):
        name = variant.output_kernel_initializer.class_name
        raise UserError(
            f"{path}: {name}: must be another initialiser: it needs rectified units, which the output layer lacks"
        )
    return initializer


def _is_softmax(activation: keras.layers.Layer) -> bool:
    """Return whether the layer is a softmax; a unit of a softmax has no slope of its own."""
    is_function = isinstance(activation, keras.layers.Activation)
    return isinstance(activation, keras.layers.Softmax) or (is_function and activation.activation.__name__ == "softmax")


def _copy(initializer: keras.initializers.Initializer) -> keras.initializers.Initializer:
    # Each layer gets its own copy, because Keras warns if one initialiser without a seed serves two layers.
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def _expect_replicable(activation: keras.layers.Layer, variant: VariantParams, path: str) -> None:
    """Check that the engine can train replicas of the activation.

    Raises:
        UserError: the activation draws random numbers, keeps a state, or is not elementwise.
    """
    kind = type(activation).__name__
    # Activations that draw random numbers, such as dropout, are rejected: Keras has one random generator for a layer,
    # but each replica would need its own, so that no draw depends on other replicas.
    if any("seed" in variable.name for variable in activation.variables):
        raise UserError(f"{path}: {kind}: draws random numbers in training: must be an activation without")
    if activation.non_trainable_variables:
        raise UserError(f"{path}: {kind}: keeps a state besides its weights: must be an activation without")
    units = activation.input.shape[-1]
    # The second shape is used because an activation without weights is measured on all replicas at once.
    shapes = [(2, units)] if activation.variables else [(2, units), (2, 3, units)]
    for shape in shapes:
        with keras_objects.reported_as_arguments(variant.activation, path, "activation"):
            value = activation(np.zeros(shape, np.float32))
        if hasattr(activation, "kernel") or tuple(value.shape) != shape or value.dtype != np.float32:
            fault = "has a kernel, or its outputs differ from its inputs in shape or type"
            raise UserError(f"{path}: {kind}: must be an activation, such as relu: it {fault}")
