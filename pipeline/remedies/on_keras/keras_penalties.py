"""Remedies for any Keras model that remove what holds its weights back: penalties, weight decay, dropout, noise."""

from collections.abc import Iterator

import keras

from pipeline.recorder.layers import every_layer
from pipeline.remedies.on_keras.keras_steps import optimizer_of
from pipeline.remedies.on_keras.trial import InapplicableError, Trial

# The numbers of layers and recurrent cells that set the strength of dropout or noise.
STRENGTHS = ("rate", "stddev", "dropout", "recurrent_dropout")
RANDOM = ("Dropout", "Noise")  # in the class names of Keras's layers of dropout and noise


def no_penalties(trial: Trial) -> Iterator[str]:
    """Remove the regularizers of kernels, biases and activities."""
    layers = every_layer(trial.model)
    regularized = [
        (layer, name)
        for layer in layers
        for name, value in vars(layer).items()
        if name.endswith("_regularizer") and value is not None
    ]
    weights = [each for each in trial.model.weights if each.regularizer is not None]
    if not regularized and not weights:
        raise InapplicableError("no layer has a regularizer")
    names = sorted({name for _, name in regularized})
    yield f"no `{'` and no `'.join(names)}` in any layer" if names else "no regularizer of any weight"
    for layer, name in regularized:
        setattr(layer, name, None)
    for weight in weights:
        weight.regularizer = None


def no_weight_decay(trial: Trial) -> Iterator[str]:
    """Set the optimizer's weight decay to 0."""
    optimizer = optimizer_of(trial)
    if not optimizer.weight_decay:
        raise InapplicableError("its optimizer has no `weight_decay`")
    yield f"`weight_decay=0` in the optimizer, not {optimizer.weight_decay:g}"
    optimizer.weight_decay = 0.0


def no_dropout(trial: Trial) -> Iterator[str]:
    """Set dropout and noise to 0, also in recurrent layers."""
    strengths = [
        (layer, name)
        for layer in every_layer(trial.model)
        for name in STRENGTHS
        if _is_random(layer) and isinstance(vars(layer).get(name), int | float) and vars(layer)[name] > 0
    ]
    if not strengths:
        raise InapplicableError("it has no dropout and no noise")
    yield "no dropout and no noise: " + ", ".join(
        f"`{name}=0` in `{layer.name}`, not {vars(layer)[name]:g}" for layer, name in strengths
    )
    for layer, name in strengths:
        setattr(layer, name, 0.0)


def _is_random(layer: keras.layers.Layer) -> bool:
    """Return whether the layer is one of dropout or noise, or a recurrent cell, which may have dropout."""
    return any(part in type(layer).__name__ for part in RANDOM) or hasattr(layer, "recurrent_dropout")
