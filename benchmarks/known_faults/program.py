"""A faulty program: its data and model, faulty and repaired, and the truth about its fault, written before any run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import numpy as np

FaultKind = Literal[
    "output", "data", "step size", "signals", "symmetry", "frozen layers", "no activation", "batch statistics",
    "overfitting",
]  # fmt: skip


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


@dataclass(frozen=True)
class Program:
    """A faulty program and its repaired twin.

    fault, remedy: one sentence each.
    truth: the causes that are right.
    also: causes that are right too, as a part of the fault or its immediate consequence.
    learned: a score, and the number above which the model has learned.
    data, model: functions of whether to repair; the model is compiled.
    """

    name: str
    kind: FaultKind
    fault: str
    remedy: str
    truth: tuple[str, ...]
    also: tuple[str, ...]
    learned: dict[str, float]
    epochs: int
    batch_size: int
    data: Callable[[bool], ProgramData]
    model: Callable[[bool], keras.Model]

    @property
    def right(self) -> set[str]:
        """All causes that are right."""
        return {*self.truth, *self.also}
