"""Replace attributes of a user's model and layers within a context."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import keras


@contextmanager
def replaced(changes: Sequence[tuple[keras.Operation, str, object]]) -> Iterator[None]:
    """Replace attributes of instances within the context, and restore them after it, also after an error.

    Keras does not track the replacements.

    Args:
        changes: (instance, attribute, replacement); an attribute may occur several times.
    """
    with ExitStack() as restore:
        for instance, name, replacement in changes:
            if name in vars(instance):
                restore.callback(object.__setattr__, instance, name, vars(instance)[name])
            else:
                restore.callback(object.__delattr__, instance, name)
            object.__setattr__(instance, name, replacement)
        yield
