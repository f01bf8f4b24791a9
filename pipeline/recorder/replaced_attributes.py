"""Attributes of a user's model and layers, replaced for the length of a context and no longer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import keras


@contextmanager
def replaced(changes: Sequence[tuple[keras.Operation, str, Callable]]) -> Iterator[None]:
    """Replace attributes of instances within the context, without Keras's bookkeeping of attributes.

    They are restored in the opposite order, also after an error.

    Args:
        changes: instance, attribute and function; the same attribute may come again.
    """
    with ExitStack() as restore:
        for instance, name, function in changes:
            if name in vars(instance):
                restore.callback(object.__setattr__, instance, name, vars(instance)[name])
            else:
                restore.callback(object.__delattr__, instance, name)
            object.__setattr__(instance, name, function)
        yield
