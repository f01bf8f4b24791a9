"""The diagnosis for scripts and notebooks: read a history, and diagnose each replica in it."""

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
    """Return the history of a variant's replicas from `runs/<variant>/history.nc` (NetCDF).

    Returns:
        Curves over replica and epoch, and values of each layer over replica, recorded epoch and layer. Each has its
        meaning in the attribute `long_name`.

    Raises:
        UserError: the file is missing, damaged or not a history.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: not found: must be a history, such as runs/<variant>/history.nc")
    try:
        return load_arrays(Path(path), REQUIRED, OPTIONAL)
    except UserError as error:  # outside the repository there may be no DVC
        raise UserError(str(error).removesuffix("; `dvc repro` makes it anew")) from None


def diagnose(
    history: xr.Dataset, learned: float | Mapping[str, float] | None = None, **thresholds: float
) -> pd.DataFrame:
    """Return the outcome of each replica, its cause if it did not learn, and the evidence.

    Args:
        history: the result of `read_history`.
        learned: a replica learned if its final score is above this: a number for the task's main score, or another
            score with its number, such as `{"balanced_accuracy": 0.8}`. Default: halfway from guessing to perfect.
        thresholds: values that replace those of the section `diagnosis` of params.yaml, by its keys.

    Returns:
        One row per replica, with the columns of `evaluations/<variant>/replicas.csv` except those that need
        predictions, such as `test_macro_f1`.

    Raises:
        UserError: `history` is not a history, the task does not have the score, or a threshold is unknown or out of
            range.
    """
    if not isinstance(history, xr.Dataset):
        raise UserError(f"history: {brief(history)}: must be the result of read_history")
    missing = [name for name in REQUIRED if name not in history] or {"task"} - {*history.attrs}
    if missing:
        raise UserError(f"history: no {min(missing)}: must be the result of read_history")
    rule = rule_for(task_of(history), check({"learned": learned}, "", EvaluationParams).learned)
    if not has_score(history, rule.score):
        raise UserError(f"history: no {judged_part(history)} {rule.name}: must hold the score of `learned`")
    return evaluate(history, rule, check(shipped()["diagnosis"] | thresholds, "diagnosis", DiagnosisParams))
