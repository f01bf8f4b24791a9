"""Find the callback that ended `fit` before its last epoch."""

from collections.abc import Iterator, Sequence
from typing import Final

import keras

FLAG: Final = "stop_training"  # the attribute of a model by which a callback ends `fit`
OWN: Final = ("keras.", "pipeline.", "mlflow.")  # modules whose callbacks are known not to end it, or are known below


def stopping_callback(callbacks: Sequence[keras.callbacks.Callback]) -> keras.callbacks.Callback | None:
    """Return the callback that ended `fit`; None if none is known to.

    A callback with an epoch at which it stopped comes first, then one whose code has the flag.
    """
    for callback in callbacks:
        if getattr(callback, "stopped_epoch", 0):  # EarlyStopping's, and of callbacks that are written like it
            return callback
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.TerminateOnNaN) or _can_stop(type(callback)):
            return callback
    return None


def _can_stop(kind: type[keras.callbacks.Callback]) -> bool:
    return any(FLAG in names for names in _names_in_code(kind))


def _names_in_code(kind: type[keras.callbacks.Callback]) -> Iterator[tuple[str, ...]]:
    """Yield the names of attributes in each method of the user's own classes."""
    for owner in kind.__mro__:
        if not f"{owner.__module__}.".startswith((*OWN, "builtins.")):
            for method in vars(owner).values():
                code = getattr(method, "__code__", None)
                if code is not None:
                    yield code.co_names
