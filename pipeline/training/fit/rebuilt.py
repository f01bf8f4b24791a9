"""A user's Functional or Sequential model with something between its layers: another graph, the same weights.

By Keras's `clone_model`, which needs every layer's `get_config`.
"""

from collections.abc import Callable
from typing import Any

import keras

from pipeline.foundations.errors import UserError
from pipeline.history.record import HIDDEN
from pipeline.training.fit.layers import every_layer, rows

DENSE = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


class InapplicableError(UserError):
    """Why a remedy cannot be done here, in one line."""


def with_normalisation(model: keras.Model) -> keras.Model:
    """Batch normalisation between each hidden dense or convolutional layer and its activation.

    Raises:
        InapplicableError: it has batch normalisation already, has no such layer, or is no model that Keras can clone.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in every_layer(model)):
        raise InapplicableError("it has batch normalisation already")
    return _rebuilt(model, lambda before, after: after)


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

    made = _rebuilt(model, around)
    if not added:
        raise InapplicableError("no hidden layer's output is like its input")
    return made


def _rebuilt(model: keras.Model, around: Callable[[Any, Any], Any]) -> keras.Model:
    hidden = [row.owner for row in rows(model) if row.role == HIDDEN and isinstance(row.owner, DENSE)]
    if not hidden:
        raise InapplicableError("it has no hidden dense or convolutional layer")
    activations = {layer.name: layer.activation for layer in hidden}
    copied = []

    def cloned(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in activations:
            config["activation"] = "linear"
        made = type(layer).from_config(config)
        copied.append((layer, made))
        return made

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if layer.name not in activations:
            return outputs
        given = keras.layers.BatchNormalization()(outputs)
        return around(args[0], keras.layers.Activation(activations[layer.name])(given))

    try:
        functional = keras.Model(model.inputs, model.outputs, name=model.name)
        made = keras.models.clone_model(functional, clone_function=cloned, call_function=called, recursive=True)
        for layer, copy in copied:
            copy.set_weights(layer.get_weights())
    except Exception as error:  # of Keras, or of a layer of the user's own
        raise InapplicableError(f"Keras cannot clone it ({(str(error).splitlines() or [''])[0][:120]})") from None
    return made
