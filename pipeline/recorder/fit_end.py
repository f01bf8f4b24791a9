"""Find the callback that ended `fit` before its last epoch."""

from collections.abc import Sequence
from typing import Final

import keras

FALLING: Final = ("loss", "error", "mae", "mse")  # parts of the names of numbers that fall in a good training
RISING: Final = ("acc", "auc", "precision", "recall", "r2", "f1", "iou")  # and of numbers that rise
FLAG: Final = "stop_training"  # the attribute of a model by which a callback ends `fit`
LIBRARIES: Final = ("builtins.", "keras.", "mlflow.", "pipeline.")  # their callbacks are not searched for the flag


def stopping_callback(callbacks: Sequence[keras.callbacks.Callback]) -> keras.callbacks.Callback | None:
    """Return the callback that most probably ended `fit`; None without such a callback.

    A callback that noted its last epoch comes first, then a user's callback whose code has the flag, then
    `TerminateOnNaN`.
    """
    stopped = [each for each in callbacks if getattr(each, "stopped_epoch", 0)]  # EarlyStopping, and others like it
    able = [each for each in callbacks if _can_stop(type(each))]
    at_nan = [each for each in callbacks if isinstance(each, keras.callbacks.TerminateOnNaN)]
    return next(iter([*stopped, *able, *at_nan]), None)


def is_backwards(callback: keras.callbacks.Callback) -> bool | None:
    """Return whether `EarlyStopping` waits for an accuracy to fall or for a loss to rise; None if it cannot be told."""
    comparison = getattr(getattr(callback, "monitor_op", None), "__name__", "")  # that means better; set by `fit`
    waits_for = comparison or {"min": "less", "max": "greater"}.get(str(getattr(callback, "mode", "")), "")
    directions = {"less": (RISING, FALLING), "greater": (FALLING, RISING)}.get(waits_for)
    if directions is None:
        return None
    # A name may have parts of both kinds, such as the loss of an output "accent"; then nothing is wrong.
    opposite, same = (any(part in str(getattr(callback, "monitor", "")) for part in parts) for parts in directions)
    return opposite and not same


def _can_stop(kind: type[keras.callbacks.Callback]) -> bool:
    """Return whether a method of the user's own classes has the flag in its code."""
    owners = [owner for owner in kind.__mro__ if not f"{owner.__module__}.".startswith(LIBRARIES)]
    methods = [method for owner in owners for method in vars(owner).values()]
    return any(FLAG in getattr(getattr(method, "__code__", None), "co_names", ()) for method in methods)
