"""List the kernels of any Keras model, each with the layer that owns it, at any depth of nesting."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import keras

from pipeline.history.record import BESIDE, HIDDEN, OUTPUT, Layer
from pipeline.recorder.structure import Graph, graph

# Weights with these names have the role BESIDE: a scale's or an embedding's gradient differs in size from a kernel's.
BESIDE_NAMES: Final = ("gamma", "scale", "embeddings", "alpha")
# Attributes of Keras's layers: the strength of dropout or noise, which act only in training mode.
RANDOM: Final = ("rate", "stddev", "dropout", "recurrent_dropout")
WITH_STATISTICS: Final = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)


@dataclass(frozen=True)
class Row:
    """A row of the layer table: a kernel, a recurrent kernel, an embedding or the scale of a normalisation.

    owner: the layer that has the kernel.
    path: the kernel's path in the model, without `/kernel` at its end.
    is_structured: whether Keras's graph contains the layer, so that `role` and `is_bypassed` are known.
    """

    variable: keras.Variable
    owner: keras.layers.Layer
    path: str
    role: str
    is_bypassed: bool
    is_structured: bool

    @property
    def units(self) -> int:
        """The number of units of the layer, or the last dimension of its kernel."""
        for name in ("units", "filters"):
            if isinstance(getattr(self.owner, name, None), int):
                return int(getattr(self.owner, name))
        return int(self.variable.shape[-1])

    def as_layer(self, role: str, is_bypassed: bool, has_activation: bool) -> Layer:
        """Return the row as a `Layer` of the record."""
        kind = type(self.owner).__name__
        return Layer(self.path, kind, role, self.units, bool(self.variable.trainable), is_bypassed, has_activation)


def rows(model: keras.Model) -> list[Row]:
    """Return a row for each kernel of a built model, in the order of its layers."""
    return list(_rows(model, is_bypassed=False, is_last=True, is_structured=True, visited=set()))


def children(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return the layers directly within a layer or a model, in order."""
    return list(layer.layers if isinstance(layer, keras.Model) else layer._layers)


def every_layer(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the model and all layers in it, at any depth, each once."""
    return list(_every(model, set()))


def has_modes(model: keras.Model) -> bool:
    """Return whether a layer works differently in training mode, as dropout, noise and batch normalisation do.

    A user's own layer counts if its call takes `training` and it contains no layers to which it may pass `training`.
    """
    return any(map(_has_modes, every_layer(model)))


def states(model: keras.Model) -> list[keras.Variable]:
    """Return the states that stateful layers carry from one batch to the next."""
    stateful = [layer for layer in every_layer(model) if getattr(layer, "stateful", False)]
    return [state for layer in stateful for state in keras.tree.flatten(getattr(layer, "states", None) or [])]


def batch_size(model: keras.Model) -> int | None:
    """Return how many rows a built model takes at a time; None where it takes any number."""
    inputs = getattr(getattr(model, "_functional", None) or model, "inputs", None) or []
    sizes = [each.shape[0] for each in (*keras.tree.flatten(inputs), *states(model))]
    return next((int(size) for size in sizes if size is not None), None)


def optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Return the optimizers that the model has as attributes, each once."""
    every = [each for each in vars(model).values() if isinstance(each, keras.optimizers.Optimizer)]
    return list({id(each): each for each in every}.values())


def inference_mode(model: keras.Model) -> dict[str, bool]:
    """Return the arguments that call the model in inference mode; empty if its call does not take `training`."""
    return {"training": False} if getattr(model, "_call_has_training_arg", True) else {}


def own_kernels(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return the layer's own kernels: weights of two dimensions or more, and the scale of a normalisation."""
    weights = [each for each in getattr(layer, "_trainable_variables", []) if each.name != "bias"]
    return [each for each in weights if len(each.shape) > 1 or each.name in ("gamma", "scale")]


def output_dropout(model: keras.Model) -> float:
    """Return the rate of a `Dropout` layer behind the last weights of a model; 0 without one."""
    for layer in reversed(children(model)):
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
            return float(layer.rate)
        if not isinstance(layer, keras.layers.Activation | keras.layers.Softmax | keras.layers.Dropout):
            break
    return 0.0


def _has_modes(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, WITH_STATISTICS):
        return True
    if not type(layer).__module__.startswith("keras."):
        return bool(getattr(layer, "_call_has_training_arg", False)) and not children(layer)
    if isinstance(layer, keras.layers.Lambda):
        return "training" in inspect.signature(layer.function).parameters
    rates = [each for each in (getattr(layer, name, None) for name in RANDOM) if isinstance(each, int | float)]
    if rates:
        return max(rates) > 0
    return any(isinstance(each, keras.random.SeedGenerator) for each in vars(layer).values())


def _every(layer: keras.layers.Layer, visited: set[int]) -> Iterator[keras.layers.Layer]:
    if id(layer) in visited:
        return
    visited.add(id(layer))
    yield layer
    for child in children(layer):
        yield from _every(child, visited)


def _is_judged(layer: keras.layers.Layer) -> bool:
    """Return whether the layer or a layer within it has a kernel that rules judge."""
    return any(kernel.name not in BESIDE_NAMES for each in _every(layer, set()) for kernel in own_kernels(each))


def _rows(
    layer: keras.layers.Layer, is_bypassed: bool, is_last: bool, is_structured: bool, visited: set[int]
) -> Iterator[Row]:
    if id(layer) in visited:
        return
    visited.add(id(layer))
    for variable in own_kernels(layer):
        role = BESIDE if variable.name in BESIDE_NAMES else OUTPUT if is_last else HIDDEN
        yield Row(variable, layer, variable.path.removesuffix("/kernel"), role, is_bypassed, is_structured)
    inner = children(layer)
    structure = graph(layer)
    last = _last(inner, structure)
    # A layer that is no model has no graph: its inner layers, such as a cell, are bypassed if it is bypassed.
    is_child_structured = is_structured and (structure is not None or not isinstance(layer, keras.Model))
    for child in inner:
        is_child_bypassed = is_bypassed or (structure is not None and structure.is_bypassed(child))
        yield from _rows(child, is_child_bypassed, is_last and id(child) in last, is_child_structured, visited)


def _last(inner: list[keras.layers.Layer], structure: Graph | None) -> set[int]:
    if structure is not None:
        return structure.last(lambda operation: isinstance(operation, keras.layers.Layer) and _is_judged(operation))
    return {id(child) for child in [child for child in inner if _is_judged(child)][-1:]}
