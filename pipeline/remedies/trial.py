"""What a remedy of a Keras model gets: the model, its data and the arguments of the `fit` that is about to begin."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from pipeline.foundations.errors import UserError, without_colours

TRAIN: Final = "train"
# Inputs or targets as `fit` takes them: an array, or arrays in lists and maps, which `keras.tree` walks through.
Arrays = np.ndarray | list["Arrays"] | tuple["Arrays", ...] | dict[str, "Arrays"]
Part = tuple[Arrays, Arrays | None]  # inputs and targets


class InapplicableError(UserError):
    """A remedy cannot be done to this model; the message is one line."""


@dataclass
class Trial:
    """A training that has not begun; a remedy changes its fields, or its model in place.

    parts: inputs and targets as `fit` takes them, by name; the model is trained on TRAIN. Empty where they are no
        arrays.
    arguments: the other arguments of `fit`, by name. may_rebuild: whether another model may replace this one.
    """

    model: keras.Model
    parts: Mapping[str, Part]
    arguments: dict[str, Any]
    may_rebuild: bool

    @property
    def data(self) -> Part:
        """Inputs and targets that the model is trained on.

        Raises:
            InapplicableError: they are no arrays.
        """
        if TRAIN not in self.parts:
            raise InapplicableError("the training data are no arrays")
        return self.parts[TRAIN]


# How a remedy changes a Keras model. Up to its `yield` it changes nothing, and raises InapplicableError if it cannot be
# done. It yields what to change in the code, in words, and makes the change when it is resumed.
KerasRemedy = Callable[[Trial], Iterator[str]]


def in_short(error: Exception) -> str:
    """Return the first line of an error's message, at most 120 characters of it."""
    return next(iter(without_colours(error).splitlines()), "")[:120]
