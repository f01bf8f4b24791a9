"""Attributes of a user's objects, replaced for the length of a context and no longer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

_NOTHING: Final = object()


@contextmanager
def replaced(changes: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Past Keras's own bookkeeping of attributes, and put back in the opposite order, also after an error.

    Args:
        changes: instance, attribute and value; the same attribute may come again.
    """
    undo: list[tuple[Any, str, Any]] = []
    try:
        for instance, name, value in changes:
            undo.append((instance, name, vars(instance).get(name, _NOTHING)))
            object.__setattr__(instance, name, value)
        yield
    finally:
        for instance, name, before in reversed(undo):
            if before is _NOTHING:
                object.__delattr__(instance, name)
            else:
                object.__setattr__(instance, name, before)
