"""A variant's network, as a Keras model with a tap before and behind every activation."""

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
    """One architecture; its weights are a template, for the engine keeps every replica's.

    model: inputs [sample, input] -> predictions [sample, output].
    taps: the same layers; returns a list, of what enters each kernel layer's activation (behind a normalisation, where
        there is one), then of what leaves it.
    activations: the activation layer of each kernel layer, in the taps' order.
    kernels: the paths of the kernels, by layer, from the input; their positions are layers 1, 2, ...
    table: the layer table, in the same order.
    jointly: for dense layers by name what draws kernel and bias together. The model holds a stock initialiser in its
        place, which never draws: so a saved model needs nothing of this project.
    """

    model: keras.Model
    taps: keras.Model
    activations: tuple[keras.layers.Layer, ...]
    kernels: tuple[str, ...]
    table: tuple[Layer, ...]
    jointly: Mapping[str, RandomizedAsymmetric]

    @property
    def layers(self) -> int:
        """Layers with a kernel, the output layer included."""
        return len(self.kernels)


def build(variant: VariantParams, inputs: int, task: Task, name: str, origin: Origin | None = None) -> Network:
    """The network of a variant. `head` is the output layer that the task asks for: dense(1) - sigmoid for two classes,
    dense(classes) - softmax for more, dense(targets) for a regression.

    hidden_layers 1:  inputs - dense - activation - head
    hidden_layers 2:  inputs - dense - activation - dense - activation - head

    With batch normalisation each hidden layer is dense - normalisation - activation, as Ioffe & Szegedy 2015 (arXiv
    1502.03167) place it. Its bias, which the normalisation takes out again, stays: so the draws are those without it.

    With residual connections an identity path goes around each hidden layer from the second on, and is added to what
    leaves its activation: h + act(Wh + b), or h + act(normalised(Wh + b)). The first has none: it maps inputs to units.

    hidden_layers 1:  h1 = act(dense(inputs))                       - head(h1)
    hidden_layers 2:  h1 as above, h2 = h1 + act(dense(h1))         - head(h2)
    hidden_layers 3:  h1, h2 as above, h3 = h2 + act(dense(h2))     - head(h3)

    After He et al. 2015 (arXiv 1512.03385), whose blocks hold two or three layers and whose activation follows the sum;
    within the block it leaves the path a pure identity (He et al. 2016, arXiv 1603.05027). With He's kernels the
    square of the signals at least doubles at each sum: many layers need normalisation too, or far smaller kernels.

    A regulariser is of the kernels of all layers, the output layer's too.

    Args:
        inputs: number of inputs.
        task: what the output layer is for.
        name: the variant's name, for the model and for error messages.
        origin: how raw rows are made into inputs, and targets back into raw ones, so that the model does both; none by
            default, for training is handed scaled ones.

    Raises:
        UserError: an activation, initialiser or regulariser that Keras does not know or the engine cannot replicate.
    """
    path = f"variants.{name}"
    given, signal = raw_inputs(origin) if origin else (keras.Input((inputs,), name="inputs"),) * 2
    stack = _Stack(given, signal)
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
    _refuse(network.activations[0], variant, f"{path}.activation")
    return network


@dataclass(frozen=True)
class Block:
    """One hidden layer under a head that is thrown away, as greedy pre-training trains it.

    network: inputs -> what the head predicts. features: inputs -> what the layer above gets, [sample, unit].
    """

    network: Network
    features: keras.Model


def build_block(variant: VariantParams, layer: int, inputs: int, task: Task | None, name: str) -> Block:
    """A hidden layer of a variant, numbered from 1.

    to predict:     inputs - dense - activation (+ inputs, where it is residual) - the task's output layer
    to reconstruct: inputs - dense - activation - dense(inputs): around the layer there is nothing to learn

    Its parts are named `hidden`, `hidden_...` and `head`, whatever the layer's number.

    Args:
        inputs: number of inputs, which is that of units of the layer below for all layers but the first.
        task: what the head is for; without one it reconstructs the inputs.
    """
    path = f"variants.{name}"
    given = keras.Input((inputs,), name="inputs")
    stack = _Stack(given, given)
    units = variant.widths[layer - 1]
    outputs, last = (task.outputs, task.of_kind.activation) if task else (inputs, "linear")
    kernel, penalty = _initializer(variant, path, units), _regularizer(variant, path, [inputs, units, outputs])
    _add_hidden(stack, variant, path, HIDDEN, units, kernel, penalty, shortcut=variant.residual and layer > 1)
    features = keras.Model(stack.source, stack.signal, name=f"{name}_features")
    stack.signal = stack.signal if task else stack.behind[-1]
    head_kernel = _output_initializer(variant, f"{path}.output_kernel_initializer", outputs)
    head = keras.layers.Dense(outputs, kernel_initializer=head_kernel, kernel_regularizer=penalty, name="head")
    stack.add([head, keras.layers.Activation(last, name="head_activation")], OUTPUT)
    return Block(stack.network(f"{name}_block"), features)


def is_of_layer(path: str, layer: int) -> bool:
    """Whether the variable belongs to that hidden layer, its normalisation and activation included."""
    return path.split("/")[0].split("_")[:2] == _part(layer).split("_")


def path_in_block(path: str, layer: int) -> str:
    """Where a hidden layer's variable lies in its block: `hidden_07_normalisation/gamma` in
    `hidden_normalisation/gamma`."""
    return path.replace(_part(layer), HIDDEN, 1)


def _part(layer: int) -> str:
    return f"{HIDDEN}_{layer:02d}"


@dataclass
class _Stack:
    """Layers put on one another, and what a network remembers of those with a kernel."""

    source: Inputs
    signal: keras.KerasTensor
    dense: list[keras.layers.Dense] = field(default_factory=list)
    activations: list[keras.layers.Layer] = field(default_factory=list)
    before: list[keras.KerasTensor] = field(default_factory=list)
    behind: list[keras.KerasTensor] = field(default_factory=list)
    table: list[Layer] = field(default_factory=list)
    jointly: dict[str, RandomizedAsymmetric] = field(default_factory=dict)

    def add(self, layers: list[keras.layers.Layer], role: str, shortcut: str = "") -> None:
        """A dense layer, what stands between, and an activation; `shortcut` names the sum with what goes around."""
        *below, activation = layers
        value = self.signal
        for layer in below:
            value = layer(value)
        self.dense.append(below[0])
        self.activations.append(activation)
        self.before.append(value)
        self.behind.append(activation(value))
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
        around = self.signal
        self.signal = keras.layers.Add(name=shortcut)([around, self.behind[-1]]) if shortcut else self.behind[-1]

    def network(self, name: str) -> Network:
        """All of it."""
        model = keras.Model(self.source, self.signal, name=name)
        taps = keras.Model(self.source, self.before + self.behind, name=f"{name}_taps")
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
    """A hidden layer whose parts are named after `part`."""
    if isinstance(kernel, RandomizedAsymmetric):
        stack.jointly[part] = kernel
        kernel = keras.initializers.HeNormal()  # the nearest stock one
    layers = [keras.layers.Dense(units, kernel_initializer=_copy(kernel), kernel_regularizer=penalty, name=part)]
    if variant.batch_normalization:
        layers.append(keras.layers.BatchNormalization(name=f"{part}_normalisation"))
    layers.append(keras_objects.activation(variant.activation, f"{path}.activation", f"{part}_activation"))
    with keras_objects.told_in_one_line(variant.activation, f"{path}.activation", "activation"):
        stack.add(layers, HIDDEN, shortcut=f"{part}_sum" if shortcut else "")


def _initializer(
    variant: VariantParams, path: str, units: int
) -> keras.initializers.Initializer | RandomizedAsymmetric:
    return keras_objects.initializer(variant.kernel_initializer, f"{path}.kernel_initializer", units)


def _regularizer(variant: VariantParams, path: str, sizes: list[int]) -> keras.regularizers.Regularizer | None:
    """Of the kernels between layers of these sizes, the inputs first."""
    return keras_objects.regularizer(variant.kernel_regularizer, f"{path}.kernel_regularizer", set(pairwise(sizes)))


def _output_initializer(variant: VariantParams, path: str, units: int) -> keras.initializers.Initializer:
    made = keras_objects.initializer(variant.output_kernel_initializer, path, units)
    if isinstance(made, RandomizedAsymmetric):
        name = variant.output_kernel_initializer.class_name
        raise UserError(f"{path}: {name}: must be another: it is made for rectified units, and so for hidden layers")
    return made


def _is_softmax(activation: keras.layers.Layer) -> bool:
    """Whether a unit's value depends on the other units of the layer, so that it has no slope of its own."""
    is_function = isinstance(activation, keras.layers.Activation)
    return isinstance(activation, keras.layers.Softmax) or (is_function and activation.activation.__name__ == "softmax")


def _copy(initializer: keras.initializers.Initializer) -> keras.initializers.Initializer:
    # Keras warns where one unseeded initialiser serves two layers; the engine draws every replica's weights itself.
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def _refuse(activation: keras.layers.Layer, variant: VariantParams, path: str) -> None:
    kind = type(activation).__name__
    # Such as dropout. Keras counts its draws in a variable of whole numbers, one for the layer; each replica would need
    # a count and a seed of its own, of which no draw depends on the replicas beside it.
    if any("seed" in variable.name for variable in activation.variables):
        raise UserError(f"{path}: {kind}: draws random numbers in training, which the engine cannot replicate yet")
    if activation.non_trainable_variables:
        raise UserError(f"{path}: {kind}: keeps a state beside its weights: must be an activation, which keeps none")
    units = activation.input.shape[-1]
    # One without weights is handed all replicas at once, to be measured.
    shapes = [(2, units)] if activation.variables else [(2, units), (2, 3, units)]
    for shape in shapes:
        with keras_objects.told_in_one_line(variant.activation, path, "activation"):
            value = activation(np.zeros(shape, np.float32))
        if hasattr(activation, "kernel") or tuple(value.shape) != shape or value.dtype != np.float32:
            fitting = "no kernel, and as many outputs as inputs, in float32"
            raise UserError(f"{path}: {kind}: must be an activation: {fitting}")
