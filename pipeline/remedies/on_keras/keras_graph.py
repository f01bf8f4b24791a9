"""Remedies that rebuild a Functional or Sequential model: with further layers between its layers, or with wider layers.

They use Keras's `clone_model`, which needs every layer's `get_config`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import keras

from pipeline.history.record import HIDDEN
from pipeline.recorder.layers import every_layer, rows
from pipeline.remedies.on_keras.keras_compile import compile_again
from pipeline.remedies.on_keras.trial import InapplicableError, Trial, in_short
from pipeline.remedies.remedy import DROPPED, WIDER

WITH_UNITS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def batch_normalization(trial: Trial) -> Iterator[str]:
    """Add batch normalisation between each hidden dense or convolutional layer and its activation."""
    model = _normalised(rebuildable(trial), lambda inputs, outputs: outputs)
    yield "a layer `BatchNormalization()` between each hidden dense or convolutional layer and its activation"
    replace_model(trial, model)


def residual(trial: Trial) -> Iterator[str]:
    """Add batch normalisation, and skip connections around hidden layers that keep the shape of their input."""
    has_skip = False

    def skip(inputs: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
        nonlocal has_skip
        if inputs.shape != outputs.shape:
            return outputs
        has_skip = True
        return keras.layers.Add()([inputs, outputs])

    model = _normalised(rebuildable(trial), skip)
    if not has_skip:
        raise InapplicableError("no hidden layer's output has the shape of its input")
    yield "`x + layer(x)` for hidden layers of one width, with `BatchNormalization()` before the activation"
    replace_model(trial, model)


def dropout(trial: Trial) -> Iterator[str]:
    """Add dropout after each hidden dense or convolutional layer."""
    before = rebuildable(trial)
    if any(isinstance(layer, keras.layers.Dropout) for layer in every_layer(before)):
        raise InapplicableError("it has dropout already")
    model = _rebuilt(before, {}, lambda layer, inputs, outputs: keras.layers.Dropout(DROPPED)(outputs))
    yield f"a layer `Dropout({DROPPED})` after each hidden layer"
    replace_model(trial, model)


def masked_padding(trial: Trial) -> Iterator[str]:
    """Mask the padding: by the embeddings, in place; without embeddings by a first layer, in another model."""
    layers = every_layer(trial.model)
    embeddings = [layer for layer in layers if isinstance(layer, keras.layers.Embedding)]
    if not any(isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) for layer in layers):
        raise InapplicableError("no layer is recurrent")
    if any(isinstance(layer, keras.layers.Masking) for layer in layers) or any(each.mask_zero for each in embeddings):
        raise InapplicableError("its padding is masked already")
    if embeddings:
        yield "`mask_zero=True` in the `Embedding`"
        for each in embeddings:
            each.mask_zero = each.supports_masking = True
        return
    before = rebuildable(trial)

    def called(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        is_first = isinstance(args[0]._keras_history.operation, keras.layers.InputLayer)
        return layer(keras.layers.Masking()(args[0]) if is_first else args[0], *args[1:], **kwargs)

    model = cloned(before, called)
    yield "a first layer `keras.layers.Masking()`"
    replace_model(trial, model)


def wider_layers(trial: Trial) -> Iterator[str]:
    """Widen hidden dense and convolutional layers, and draw all weights again."""
    before = rebuildable(trial)
    configs = {layer.name: layer.get_config() for layer in _hidden(before)}
    wider = {
        name: {size: WIDER * config[size] for size in ("units", "filters") if size in config}
        for name, config in configs.items()
    }
    model = _rebuilt(before, wider, with_weights=False)
    yield f"{WIDER} times the `units` or `filters` in hidden layers"
    replace_model(trial, model)


def rebuildable(trial: Trial) -> keras.Model:
    """Return the trial's model, if another model may replace it.

    Raises:
        InapplicableError: no other model may replace it.
    """
    if not trial.may_rebuild:
        raise InapplicableError("it needs another model, but the script keeps using the old one")
    return trial.model


def replace_model(trial: Trial, model: keras.Model) -> None:
    """Let another model be trained, compiled as the trial's model is."""
    compile_again(model, like=trial.model)
    trial.model = model


def _normalised(
    model: keras.Model, around: Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
) -> keras.Model:
    """Return the model with batch normalisation before hidden activations.

    Args:
        around: a function of a hidden layer's inputs and of its activation's outputs that returns the new outputs.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in every_layer(model)):
        raise InapplicableError("it has batch normalisation already")
    activations = {layer.name: layer.activation for layer in _hidden(model)}

    def after(layer: keras.layers.Layer, inputs: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
        normalised = keras.layers.BatchNormalization()(outputs)
        return around(inputs, keras.layers.Activation(activations[layer.name])(normalised))

    return _rebuilt(model, {name: {"activation": "linear"} for name in activations}, after)


def _hidden(model: keras.Model) -> list[keras.layers.Layer]:
    layers = [row.owner for row in rows(model) if row.role == HIDDEN and isinstance(row.owner, WITH_UNITS)]
    if not layers:
        raise InapplicableError("it has no hidden dense or convolutional layer")
    return layers


def _rebuilt(
    model: keras.Model,
    changes: Mapping[str, Mapping[str, Any]],
    after: Callable[
        [keras.layers.Layer, keras.KerasTensor, keras.KerasTensor], keras.KerasTensor
    ] = lambda layer, inputs, outputs: outputs,
    with_weights: bool = True,
) -> keras.Model:
    """Return another model with copies of the same layers.

    Args:
        changes: new values in the configs of layers, by the layers' names.
        after: a function of a hidden layer, its inputs and its outputs that returns the new outputs.
        with_weights: whether the copies get the present weights; otherwise the weights are drawn again.

    Raises:
        InapplicableError: it has no hidden layer with units, or Keras cannot clone it.
    """
    hidden = {layer.name for layer in _hidden(model)}

    def called(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        outputs = layer(*args, **kwargs)
        return after(layer, args[0], outputs) if layer.name in hidden else outputs

    return cloned(model, called, changes, with_weights)


def cloned(
    model: keras.Model,
    called: Callable[..., keras.KerasTensor] = lambda layer, *args, **kwargs: layer(*args, **kwargs),
    changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    with_weights: bool = True,
    replaced: Callable[[keras.layers.Layer], keras.layers.Layer | None] = lambda layer: None,
    input_of: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None,
) -> keras.Model:
    """Return another model with copies of the same layers.

    Args:
        called: calls a layer with its arguments, and returns the outputs.
        changes, with_weights: see `_rebuilt`.
        replaced: returns another layer in place of a copy, or None; it gets the present weights if their shapes fit.
        input_of: takes an input of the model; returns the new model's. By default they are alike.

    Raises:
        InapplicableError: Keras cannot clone it.
    """
    copies = []

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = {**layer.get_config(), **changes.get(layer.name, {})}
        copy = replaced(layer) or type(layer).from_config(config)
        copies.append((layer, copy))
        return copy

    try:
        # Another structure of inputs would make Keras warn. A Sequential model has no `input` before it is called.
        structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        functional = keras.Model(structure, model.outputs, name=model.name)
        inputs = None if input_of is None else keras.tree.map_structure(input_of, functional.input)
        clone = keras.models.clone_model(
            functional, input_tensors=inputs, clone_function=copied, call_function=called, recursive=True
        )
        for layer, copy in copies if with_weights else ():
            if [each.shape for each in copy.weights] == [each.shape for each in layer.weights]:
                copy.set_weights(layer.get_weights())
    except Exception as error:  # from Keras, or from a layer of the user's own
        raise InapplicableError(f"Keras cannot clone it ({in_short(error)})") from None
    return clone
