"""Group Keras's losses by the targets that they take, and find the loss of a compiled model."""

import inspect
from collections.abc import Callable
from typing import Final

import keras

# Keras's names of losses, in lower case and without "_".
TWO_CLASSES: Final = ("binarycrossentropy", "binaryfocalcrossentropy")
CATEGORICAL: Final = ("categoricalcrossentropy", "categoricalfocalcrossentropy")  # take one-hot labels
CLASSES: Final = (*CATEGORICAL, "sparsecategoricalcrossentropy")
DISTANCES: Final = (
    *("mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh"),
    *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
    "huberloss",  # of an object; "huber" is the function's name
)
ROBUST: Final = ("huber", "huberloss", "logcosh")  # distances that hardly count outliers, which R² counts most


def loss_of(model: keras.Model) -> tuple[str, bool]:
    """Return the name of the model's loss, and whether it takes logits; "" and False unless there is exactly one loss.

    The name is in lower case and without "_", as in TWO_CLASSES.
    """
    losses = [each for each in keras.tree.flatten(getattr(model, "loss", None)) if each is not None]
    if len(losses) != 1:
        return "", False
    return named_loss(losses[0])


def named_loss(loss: str | Callable[..., object]) -> tuple[str, bool]:
    """Return the name of a loss, and whether it takes logits; see `loss_of`."""
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    logits = getattr(loss, "from_logits", None)
    if logits is None and inspect.isroutine(loss):
        logits = False
    return str(name).lower().replace("_", ""), bool(logits)
