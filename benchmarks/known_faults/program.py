"""What a faulty program is: its data and model, faulty and repaired, and what is known of it before any diagnosis."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import numpy as np

Kind = Literal[
    "output", "data", "step size", "signals", "symmetry", "frozen layers", "no activation", "batch statistics",
    "overfitting",
]  # fmt: skip


class Data(NamedTuple):
    """What is trained on, and the held-out part where there is one."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None

    @property
    def judged(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets on which it must have learned: the held-out part, or else the training part."""
        if self.x_validation is None or self.y_validation is None:
            return self.x, self.y
        return self.x_validation, self.y_validation


@dataclass(frozen=True)
class Program:
    """A faulty program and its repaired twin.

    truth: the causes that are right. also: those that are right too, for they are a part of the fault or follow from
    it at once. learned: a score and the number above which it has learned.
    data, model: take whether to be repaired; the model is compiled.
    """

    name: str
    kind: Kind
    fault: str
    remedy: str
    truth: tuple[str, ...]
    also: tuple[str, ...]
    learned: dict[str, float]
    epochs: int
    batch_size: int
    data: Callable[[bool], Data]
    model: Callable[[bool], keras.Model]

    @property
    def right(self) -> set[str]:
        """All causes that are right."""
        return {*self.truth, *self.also}
