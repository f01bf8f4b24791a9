"""Replace attributes of a user's model and layers within a context."""

from collections.abc import Sequence
from typing import Final, Self

import keras

Change = tuple[keras.Operation | keras.optimizers.Optimizer, str, object]
MISSING: Final = object()


class replaced:  # noqa: N801 (used like a function)
    """Replace attributes of instances within the context, and restore them after it, also after an error.

    Keras does not track the replacements. A training enters such a context in each step, so it is made of few calls.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        """Args: changes: (instance, attribute, replacement); an attribute may occur several times."""
        self._changes = changes
        self._earlier: list[object] = []

    def __enter__(self) -> Self:
        """Replace the attributes."""
        for instance, name, replacement in self._changes:
            self._earlier.append(vars(instance).get(name, MISSING))
            object.__setattr__(instance, name, replacement)
        return self

    def __exit__(self, *error: object) -> None:
        """Restore the attributes, the last one first."""
        for instance, name, _ in reversed(self._changes):
            earlier = self._earlier.pop()
            if earlier is MISSING:
                object.__delattr__(instance, name)
            else:
                object.__setattr__(instance, name, earlier)
