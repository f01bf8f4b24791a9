"""What a script or a notebook asks of the diagnosis: a history's file, and what became of each replica in it."""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from pipeline.evaluation.learned import has_score, rule_for
from pipeline.evaluation.replica_table import evaluate
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import load_arrays
from pipeline.history.record import OPTIONAL, REQUIRED, judged_part, task_of
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import brief, check
from pipeline.params.shipped import shipped


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
        return load_arrays(Path(path), REQUIRED, OPTIONAL)
    except UserError as error:  # outside the repository there may be no DVC to make it anew
        raise UserError(str(error).removesuffix("; `dvc repro` makes it again")) from None


def diagnose(
    history: xr.Dataset, learned: float | Mapping[str, float] | None = None, **thresholds: float
) -> pd.DataFrame:
    """What became of each replica, its cause where it did not learn, and the evidence.

    Args:
        history: as `read_history` gives it.
        learned: a replica learned if its final score is above this: a number for the task's main score, or another
            score with its number, such as `{"balanced_accuracy": 0.8}`; halfway from guessing to the best by default.
        thresholds: in place of those in params.yaml's section `diagnosis`, by its keys.

    Returns:
        One row per replica, with the columns of `evaluations/<variant>/replicas.csv`, but for those that need
        predictions: `test_macro_f1` and the like.

    Raises:
        UserError: no history, a score that the task has not, or a threshold that is unknown or out of its range.
    """
    if not isinstance(history, xr.Dataset):
        raise UserError(f"history: {brief(history)}: must be a history, as read_history gives it")
    missing = [name for name in REQUIRED if name not in history] or {"task"} - {*history.attrs}
    if missing:
        raise UserError(f"history: no {min(missing)}: must be a history, as read_history gives it")
    rule = rule_for(task_of(history), check({"learned": learned}, "", EvaluationParams).learned)
    if not has_score(history, rule.score):
        raise UserError(f"history: no {judged_part(history)} {rule.name}: must hold the score that decides")
    return evaluate(history, rule, check(shipped()["diagnosis"] | thresholds, "diagnosis", DiagnosisParams))
