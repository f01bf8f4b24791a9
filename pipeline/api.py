"""Functions for scripts and notebooks: read a history, and diagnose its replicas."""

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
from pipeline.params.file import as_map, brief, check
from pipeline.params.shipped import shipped


def read_history(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read the history of a variant's replicas, which training writes to `runs/<variant>/history.nc` (NetCDF).

    Returns:
        Curves over replica and epoch, and values of each layer over replica, recorded epoch and layer. The attribute
        `long_name` of each explains it.

    Raises:
        UserError: the file is missing, damaged, or not a history.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: not found: must be a history, such as runs/<variant>/history.nc")
    try:
        return load_arrays(Path(path), REQUIRED, OPTIONAL)
    except UserError as error:  # outside the repository `dvc repro` cannot help
        raise UserError(str(error).removesuffix("; `dvc repro` makes it again")) from None


def diagnose(
    history: xr.Dataset, learned: float | Mapping[str, float] | None = None, **thresholds: float
) -> pd.DataFrame:
    """Return a table with each replica's outcome (learned or not), the cause if it did not learn, and the evidence.

    Args:
        history: a history from `read_history`.
        learned: the threshold that a replica's final score must exceed: a number for the task's main score, or another
            score and its number, such as `{"balanced_accuracy": 0.8}`. The default is halfway from guessing to perfect.
        thresholds: values that replace those of the section `diagnosis` in params.yaml, by key.

    Returns:
        One row per replica, with the columns of `evaluations/<variant>/replicas.csv`, except those that need
        predictions, such as `test_macro_f1`.

    Raises:
        UserError: `history` is not a history, the task does not have the score, or a threshold is unknown or out of
            range.
    """
    if not isinstance(history, xr.Dataset):
        raise UserError(f"history: {brief(history)}: must be a history, as read_history returns it")
    missing = [name for name in REQUIRED if name not in history] or {"task"} - {*history.attrs}
    if missing:
        raise UserError(f"history: no {min(missing)}: must be a history, as read_history returns it")
    rule = rule_for(task_of(history), check({"learned": learned}, "", EvaluationParams).learned)
    if not has_score(history, rule.score):
        raise UserError(f"history: no {judged_part(history)} {rule.name}: `learned` needs this score")
    return evaluate(
        history,
        rule,
        check({**as_map(shipped()["diagnosis"], "diagnosis"), **thresholds}, "diagnosis", DiagnosisParams),
    )
