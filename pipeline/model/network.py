"""A variant's network, as a Keras model with a tap before and behind every activation."""

from dataclasses import dataclass

import numpy as np

from pipeline.backend import keras
from pipeline.errors import UserError
from pipeline.model import keras_objects
from pipeline.params.variants import VariantParams


@dataclass(frozen=True)
class Network:
    """One architecture; its weights are a template, for the engine keeps every replica's.

    model: inputs [sample, input] -> probability of label 1 [sample, 1].
    taps: the same layers; returns a list, of each kernel layer's pre-activation, then of each one's activation.
    activations: the activation layer of each kernel layer, in the taps' order.
    kernels: the paths of the kernels, by layer, from the input; their positions are layers 1, 2, ...
    """

    model: keras.Model
    taps: keras.Model
    activations: tuple[keras.layers.Layer, ...]
    kernels: tuple[str, ...]

    @property
    def units(self) -> list[int]:
        """Units of each layer, the output's included."""
        return [tap.shape[-1] for tap in self.taps.outputs[: self.layers]]

    @property
    def layers(self) -> int:
        """Layers with a kernel, the output layer included."""
        return len(self.kernels)


def build(variant: VariantParams, inputs: int, name: str) -> Network:
    """The network of a variant.

    hidden_layers 1:  inputs - dense - activation - dense(1) - sigmoid
    hidden_layers 2:  inputs - dense - activation - dense - activation - dense(1) - sigmoid

    Args:
        inputs: number of inputs.
        name: the variant's name, for the model and for error messages.

    Raises:
        UserError: an activation or initialiser that Keras does not know or the engine cannot replicate.
    """
    path = f"variants.{name}"
    kernel = keras_objects.initializer(variant.kernel_initializer, f"{path}.kernel_initializer")
    output_kernel = keras_objects.initializer(variant.output_kernel_initializer, f"{path}.output_kernel_initializer")
    signal = source = keras.Input((inputs,), name="inputs")
    dense, activations, before, behind = [], [], [], []

    def add(layer: keras.layers.Dense, activation: keras.layers.Layer) -> keras.KerasTensor:
        dense.append(layer)
        activations.append(activation)
        before.append(layer(signal))
        behind.append(activation(before[-1]))
        return behind[-1]

    for number in range(1, variant.hidden_layers + 1):
        layer = keras.layers.Dense(variant.units, kernel_initializer=_copy(kernel), name=f"hidden_{number:02d}")
        name_of_activation = f"hidden_{number:02d}_activation"
        activation = keras_objects.activation(variant.activation, f"{path}.activation", name_of_activation)
        signal = add(layer, activation)
    output = keras.layers.Dense(1, kernel_initializer=output_kernel, name="output")
    signal = add(output, keras.layers.Activation("sigmoid", name="output_activation"))
    model = keras.Model(source, signal, name=name)
    _refuse(activations[0], f"{path}.activation")
    taps = keras.Model(source, before + behind, name=f"{name}_taps")
    return Network(model, taps, tuple(activations), tuple(layer.kernel.path for layer in dense))


def _copy(initializer: keras.initializers.Initializer) -> keras.initializers.Initializer:
    # Keras warns where one unseeded initialiser serves two layers; the engine draws every replica's weights itself.
    return initializer.clone() if hasattr(initializer, "clone") else initializer


def _refuse(activation: keras.layers.Layer, path: str) -> None:
    kind = type(activation).__name__
    if any("seed" in variable.name for variable in activation.variables):
        raise UserError(f"{path}: {kind}: draws random numbers in training, which the engine cannot replicate yet")
    row = np.zeros((1, *activation.input.shape[1:]), np.float32)
    if hasattr(activation, "kernel") or tuple(activation(row).shape) != row.shape:
        raise UserError(f"{path}: {kind}: must be an activation: no kernel, and as many outputs as inputs")
