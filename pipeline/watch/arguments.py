"""Check the arguments of `Diagnosis` before any training; an invalid argument is reported in one line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypedDict

import keras
import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import Batch, Unchecked
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import StrictSection, brief, one_of

Learned: TypeAlias = float | Mapping[str, float] | None  # see `Diagnosis`
TASKS: Final = ("auto", "binary", "multiclass", "regression")


class DiagnosisOptions(TypedDict, total=False):
    """The arguments of `Diagnosis` without the data, as `autolog` takes them."""

    learned: Learned
    task: str
    mlflow: bool | None
    tensorboard: str | os.PathLike[str] | None
    record_every: int
    max_overhead: float
    histograms: bool
    rows: int
    stop_when_hopeless: bool
    hopeless_epochs: int


def _task(task: Unchecked) -> str:
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(one_of(TASKS, task))
    return task


def _folder(folder: Unchecked) -> Path | None:
    if folder is None or isinstance(folder, str | os.PathLike):
        return None if folder is None else Path(folder)
    raise ValueError("must be the path of a folder")


class Arguments(EvaluationParams):
    """The checked arguments of `Diagnosis`, which documents them; `learned` comes from `EvaluationParams`."""

    task: Annotated[str, BeforeValidator(_task)]
    mlflow: bool | None
    tensorboard: Annotated[Path | None, BeforeValidator(_folder)]
    record_every: int = Field(ge=1)
    max_overhead: float = Field(ge=0, allow_inf_nan=True)  # infinity: no limit; NaN is rejected, as it is not >= 0
    histograms: bool
    rows: int = Field(ge=1)
    stop_when_hopeless: bool
    hopeless_epochs: int = Field(ge=1)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, arguments: dict[str, Unchecked]) -> dict[str, Unchecked]:
        """Convert NumPy's numbers to Python's."""
        return {name: each.item() if isinstance(each, np.generic) else each for name, each in arguments.items()}


class AutologArguments(StrictSection):
    """The arguments of `autolog` itself."""

    disable: bool
    mlflow_runs: int = Field(ge=0)


def expect_arrays(x: Batch, y: Batch) -> None:
    """Check that x and y are arrays with equally many rows, or structures of such arrays; both may be None.

    Raises:
        UserError: x or y is invalid.
    """
    if x is None:
        if y is not None:
            raise UserError("x: missing: must be given if y is given")
        return
    counts = []
    for name, values in (("x", x), ("y", y)):
        for leaf in keras.tree.flatten(values):
            if leaf is None:
                continue
            shape = getattr(leaf, "shape", None)
            if shape is None or not len(shape) or shape[0] is None:
                raise UserError(
                    f"{name}: {type(leaf).__name__} {brief(' '.join(str(leaf).split()))}: must be an array, or a list "
                    "or map of arrays; without x and y, Diagnosis uses the first batches of `fit`"
                )
            counts.append(int(shape[0]))
    if len(set(counts)) != 1 or not counts[0]:
        rows = " and ".join(f"{count:,}" for count in dict.fromkeys(counts)) or "no"
        raise UserError(f"x, y: {rows} rows: must be equally many in all arrays, and at least 1")
