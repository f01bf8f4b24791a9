"""What a known-good program is: a model, what its `fit` gets, and the score that shows that it has learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import keras
import numpy as np


def nothing() -> None:
    """Do nothing: most programs train nothing before the `fit` that is watched."""


@dataclass(frozen=True)
class Prepared:
    """A compiled model before its `fit`.

    Args:
        model: built or not, compiled.
        fit: the arguments of `fit`.
        score: of the trained model on held-out rows; more is better.
        baseline: the same score of something simple, on the same held-out rows.
        rows: inputs and targets that a user would give to the callback; () for `Diagnosis()`.
        before: what the user trains first: a teacher, or the base of a fine-tuned model.
    """

    model: keras.Model
    fit: Mapping[str, Any]
    score: Callable[[], float]
    baseline: Callable[[], float]
    rows: tuple[Any, ...] = ()
    before: Callable[[], None] = nothing


@dataclass(frozen=True)
class Expected:
    """The yardstick of a good program: its score is at least the baseline's less `within`, and at least `least`."""

    metric: str
    baseline: str
    within: float
    least: float

    def is_met(self, score: float, baseline: float) -> bool:
        """Return whether the network is as good as can be expected."""
        return score >= max(baseline - self.within, self.least)


@dataclass(frozen=True)
class GoodProgram:
    """A program that trains well.

    Args:
        build: prepares it from a seed, which draws the data too.
        kind: tabular, text, sequences, pictures, generative, several inputs or outputs, or own step.
        after: the public example that it resembles.
        expected: what shows that it is good.
    """

    build: Callable[[int], Prepared]
    kind: str
    after: str
    expected: Expected

    @property
    def name(self) -> str:
        """Return the builder's name."""
        return self.build.__name__


Parts = list[tuple[np.ndarray, ...]]


def parts(*arrays: np.ndarray, train: float = 0.6, validation: float = 0.2) -> Parts:
    """Return the arrays' rows to train on, to validate on and to test on, from first to last."""
    count = len(arrays[0])
    ends = [0, int(train * count), int((train + validation) * count), count]
    return [tuple(array[first:last] for array in arrays) for first, last in pairwise(ends)]


def mixed(seed: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return the arrays' rows in one seeded random order."""
    order = np.random.default_rng(seed).permutation(len(arrays[0]))
    return [array[order] for array in arrays]


def predictions(model: keras.Model, inputs: Any) -> np.ndarray:
    """Return the model's outputs, without a last axis of one."""
    outputs = np.asarray(model.predict(inputs, verbose=0), dtype="float64")
    return outputs[..., 0] if outputs.shape[-1] == 1 else outputs
