"""A faulty program: its data and model, faulty and repaired, and the truth about its fault, written before any run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import keras
import numpy as np

LOGGED: Final = "logged"


class ProgramData(NamedTuple):
    """Training rows, and held-out rows where the program has any."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None

    @property
    def judged(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of the rows that decide whether the model learned: held-out rows, else training rows."""
        if self.x_validation is None or self.y_validation is None:
            return self.x, self.y
        return self.x_validation, self.y_validation


def as_usual(repaired: bool) -> dict[str, Any]:
    """Return no further arguments of `fit`."""
    return {}


@dataclass(frozen=True)
class Program:
    """A faulty program and its repaired twin.

    fault, remedy: one sentence each.
    truth: the causes and notices that are right.
    also: causes that are right too, as a part of the fault or its immediate consequence.
    learned: a score, and the number above which the model has learned. The score LOGGED is the compiled metric as `fit`
        logs it: what the user of the program sees.
    data, model, fit: functions of whether to repair. The model is compiled. `fit` returns arguments of Keras's `fit`,
        which add to the usual ones (rows, epochs, batch size) or replace them; with `validation_split`, the held-out
        rows only judge the model.
    """

    name: str
    fault: str
    remedy: str
    truth: tuple[str, ...]
    also: tuple[str, ...]
    learned: dict[str, float]
    epochs: int
    batch_size: int
    data: Callable[[bool], ProgramData]
    model: Callable[[bool], keras.Model]
    fit: Callable[[bool], Mapping[str, Any]] = as_usual

    @property
    def kind(self) -> str:
        """The kind of fault: the first true cause."""
        return self.truth[0]

    @property
    def right(self) -> set[str]:
        """All causes and notices that are right."""
        return {*self.truth, *self.also}
