"""Losses by Keras's names: what each takes, and which one a model was compiled with."""

import inspect
from typing import Final

import keras

# Keras's names of losses, in lower case and without "_".
TWO_CLASSES: Final = ("binarycrossentropy", "binaryfocalcrossentropy")
CATEGORICAL: Final = ("categoricalcrossentropy", "categoricalfocalcrossentropy")  # of one-hot labels
CLASSES: Final = (*CATEGORICAL, "sparsecategoricalcrossentropy")
DISTANCES: Final = (
    *("mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh"),
    *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
)


def loss_of(model: keras.Model) -> tuple[str, bool]:
    """Return the name of the compiled loss and whether it takes logits; "" where there is not exactly one loss.

    The name is in lower case and without "_", as in TWO_CLASSES.
    """
    losses = [each for each in keras.tree.flatten(getattr(model, "loss", None)) if each is not None]
    if len(losses) != 1:
        return "", False
    (loss,) = losses
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    logits = getattr(loss, "from_logits", None)
    if logits is None and inspect.isroutine(loss):
        logits = False
    return str(name).lower().replace("_", ""), bool(logits)
