"""Define the trial that a remedy changes: a Keras model, its data and the arguments of a `fit` that has not begun."""

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
    """A remedy cannot be applied to this model; the message is one line."""


@dataclass
class Trial:
    """A training that has not begun; a remedy changes its fields, or its model in place.

    parts: inputs and targets as `fit` takes them, by the name of the part; `fit` trains on the part TRAIN. Empty if the
        data are not arrays.
    arguments: the other arguments of `fit`, by name.
    may_rebuild: whether a remedy may replace the model by another one.
    """

    model: keras.Model
    parts: Mapping[str, Part]
    arguments: dict[str, Any]
    may_rebuild: bool

    @property
    def data(self) -> Part:
        """Inputs and targets that the model is trained on.

        Raises:
            InapplicableError: the training data are not arrays.
        """
        if TRAIN not in self.parts:
            raise InapplicableError("the training data are not arrays")
        return self.parts[TRAIN]


# A generator function that applies a remedy to a trial. First it checks the trial, and raises InapplicableError if the
# remedy cannot be applied. Then it yields what to change in the user's code. It changes the trial only when resumed.
KerasRemedy = Callable[[Trial], Iterator[str]]


def callbacks_of(trial: Trial) -> list[keras.callbacks.Callback]:
    """Return the callbacks that `fit` gets."""
    callbacks = trial.arguments.get("callbacks")
    return [] if callbacks is None else keras.tree.flatten(callbacks)


def remove_callbacks(trial: Trial, kinds: type | tuple[type, ...]) -> None:
    """Let `fit` get no callbacks of some classes; the user's own list does not change."""
    if trial.arguments.get("callbacks") is not None:
        trial.arguments["callbacks"] = [each for each in callbacks_of(trial) if not isinstance(each, kinds)]


def in_short(error: Exception) -> str:
    """Return the first line of an error's message, cut to 120 characters."""
    return next(iter(without_colours(error).splitlines()), "")[:120]
