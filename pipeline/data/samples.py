"""What every data set is here: rows of inputs with their targets, scaled and split for training."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.data.tasks import Task
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams


@dataclass(frozen=True)
class Samples:
    """Rows in order.

    inputs: float64 [sample, input]. targets: labels int64 [sample], or values float64 [sample, target].
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Data:
    """All rows before they are scaled and split, what is to be learned, and what the inputs are called."""

    samples: Samples
    task: Task
    names: tuple[str, ...]


class InputScaling(BaseModel):
    """Of one input, by its name: `scaled = offset + factor * raw`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    offset: float
    factor: float


Scaling = tuple[InputScaling, ...]


class Origin(BaseModel):
    """Where the rows of a training come from: the task, the inputs in order, and what params.yaml said then."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: Task
    inputs: Scaling
    data: DataParams
    split: SplitParams


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
    def inputs(self) -> int:
        """Number of inputs of a network."""
        return self.train.inputs.shape[1]

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
