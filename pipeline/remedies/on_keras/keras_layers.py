"""Remedies for any Keras model that change its layers in place: activations, kernels, penalties, which layers train."""

from collections.abc import Iterator

import keras
import numpy as np

from pipeline.recorder.layers import every_layer, rows
from pipeline.recorder.structure import graph
from pipeline.remedies.on_keras.keras_compile import compile_again, compile_arguments
from pipeline.remedies.on_keras.keras_data import class_labels, one_array
from pipeline.remedies.on_keras.trial import InapplicableError, Trial
from pipeline.remedies.remedy import LEAK, MOMENTUM, PENALTY

BOUNDED = ("sigmoid", "tanh", "hard_sigmoid", "softsign")
LINEAR = (  # layers that are linear unless they have an activation
    *(keras.layers.InputLayer, keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.Flatten, keras.layers.Reshape, keras.layers.Rescaling, keras.layers.Normalization),
    *(keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.Add, keras.layers.Concatenate),
    *(keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D),
)


def fitting_output(trial: Trial) -> Iterator[str]:
    """Change output activation and loss to those that fit the targets."""
    _, targets = trial.data
    values, layer = one_array(targets), _last(trial.model)
    activation, loss = _fitting(values, tuple(trial.model.output_shape)[-1])
    if _name(layer.activation) == activation and _loss_name(trial.model) == loss:
        raise InapplicableError(f"its output is {activation} with {loss} already")
    compile_arguments(trial.model)
    yield f'`activation="{activation}"` in the output layer, and `loss="{loss}"` in `compile`'
    layer.activation = keras.activations.get(activation)
    compile_again(trial.model, loss=loss)


def leaky_units(trial: Trial) -> Iterator[str]:
    """Replace ReLU by leaky ReLU in hidden layers."""
    rectified = [layer for layer in _feedforward(trial.model) if _name(layer.activation) == "relu"]
    relu_layers = [layer for layer in every_layer(trial.model) if isinstance(layer, keras.layers.ReLU)]
    if not rectified and not relu_layers:
        raise InapplicableError("no hidden layer uses ReLU")
    yield '`activation="leaky_relu"` in hidden layers, not relu'
    for layer in rectified:
        layer.activation = keras.activations.leaky_relu
    for layer in relu_layers:
        layer.negative_slope = LEAK


def rectified_units(trial: Trial) -> Iterator[str]:
    """Give ReLU and He's kernels to hidden layers with sigmoid or tanh, or to all if none has an activation."""
    hidden = _feedforward(trial.model)
    is_recurrent = any(isinstance(layer, keras.layers.RNN) for layer in every_layer(trial.model))
    changed = [layer for layer in hidden if _name(layer.activation) in BOUNDED]
    if not changed and _is_linear(trial.model):
        changed = hidden
    if not changed:
        raise InapplicableError("its hidden layers do not saturate, except recurrent layers")
    which = "hidden layers that are not recurrent" if is_recurrent else "hidden layers"
    yield f'`activation="relu", kernel_initializer="he_normal"` in {which}'
    for layer in changed:
        layer.activation = keras.activations.relu
        _redraw(layer, keras.initializers.HeNormal)


def bounded_cells(trial: Trial) -> Iterator[str]:
    """Replace unbounded activations of recurrent layers by tanh."""
    cells = [cell for layer in every_layer(trial.model) for cell in _cells(layer)[1:]]
    unbounded = [cell for cell in cells if _name(getattr(cell, "activation", None)) not in BOUNDED]
    if not unbounded:
        raise InapplicableError("no recurrent layer has an unbounded activation")
    yield '`activation="tanh"` in recurrent layers'
    for cell in unbounded:
        cell.activation = keras.activations.tanh


def fresh_kernels(trial: Trial) -> Iterator[str]:
    """Draw kernels and biases of all layers again, as Keras does by default."""
    layers = [layer for layer in every_layer(trial.model) if _kernels(layer)]
    if not layers:
        raise InapplicableError("the model is not built before `fit`")
    yield "Keras's own kernels and biases in all layers: `glorot_uniform` and 0, recurrent ones `orthogonal`"
    for layer in layers:
        _redraw(layer, keras.initializers.GlorotUniform)


def trained_layers(trial: Trial) -> Iterator[str]:
    """Make all layers trainable, and compile the model again."""
    compile_arguments(trial.model)
    yield "`trainable = True` for all layers, and `compile` after that"
    for layer in every_layer(trial.model):
        layer.trainable = True
    compile_again(trial.model)


def stateless_layers(trial: Trial) -> Iterator[str]:
    """Let recurrent layers begin each batch without a state."""
    layers = [layer for layer in every_layer(trial.model) if getattr(layer, "stateful", False)]
    if not layers:
        raise InapplicableError("no recurrent layer keeps states from batch to batch")
    yield "`stateful=False` in recurrent layers"
    for layer in layers:
        layer.stateful = False


def quicker_statistics(trial: Trial) -> Iterator[str]:
    """Reduce the momentum of the averages in batch normalisation."""
    layers = [each for each in every_layer(trial.model) if isinstance(each, keras.layers.BatchNormalization)]
    slow = [layer for layer in layers if layer.momentum > MOMENTUM]
    if not slow:
        raise InapplicableError(f"no batch normalisation has a momentum above {MOMENTUM}")
    yield f"`momentum={MOMENTUM}` in `BatchNormalization`"
    for layer in slow:
        layer.momentum = MOMENTUM


def weight_penalty(trial: Trial) -> Iterator[str]:
    """Add an L2 penalty to the kernels that have none."""
    kernels = [(layer, each) for layer in every_layer(trial.model) for each in _kernels(layer) if each.trainable]
    unpenalised = [(layer, kernel) for layer, kernel in kernels if kernel.regularizer is None]
    if not unpenalised:
        raise InapplicableError("all its kernels have a penalty already, or it is not built before `fit`")
    yield f"`kernel_regularizer=keras.regularizers.L2({PENALTY})` in all layers"
    for layer, kernel in unpenalised:
        kernel.regularizer = keras.regularizers.L2(PENALTY)
        if hasattr(layer, "kernel_regularizer"):
            layer.kernel_regularizer = kernel.regularizer  # for remedies that rebuild the model from its configs


def _fitting(targets: np.ndarray, units: int) -> tuple[str, str]:
    """Return the activation and the loss that fit the targets.

    Raises:
        InapplicableError: the output has too few units for the classes.
    """
    labels, has_columns = class_labels(targets), targets.ndim == 2 and targets.shape[1] > 1
    if labels is None:
        has_several_labels = has_columns and set(np.unique(targets).tolist()) <= {0, 1}
        return ("sigmoid", "binary_crossentropy") if has_several_labels else ("linear", "mean_squared_error")
    if has_columns:
        return "softmax", "categorical_crossentropy"
    if units == 1 and labels.max() <= 1:
        return "sigmoid", "binary_crossentropy"
    if units > labels.max():
        return "softmax", "sparse_categorical_crossentropy"
    raise InapplicableError(
        f"its output has {units} unit{'s' if units > 1 else ''}, and there are {labels.max() + 1} classes"
    )


def _last(model: keras.Model) -> keras.layers.Layer:
    """Return the layer that gives the output.

    Raises:
        InapplicableError: the model does not end in one layer with an activation.
    """
    joined = graph(model)
    if joined is None:
        raise InapplicableError("its output layer is unknown, because the model has its own `call`")
    ends = joined.ends
    if len(ends) != 1:
        raise InapplicableError(f"the model has {len(ends)} outputs")
    if isinstance(ends[0], keras.Model):
        return _last(ends[0])
    if "activation" not in vars(ends[0]):
        raise InapplicableError(f"its last layer, a {type(ends[0]).__name__}, has no activation to change")
    return ends[0]


def _hidden(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers but the output that have an activation to change."""
    try:
        last = _last(model)
    except InapplicableError:
        owners = [row.owner for row in rows(model)]
        last = owners[-1] if owners else None
    return [layer for layer in every_layer(model) if layer is not last and "activation" in vars(layer)]


def _feedforward(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of `_hidden` that are not recurrent: relu makes the state of a recurrent layer grow."""
    recurrent = {id(cell) for layer in every_layer(model) for cell in _cells(layer)}
    return [layer for layer in _hidden(model) if id(layer) not in recurrent]


def _is_linear(model: keras.Model) -> bool:
    """Return whether all layers before the output layer together are linear."""
    last = _last(model)
    layers = [layer for layer in every_layer(model) if layer is not last and not isinstance(layer, keras.Model)]
    joined = graph(model)
    operations = joined.operations if joined is not None else []
    return all(isinstance(each, keras.layers.Layer) for each in operations) and all(
        isinstance(layer, LINEAR) and _name(vars(layer).get("activation", keras.activations.linear)) == "linear"
        for layer in layers
    )


def _cells(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return a recurrent layer and its cells; nothing for other layers."""
    if not isinstance(layer, keras.layers.RNN):
        return []
    cell = layer.cell
    return [layer, *(cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell])]


def _kernels(layer: keras.layers.Layer) -> list[keras.Variable]:
    own = [*getattr(layer, "_trainable_variables", []), *getattr(layer, "_non_trainable_variables", [])]
    return [each for each in own if "kernel" in each.name and len(each.shape) > 1]


def _redraw(layer: keras.layers.Layer, initializer: type[keras.initializers.Initializer]) -> None:
    """Draw kernels again, and reset biases to Keras's defaults: 1 for the forget bias of an LSTM, 0 for all others."""
    for kernel in _kernels(layer):
        drawn_by = keras.initializers.Orthogonal if "recurrent" in kernel.name else initializer
        kernel.assign(drawn_by()(kernel.shape, dtype=kernel.dtype))
    bias = getattr(layer, "bias", None)
    if bias is not None:
        start = np.zeros(bias.shape, np.float32)
        if getattr(layer, "unit_forget_bias", False):
            start[layer.units : 2 * layer.units] = 1
        bias.assign(start)


def _loss_name(model: keras.Model) -> str:
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", "")
    return {"mse": "mean_squared_error"}.get(name, name)


def _name(activation: object) -> str:
    return str(getattr(activation, "__name__", None) or type(activation).__name__)
