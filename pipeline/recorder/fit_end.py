"""Find the callback that ended `fit` before its last epoch."""

from collections.abc import Iterator, Sequence
from typing import Final

import keras

FLAG: Final = "stop_training"  # the attribute of a model by which a callback ends `fit`
LIBRARIES: Final = ("builtins.", "keras.", "mlflow.", "pipeline.")  # the code of their callbacks is not searched


def stopping_callback(callbacks: Sequence[keras.callbacks.Callback]) -> keras.callbacks.Callback | None:
    """Return the callback that ended `fit`; None if none is known to.

    A callback with an epoch at which it stopped comes first, then one of the user's whose code has the flag.
    """
    stopped = [each for each in callbacks if getattr(each, "stopped_epoch", 0)]  # EarlyStopping, and others like it
    able = [each for each in callbacks if _can_stop(type(each))]
    at_nan = [each for each in callbacks if isinstance(each, keras.callbacks.TerminateOnNaN)]
    return next(iter([*stopped, *able, *at_nan]), None)


def _can_stop(kind: type[keras.callbacks.Callback]) -> bool:
    return any(FLAG in names for names in _names_in_code(kind))


def _names_in_code(kind: type[keras.callbacks.Callback]) -> Iterator[tuple[str, ...]]:
    """Yield the names of attributes in each method of the user's own classes."""
    for owner in kind.__mro__:
        if not f"{owner.__module__}.".startswith(LIBRARIES):
            for method in vars(owner).values():
                code = getattr(method, "__code__", None)
                if code is not None:
                    yield code.co_names
