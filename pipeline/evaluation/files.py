"""Read and write the files of a variant's evaluation: tables, figures, the diagnosis and the metrics file."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter

from pipeline.data.reference.reference import Reference
from pipeline.data.split.tasks import Task
from pipeline.diagnosis.causes import FORMER_NAMES, LEARNED, NO_CAUSE, NOT_LEARNED, cause_names
from pipeline.diagnosis.evidence import COLUMNS
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.replica_table import COURSE, OUTCOME
from pipeline.evaluation.summary import QUARTILES
from pipeline.evaluation.variant import VariantDiagnosis, VariantEvaluation, VariantMetrics
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, save_json
from pipeline.foundations.formats import load_table, save_table
from pipeline.history.time_profiles import RECURRENT_CALL, TIME, TIME_VALUES
from pipeline.params.evaluation_params import SCORES

EVALUATIONS = Path("evaluations")
METRICS = Path("metrics")
GRADIENT = "probe_gradient_mean_abs"  # a value of layers.csv that every evaluation has
NAMES: Mapping[Hashable, Callable[[], Collection[str]]] = {
    "outcome": lambda: (LEARNED, NOT_LEARNED),
    "cause": lambda: (NO_CAUSE, *cause_names()),
    "symptom": lambda: (NO_CAUSE, *cause_names()),
}
_DIAGNOSIS = TypeAdapter(VariantDiagnosis)


def folder(variant: str) -> Path:
    """Return the folder that holds all files of a variant's evaluation except the metrics file."""
    return EVALUATIONS / variant


def metrics_path(variant: str) -> Path:
    """Return the path of a variant's metrics file, which is in git."""
    return METRICS / f"{variant}.json"


def diagnosis_path(variant: str) -> Path:
    """Return the path of the JSON file with a variant's task, rule of learning, verdict, remedies and theory."""
    return folder(variant) / "diagnosis.json"


def figure_path(variant: str, name: str) -> Path:
    """Return the path of a variant's figure."""
    return folder(variant) / f"{name}.png"


def figures(variant: str) -> list[Path]:
    """Return the paths of all figures of a variant, sorted by name."""
    return sorted(folder(variant).glob("*.png"))


def tables(variant: str) -> list[Path]:
    """Return the paths of a variant's tables, sorted by name, its diagnosis and its metrics file."""
    return [*sorted(folder(variant).glob("*.csv")), diagnosis_path(variant), metrics_path(variant)]


def save_evaluation(variant: str, evaluation: VariantEvaluation) -> None:
    """Write the tables, the diagnosis and the metrics of a variant, but no figures."""
    save_table(evaluation.replicas, folder(variant) / "replicas.csv")
    save_table(evaluation.curves, folder(variant) / "curves.csv")
    save_table(evaluation.layers, folder(variant) / "layers.csv")
    if len(evaluation.times):
        save_table(evaluation.times, folder(variant) / "times.csv")
    rule, reference = evaluation.rule, evaluation.rule.reference
    diagnosis = {
        "task": evaluation.task.plain,
        "rule": rule.plain,
        "reference": None if reference is None else reference.model_dump(mode="json"),
        **asdict(evaluation.diagnosis),
    }
    save_json(diagnosis, diagnosis_path(variant))
    save_json(evaluation.metrics.plain, metrics_path(variant))


def load_evaluation(variant: str) -> VariantEvaluation:
    """Read a variant's evaluation from its files.

    Raises:
        UserError: a file is missing, damaged or truncated.
    """
    with reading(metrics_path(variant), "the metrics of a variant"):
        metrics = VariantMetrics.of(load_json(metrics_path(variant)))
        _expect_names(metrics.outcomes, (LEARNED, *cause_names()))
        if not metrics.scores:
            raise ValueError("no score")
    columns = [*OUTCOME, *metrics.scores, *metrics.predicted, *COURSE, *COLUMNS]
    replicas = _load_numbers(folder(variant) / "replicas.csv", columns, ["replica"])
    if len(replicas) != metrics.replicas:
        raise UserError(
            f"{folder(variant) / 'replicas.csv'}: {len(replicas)} rows: must have {metrics.replicas}, as in "
            f"{metrics_path(variant)}"
        )
    task, rule, diagnosis = _load_diagnosis(variant)
    parts = [name.partition("_")[0] for name in metrics.scores]
    curves = [f"{name}_{each}" for name in (*metrics.scores, *(f"{part}_loss" for part in parts)) for each in QUARTILES]
    gradients = [f"{GRADIENT}_{each}" for each in QUARTILES]
    return VariantEvaluation(
        task,
        rule,
        metrics,
        diagnosis,
        replicas,
        _load_numbers(folder(variant) / "curves.csv", ["epoch", "learned_share", "alive_share", *curves], ["epoch"]),
        _load_numbers(folder(variant) / "layers.csv", ["epoch", "layer", "living", *gradients], ["epoch", "layer"]),
        _load_times(folder(variant) / "times.csv"),
    )


def _load_times(path: Path) -> pd.DataFrame:
    """Read the table of recurrent layers by time step; without recurrent layers there is none."""
    if not path.is_file():
        return pd.DataFrame()
    keys = ["epoch", RECURRENT_CALL, TIME]
    return _load_numbers(path, [*keys, *(f"{name}_{each}" for name in TIME_VALUES for each in QUARTILES)], keys)


def _load_numbers(path: Path, columns: list[str], keys: list[str]) -> pd.DataFrame:
    """Read a table whose columns are numbers, except the names of outcomes and causes.

    Args:
        columns: the columns that the table must have.
        keys: the columns that identify a row, in whole numbers that increase.

    Raises:
        UserError: the table is missing or damaged, or lacks a column.
    """
    table = load_table(path, columns)
    with reading(path, "a table as `evaluate` writes it"):
        for name in table:
            if name in NAMES:
                table[name] = table[name].replace(FORMER_NAMES)
                _expect_names(table[name], NAMES[name]())
            elif table[name].dtype.kind not in "iuf" or (name in keys and table[name].dtype.kind == "f"):
                kind = "whole numbers" if name in keys else "numbers"
                raise ValueError(f"column {name} must hold only {kind}")
        if not table.set_index(keys).index.is_monotonic_increasing or table.duplicated(keys).any():
            raise ValueError(f"{' and '.join(keys)} must increase from row to row")
    return table


def _expect_names(names: Iterable[str], allowed: Collection[str]) -> None:
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise ValueError(f"{unknown[0]} is not one of {', '.join(allowed)}")


def _load_diagnosis(variant: str) -> tuple[Task, Rule, VariantDiagnosis]:
    path = diagnosis_path(variant)
    with reading(path, "task, rule, verdict, cause, remedies and theory"):
        plain = load_json(path)
        ((score, threshold),) = plain["rule"].items()
        diagnosis = _DIAGNOSIS.validate_python({**plain, "cause": FORMER_NAMES.get(plain["cause"], plain["cause"])})
        _expect_names([] if diagnosis.cause is None else [diagnosis.cause], cause_names())
        _expect_names([score], SCORES)
        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            raise ValueError(f"the threshold of {score} is not a number")
        reference = None if plain["reference"] is None else Reference.model_validate(plain["reference"])
        return Task.of(plain["task"]), Rule(score, threshold, reference), diagnosis
