"""What a script or a notebook asks of the diagnosis: a history's file, and what became of each replica in it."""

import os
from pathlib import Path

import pandas as pd
import xarray as xr

from pipeline.evaluation.replicas import evaluate
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import load_arrays
from pipeline.history.files import HISTOGRAMS_WHERE_RECORDED, HISTORY
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.file import check, load

PACKAGE = Path(__file__).parent
IN_WHEEL, IN_REPOSITORY = (folder / "params.yaml" for folder in (PACKAGE / "params", PACKAGE.parent))


def read_history(path: str | os.PathLike[str]) -> xr.Dataset:
    """The history of a variant's replicas, as training leaves it in `runs/<variant>/history.nc` (NetCDF).

    Returns:
        Curves over replica and epoch, values of each layer over replica, recorded epoch and layer, each with its
        meaning in the attribute `long_name`.

    Raises:
        UserError: missing, damaged, or no history.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: not found: must be a history, such as runs/<variant>/history.nc")
    try:
        return load_arrays(Path(path), HISTORY, HISTOGRAMS_WHERE_RECORDED)
    except UserError as error:  # outside the repository there may be no DVC to make it anew
        raise UserError(str(error).removesuffix("; `dvc repro` makes it anew")) from None


def diagnose(history: xr.Dataset, learned: float | None = None, **thresholds: float) -> pd.DataFrame:
    """What became of each replica, its cause where it did not learn, and the evidence.

    Args:
        history: as `read_history` gives it.
        learned: a replica learned if its final test accuracy is above this; as params.yaml says by default.
        thresholds: in place of those in params.yaml's section `diagnosis`, by its keys.

    Returns:
        A row a replica, with the columns of `evaluations/<variant>/replicas.csv`.

    Raises:
        UserError: no history, or a threshold that is unknown or out of its range.
    """
    missing = [name for name in HISTORY if name not in history] or {"constant_loss"} - {*history.attrs}
    if missing:
        raise UserError(f"history: no {min(missing)}: must be a history, as read_history gives it")
    shipped = load(IN_WHEEL if IN_WHEEL.is_file() else IN_REPOSITORY)
    accuracy = shipped["evaluation"] if learned is None else {"learned_accuracy": learned}
    above = check(accuracy, "evaluation", EvaluationParams).learned_accuracy
    return evaluate(history, above, check(shipped["diagnosis"] | thresholds, "diagnosis", DiagnosisParams))
