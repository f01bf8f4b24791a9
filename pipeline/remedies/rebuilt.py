"""A user's Functional or Sequential model with something between its layers, or with wider ones: another graph.

By Keras's `clone_model`, which needs every layer's `get_config`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from pipeline.foundations.errors import UserError, without_colours
from pipeline.history.record import HIDDEN
from pipeline.recorder.layers import every_layer, rows

DENSE = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
DROPPED = 0.5  # share of units (Srivastava et al. 2014)
WIDER = 4


class InapplicableError(UserError):
    """Why a remedy cannot be done here, in one line."""


def in_short(error: Exception) -> str:
    """Return the first line of an error's message, at most 120 characters of it."""
    return next(iter(without_colours(error).splitlines()), "")[:120]


def with_normalisation(model: keras.Model) -> keras.Model:
    """Batch normalisation between each hidden dense or convolutional layer and its activation.

    Raises:
        InapplicableError: it has batch normalisation already, has no such layer, or is no model that Keras can clone.
    """
    return _normalised(model, lambda before, after: after)


def with_paths(model: keras.Model) -> keras.Model:
    """The same, and the layer's input added to its output, where they are of one shape.

    Raises:
        InapplicableError: as `with_normalisation`; or no hidden layer's output is like its input.
    """
    added = []

    def around(before: Any, after: Any) -> Any:
        if before.shape != after.shape:
            return after
        added.append(1)
        return keras.layers.Add()([before, after])

    made = _normalised(model, around)
    if not added:
        raise InapplicableError("no hidden layer's output is like its input")
    return made


def with_dropout(model: keras.Model) -> keras.Model:
    """Dropout after each hidden dense or convolutional layer.

    Raises:
        InapplicableError: it has dropout already, has no such layer, or is no model that Keras can clone.
    """
    if any(isinstance(layer, keras.layers.Dropout) for layer in every_layer(model)):
        raise InapplicableError("it has dropout already")

    def after(layer: Any, before: Any, outputs: Any) -> Any:
        return keras.layers.Dropout(DROPPED)(outputs)

    return _rebuilt(model, {}, after)


def widened(model: keras.Model) -> keras.Model:
    """Hidden dense and convolutional layers with WIDER times the units, drawn anew.

    Raises:
        InapplicableError: it has no such layer, or is no model that Keras can clone.
    """
    units = {layer.name: layer.get_config() for layer in _hidden(model)}
    wider = {
        name: {size: WIDER * config[size] for size in ("units", "filters") if size in config}
        for name, config in units.items()
    }
    return _rebuilt(model, wider, with_weights=False)


def _normalised(model: keras.Model, around: Callable[[Any, Any], Any]) -> keras.Model:
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in every_layer(model)):
        raise InapplicableError("it has batch normalisation already")
    activations = {layer.name: layer.activation for layer in _hidden(model)}

    def after(layer: Any, before: Any, outputs: Any) -> Any:
        given = keras.layers.BatchNormalization()(outputs)
        return around(before, keras.layers.Activation(activations[layer.name])(given))

    return _rebuilt(model, {name: {"activation": "linear"} for name in activations}, after)


def _hidden(model: keras.Model) -> list[Any]:
    found = [row.owner for row in rows(model) if row.role == HIDDEN and isinstance(row.owner, DENSE)]
    if not found:
        raise InapplicableError("it has no hidden dense or convolutional layer")
    return found


def _rebuilt(
    model: keras.Model,
    changes: Mapping[str, Mapping[str, Any]],
    after: Callable[[Any, Any, Any], Any] = lambda layer, before, outputs: outputs,
    with_weights: bool = True,
) -> keras.Model:
    """Args:
    changes: of the configuration of layers, by their names.
    after: takes a hidden layer, its input and its output; returns what takes the place of the output.
    with_weights: as they are now; otherwise drawn anew.
    """
    hidden = {layer.name for layer in _hidden(model)}
    copied = []

    def cloned(layer: Any) -> Any:
        config = {**layer.get_config(), **changes.get(layer.name, {})}
        made = type(layer).from_config(config)
        copied.append((layer, made))
        return made

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        return after(layer, args[0], outputs) if layer.name in hidden else outputs

    try:
        functional = keras.Model(model.inputs, model.outputs, name=model.name)
        made = keras.models.clone_model(functional, clone_function=cloned, call_function=called, recursive=True)
        for layer, copy in copied if with_weights else ():
            copy.set_weights(layer.get_weights())
    except Exception as error:  # of Keras, or of a layer of the user's own
        raise InapplicableError(f"Keras cannot clone it ({in_short(error)})") from None
    return made
