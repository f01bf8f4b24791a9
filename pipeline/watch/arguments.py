"""What `Diagnosis` takes, checked before any training: a wrong argument is one line."""

import os
from pathlib import Path
from typing import Annotated, Any, Final

import keras
import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from pipeline.foundations.errors import UserError
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import brief, one_of

TASKS: Final = ("auto", "binary", "multiclass", "regression")


def _task(given: Any) -> str:
    if not isinstance(given, str) or given not in TASKS:
        raise ValueError(one_of(TASKS, given))
    return given


def _folder(given: Any) -> Path | None:
    if given is None or isinstance(given, str | os.PathLike):
        return None if given is None else Path(given)
    raise ValueError("must be the path of a folder")


class Arguments(EvaluationParams):
    """The arguments of `Diagnosis`, which documents them; `learned` is that of `evaluation`."""

    task: Annotated[str, BeforeValidator(_task)]
    mlflow: bool | None
    tensorboard: Annotated[Path | None, BeforeValidator(_folder)]
    record_every: int = Field(ge=1)
    max_overhead: float = Field(ge=0, allow_inf_nan=True)  # infinite: measure whatever it takes; NaN is not at least 0
    histograms: bool
    rows: int = Field(ge=1)
    stop_when_hopeless: bool
    hopeless_epochs: int = Field(ge=1)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Convert numbers of NumPy to Python's."""
        return {name: each.item() if isinstance(each, np.generic) else each for name, each in given.items()}


def expect_arrays(x: Any, y: Any) -> None:
    """Check that x and y are arrays of equally many rows, or structures of such arrays.

    Raises:
        UserError: they are not.
    """
    if x is None:
        if y is not None:
            raise UserError("x: missing: must be given where y is")
        return
    counts = []
    for name, given in (("x", x), ("y", y)):
        for leaf in keras.tree.flatten(given):
            if leaf is None:
                continue
            shape = getattr(leaf, "shape", None)
            if shape is None or not len(shape) or shape[0] is None:
                raise UserError(
                    f"{name}: {type(leaf).__name__} {brief(' '.join(str(leaf).split()))}: must be an array, or a list "
                    "or map of arrays; without x and y the first batches of `fit` are taken"
                )
            counts.append(int(shape[0]))
    if len(set(counts)) != 1 or not counts[0]:
        found = " and ".join(f"{count:,}" for count in dict.fromkeys(counts)) or "no"
        raise UserError(f"x, y: {found} rows: must be equally many in all arrays, and at least 1")
