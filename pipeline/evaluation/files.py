"""What `evaluate` leaves of a variant: tables, figures, the diagnosis and the metrics file."""

from dataclasses import asdict
from pathlib import Path

from pipeline.data.tasks import Task
from pipeline.diagnosis.remedies import Remedy
from pipeline.evaluation.expectations import Expectation
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.variant import Diagnosis, VariantEvaluation, VariantMetrics
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, save_json
from pipeline.foundations.formats import load_table, save_table

EVALUATIONS = Path("evaluations")
METRICS = Path("metrics")


def folder(variant: str) -> Path:
    """All that the evaluation leaves of a variant, but for the metrics file."""
    return EVALUATIONS / variant


def metrics_path(variant: str) -> Path:
    """The metrics file, which git keeps."""
    return METRICS / f"{variant}.json"


def diagnosis_path(variant: str) -> Path:
    """The task, the rule of learning, the verdict, remedies and theory (JSON)."""
    return folder(variant) / "diagnosis.json"


def figure_path(variant: str, name: str) -> Path:
    """A figure of the variant."""
    return folder(variant) / f"{name}.png"


def figures(variant: str) -> list[Path]:
    """All figures of the variant, by name."""
    return sorted(folder(variant).glob("*.png"))


def tables(variant: str) -> list[Path]:
    """All tables of the variant, its diagnosis and its metrics file."""
    return [*sorted(folder(variant).glob("*.csv")), diagnosis_path(variant), metrics_path(variant)]


def save_evaluation(variant: str, evaluation: VariantEvaluation) -> None:
    """Tables, diagnosis and metrics; figures are saved one by one."""
    save_table(evaluation.replicas, folder(variant) / "replicas.csv")
    save_table(evaluation.curves, folder(variant) / "curves.csv")
    save_table(evaluation.layers, folder(variant) / "layers.csv")
    judged = {"task": evaluation.task.plain, "rule": evaluation.rule.plain, **asdict(evaluation.diagnosis)}
    save_json(judged, diagnosis_path(variant))
    save_json(evaluation.metrics.plain, metrics_path(variant))


def load_evaluation(variant: str) -> VariantEvaluation:
    """Raises: UserError: a file is missing, damaged or cut short."""
    with reading(metrics_path(variant), "the metrics of a variant"):
        metrics = VariantMetrics.of(load_json(metrics_path(variant)))
    replicas = load_table(folder(variant) / "replicas.csv", ["replica", "outcome", "cause", *metrics.scores])
    if len(replicas) != metrics.replicas:
        found = f"{len(replicas)} rows: must have {metrics.replicas}, as {metrics_path(variant)} says"
        raise UserError(f"{folder(variant) / 'replicas.csv'}: {found}")
    task, rule, diagnosis = _load_diagnosis(variant)
    return VariantEvaluation(
        task,
        rule,
        metrics,
        diagnosis,
        replicas,
        load_table(folder(variant) / "curves.csv", ["epoch", "learned_share", "alive_share"]),
        load_table(folder(variant) / "layers.csv", ["epoch", "layer", "living"]),
    )


def _load_diagnosis(variant: str) -> tuple[Task, Rule, Diagnosis]:
    path = diagnosis_path(variant)
    with reading(path, "task, rule, verdict, cause, remedies and theory"):
        found = load_json(path)
        remedies, theory = (
            [Remedy(**each) for each in found["remedies"]],
            [Expectation(**each) for each in found["theory"]],
        )
        ((score, threshold),) = found["rule"].items()
        diagnosis = Diagnosis(found["verdict"], found["cause"], remedies, theory)
        return Task.of(found["task"]), Rule(score, threshold), diagnosis
