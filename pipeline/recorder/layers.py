"""The layer table of any Keras model: a row for each kernel, however deep the layer that owns it lies."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras

from pipeline.history.record import BESIDE, HIDDEN, OUTPUT, Layer
from pipeline.recorder.structure import Graph, graph

# Of what is BESIDE: gradients of a scale or of a table have another size than a kernel's.
BESIDE_NAMES: Final = ("gamma", "scale", "embeddings", "alpha")
# Keras's names for how much a layer drops or adds at random, in training mode alone.
RANDOM: Final = ("rate", "stddev", "dropout", "recurrent_dropout")
WITH_STATISTICS: Final = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)


@dataclass(frozen=True)
class Row:
    """A kernel: a recurrent one, an embedding's table and a normalisation's scale are rows too.

    path: the kernel's path in the model, without its last part where that says no more than `kernel`.
    owner: the layer that has it. structured: whether Keras's graph says what goes around it.
    """

    variable: keras.Variable
    owner: keras.layers.Layer
    path: str
    role: str
    bypassed: bool
    structured: bool

    @property
    def units(self) -> int:
        """Of the layer, or the last dimension of its kernel."""
        for name in ("units", "filters"):
            if isinstance(getattr(self.owner, name, None), int):
                return int(getattr(self.owner, name))
        return int(self.variable.shape[-1])

    def described(self, has_activation: bool, bypassed: bool) -> Layer:
        """As the record has it."""
        kind = type(self.owner).__name__
        trained = bool(self.variable.trainable)
        return Layer(self.path, kind, self.role, self.units, trained, bypassed, has_activation)


def rows(model: keras.Model) -> list[Row]:
    """All kernels of a built model, in the order in which its layers are listed."""
    found: list[Row] = []
    _walk(model, bypassed=False, is_last=True, structured=True, seen=set(), found=found)
    return found


def children(layer: Any) -> list[Any]:
    """The layers directly within a layer or a model, in order."""
    return list(layer.layers if isinstance(layer, keras.Model) else layer._layers)


def every_layer(model: keras.Model) -> list[Any]:
    """The model and all layers in it, however deep, each once."""
    return list(_every(model, set()))


def has_modes(model: keras.Model) -> bool:
    """Return whether a layer works differently in training mode, as dropout, noise and batch normalisation do.

    A layer of the user's own counts if its call takes `training` and no layer lies within to which it may hand that on.
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


def _has_modes(layer: Any) -> bool:
    if isinstance(layer, WITH_STATISTICS):
        return True
    if not type(layer).__module__.startswith("keras."):
        return bool(getattr(layer, "_call_has_training_arg", False)) and not children(layer)
    if isinstance(layer, keras.layers.Lambda):
        return "training" in inspect.signature(layer.function).parameters
    shares = [each for each in (getattr(layer, name, None) for name in RANDOM) if isinstance(each, int | float)]
    if shares:
        return max(shares) > 0
    return any(isinstance(each, keras.random.SeedGenerator) for each in vars(layer).values())


def own_kernels(layer: Any) -> list[keras.Variable]:
    """What counts as a kernel of the layer itself: weights of two dimensions or more, and a normalisation's scale."""
    own = [each for each in getattr(layer, "_trainable_variables", []) if each.name != "bias"]
    return [each for each in own if len(each.shape) > 1 or each.name in ("gamma", "scale")]


def _every(layer: Any, seen: set[int]) -> Iterator[Any]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield layer
    for child in children(layer):
        yield from _every(child, seen)


def _judged(layer: Any) -> bool:
    """Whether it has a kernel, or one of the layers in it has, that is judged."""
    return any(v.name not in BESIDE_NAMES for each in _every(layer, set()) for v in own_kernels(each))


def _walk(layer: Any, bypassed: bool, is_last: bool, structured: bool, seen: set[int], found: list[Row]) -> None:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    for variable in own_kernels(layer):
        role = BESIDE if variable.name in BESIDE_NAMES else OUTPUT if is_last else HIDDEN
        found.append(Row(variable, layer, _short(variable.path), role, bypassed, structured))
    inner = children(layer)
    joined = graph(layer)
    last = _last(inner, joined)
    for child in inner:
        around = bypassed or (joined is not None and joined.is_bypassed(child))
        # What is in a layer that is no model, such as a cell, lies on the layer's own path.
        known = structured and (joined is not None or not isinstance(layer, keras.Model))
        _walk(child, around, is_last and id(child) in last, known, seen, found)


def _last(inner: list[Any], joined: Graph | None) -> set[int]:
    if joined is not None:
        return joined.last(lambda operation: isinstance(operation, keras.layers.Layer) and _judged(operation))
    return {id(child) for child in [child for child in inner if _judged(child)][-1:]}


def _short(path: str) -> str:
    return path.removesuffix("/kernel")
