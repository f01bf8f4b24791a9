"""Define the two forms of a data set: raw rows, and rows that are scaled and split for training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from pipeline.data.split.tasks import Task, expect_whole
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams

ColumnKind = Literal["number", "boolean", "category"]
LARGEST = 1e37  # the largest number in data: networks compute in float32, which ends at some 3e38


@dataclass(frozen=True)
class RawData:
    """Complete and checked rows before they are scaled and split.

    features: a table with a column per feature (numbers, booleans as 0 and 1, categories as text), or an array
        float [sample, step, feature] or [sample, height, width, channel]. Numbers are float64, or float32 in a large
        table; see `formats.precision`.
    targets: labels int64 [sample], or values float64 [sample, target].
    kinds: the kind of each column of a table.
    fills: the value that replaces missing values, by column.
    target_names: the names of the target columns.
    filled: the number of missing values that were replaced, by column.
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

    @property
    def columns(self) -> list[tuple[str, ColumnKind, pd.Series]]:
        """Return name, kind and values of each column of a table; nothing for an array."""
        return [(name, kind, self.features[name]) for name, kind in self.kinds.items()]


class Stored(BaseModel):
    """A frozen, strict model that is stored in a file and read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


StoredTask = Annotated[Task, AfterValidator(expect_whole)]


class InputColumn(Stored):
    """A raw column, and its encoding as inputs.

    A number becomes `offset + factor * raw`. A column of categories becomes one input per category: 1 if the row has
    this category, else 0.
    fill: the value that replaces missing values; None if no value may be missing.
    """

    name: str
    kind: ColumnKind = "number"
    offset: float = 0.0
    factor: float = 1.0
    categories: tuple[str, ...] = ()
    fill: float | str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the column's inputs."""
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)

    def says(self, name: str | None = None) -> str:
        """Describe the column in words: "age (number, may be missing)".

        Args:
            name: a name to use instead of the column's own.
        """
        kind = {"number": "number", "boolean": "true or false", "category": "text"}[self.kind]
        return f"{name or self.name} ({kind}{'' if self.fill is None else ', may be missing'})"


# A greater offset needs float64: with float32, fewer than 4 of its 7 digits would be left after scaling.
LARGEST_OFFSET = 1000.0


def is_plain(columns: Sequence[InputColumn]) -> bool:
    """Return whether raw rows can be one float32 array: only numbers, without missing values or large offsets."""
    return all(each.kind == "number" and each.fill is None and abs(each.offset) < LARGEST_OFFSET for each in columns)


class TargetScaling(Stored):
    """The scaling of one target of a regression: networks are trained on `offset + factor * raw`."""

    name: str
    offset: float = 0.0
    factor: float = 1.0


class Origin(Stored):
    """Where a training's rows come from: their source, and how they were scaled and split.

    columns: the raw columns, in order; for an array with more than two dimensions, the entries of the last dimension.
    shape: the shape of one sample of a network's input.
    targets: the scaling of a regression's targets; empty for classes.
    data: the section `data` of params.yaml with which the rows were loaded.
    split: the section `split` of params.yaml with which the rows were split.
    """

    task: StoredTask
    columns: tuple[InputColumn, ...]
    shape: tuple[int, ...]
    targets: tuple[TargetScaling, ...]
    data: DataParams
    split: SplitParams

    @model_validator(mode="after")
    def _expect_fitting(self) -> Self:
        if not self.shape or min(self.shape) < 1 or self.shape[-1] != len(self.inputs):
            raise ValueError(f"the shape {self.shape} does not fit {len(self.inputs)} inputs")
        if len(self.targets) != (0 if self.task.is_classification else len(self.task.names)):
            raise ValueError(f"{len(self.targets)} scaled targets do not fit the task")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of a network's inputs, in order."""
        return tuple(name for column in self.columns for name in column.inputs)


@dataclass(frozen=True)
class Samples:
    """Rows in order.

    inputs: float [sample, input], or with more dimensions.
    targets: labels int64 [sample], or scaled values float64 [sample, target].
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Split:
    """The scaled rows for training, for the test, and for validation if there are any."""

    task: Task
    train: Samples
    test: Samples
    validation: Samples | None = None

    @property
    def parts(self) -> dict[str, Samples]:
        """Return the parts by name, in the order train, validation, test."""
        validation = {} if self.validation is None else {"validation": self.validation}
        return {"train": self.train, **validation, "test": self.test}

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one sample of a network's input."""
        return self.train.inputs.shape[1:]

    @property
    def inputs(self) -> int:
        """Return how many numbers a network takes per sample."""
        return prod(self.shape)

    @property
    def constant_losses(self) -> dict[str, float]:
        """Return the baseline loss of each part: the loss of the best constant prediction."""
        return {name: self.task.constant_loss(part.targets) for name, part in self.parts.items()}

    def surface_axes(self, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the two axes of a grid over all rows and a margin of 5%, float32 [resolution]; needs two inputs."""
        rows = np.concatenate([part.inputs for part in self.parts.values()])
        low, high = rows.min(axis=0), rows.max(axis=0)
        margin = 0.05 * (high - low)
        first, second = np.linspace(low - margin, high + margin, resolution, dtype=np.float32).T
        return first, second
