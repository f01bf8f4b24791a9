"""What every data set is here: raw rows with their targets; and rows of numbers, scaled and split for training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from pipeline.data.split.tasks import Task
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams

ColumnKind = Literal["number", "boolean", "category"]
LARGEST = 1e37  # a number: single precision, in which networks compute, holds it with room to spare


@dataclass(frozen=True)
class RawData:
    """Rows before they are scaled and split, whole and checked.

    features: one column per feature: numbers, booleans as 0 and 1, categories as text; or, of an array with more
        dimensions, float [sample, step, feature] or [sample, height, width, channel]. Numbers are float64, of a large
        table float32, in which networks take them; see `formats.precision`.
    targets: labels int64 [sample], or values float64 [sample, target].
    fills: what stands in the place of missing values, by column. target_names: what the targets' columns are called.
    filled: how many values were missing and filled in, by column.
    """

    features: pd.DataFrame | np.ndarray
    targets: np.ndarray
    task: Task
    kinds: dict[str, ColumnKind]
    fills: dict[str, float | str]
    target_names: tuple[str, ...]
    filled: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)


class Stored(BaseModel):
    """Frozen and strict, for it is read back from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InputColumn(Stored):
    """A raw column and what is made of it.

    A number becomes `offset + factor * raw`; a category as many inputs as there are categories, 1 for its own and 0
    for the others. fill: what stands in the place of a missing value; without one there must be none.
    """

    name: str
    kind: ColumnKind = "number"
    offset: float = 0.0
    factor: float = 1.0
    categories: tuple[str, ...] = ()
    fill: float | str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs that it becomes."""
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)

    def says(self, name: str | None = None) -> str:
        """What a raw row has in it, in words: "age (number, may be missing)".

        Args:
            name: what to call it by, where that is not its own name.
        """
        kind = {"number": "number", "boolean": "true or false", "category": "text"}[self.kind]
        return f"{name or self.name} ({kind}{'' if self.fill is None else ', may be missing'})"


SINGLE = 1000.0  # the greatest offset at which a number can be scaled in single precision: 4 digits are left of 7


def is_plain(columns: Sequence[InputColumn]) -> bool:
    """Whether raw rows are an array of numbers in single precision, nothing missing."""
    return all(each.kind == "number" and each.fill is None and abs(each.offset) < SINGLE for each in columns)


class TargetScaling(Stored):
    """Of one target of a regression: networks are trained on `offset + factor * raw`."""

    name: str
    offset: float = 0.0
    factor: float = 1.0


class Origin(Stored):
    """Where the rows of a training come from, and how they were made of raw ones.

    columns: in order; of an array with more dimensions those of its last one. shape: of what a network takes, without
    the samples. targets: of a regression, else empty. data, split: what params.yaml said then.
    """

    task: Task
    columns: tuple[InputColumn, ...]
    shape: tuple[int, ...]
    targets: tuple[TargetScaling, ...]
    data: DataParams
    split: SplitParams

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of a network's inputs, in order."""
        return tuple(name for column in self.columns for name in column.inputs)


@dataclass(frozen=True)
class Samples:
    """Rows in order.

    inputs: float [sample, input], or with more dimensions. targets: labels int64 [sample], or scaled values
    float64 [sample, target].
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Split:
    """Scaled rows: those that train, those that test, and those that validate, if there are any."""

    task: Task
    train: Samples
    test: Samples
    validation: Samples | None = None

    @property
    def parts(self) -> dict[str, Samples]:
        """By name, in the order in which everything lists them."""
        between = {} if self.validation is None else {"validation": self.validation}
        return {"train": self.train, **between, "test": self.test}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what a network takes, without the samples."""
        return self.train.inputs.shape[1:]

    @property
    def inputs(self) -> int:
        """How many numbers a network takes."""
        return prod(self.shape)

    @property
    def constant_losses(self) -> dict[str, float]:
        """Of each part, the loss of the best constant prediction."""
        return {name: self.task.constant_loss(part.targets) for name, part in self.parts.items()}

    def surface_axes(self, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Both axes of a square grid over all rows and 5% beyond, float32 [resolution] each; for two inputs."""
        every = np.concatenate([part.inputs for part in self.parts.values()])
        low, high = every.min(axis=0), every.max(axis=0)
        margin = 0.05 * (high - low)
        first, second = np.linspace(low - margin, high + margin, resolution, dtype=np.float32).T
        return first, second
