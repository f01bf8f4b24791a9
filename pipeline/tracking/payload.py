"""Assemble the content of a variant's runs in MLflow, as plain values. This module does not import MLflow."""

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.data.split.samples import InputColumn, is_plain
from pipeline.data.split.tasks import Task
from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, outcome_colours
from pipeline.evaluation.learned import score_in_words
from pipeline.evaluation.replica_table import OUTCOME
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.params.file import Plain
from pipeline.params.tracking_params import TrackingParams
from pipeline.remedies.recipe_changes import helps
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.answer import answer
from pipeline.tracking.metric_keys import Point
from pipeline.tracking.metric_values import variant_points
from pipeline.tracking.run_parameters import Parameters, Sections, flattened, parameters
from pipeline.tracking.tags import COLOUR

HISTORY = "history"  # the folder of the artifacts that depend only on the training


@dataclass(frozen=True)
class ReplicaPayload:
    """The child run of a replica.

    final: the final main score on the judged part of the data.
    score: the final main score on the part that chooses the best replica.
    """

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point]
    final: float
    score: float


@dataclass(frozen=True)
class VariantPayload:
    """The parent run of a variant, and its replicas.

    fingerprint: the hash of the training's parameters and outputs.
    evaluation_hash: the hash of the evaluation's parameters and outputs. A run in MLflow is outdated if one of its two
        hashes differs.
    final: the column of the main score, such as `test_accuracy`.
    chosen_by: the column by which the best replica is chosen: with validation data `validation_accuracy`, else `final`.
    use: the inputs and the answer of the variant's models (Markdown).
    images: the figures that the UI can show beside figures of other runs.
    models: the replicas that are published as Keras models, by the model's name.
    """

    variant: str
    fingerprint: str
    evaluation_hash: str
    final: str
    chosen_by: str
    use: str
    parameters: Parameters
    description: str
    points: list[Point]
    replicas: list[ReplicaPayload]
    artifacts: dict[str, list[Path]]
    images: list[Path]
    models: dict[str, int]

    @property
    def is_validated(self) -> bool:
        """Whether the best replica is chosen and judged on different parts of the data."""
        return self.chosen_by != self.final

    @property
    def hashes(self) -> dict[str, str]:
        """The variant's entry in the manifest."""
        return {"fingerprint": self.fingerprint, "evaluation_hash": self.evaluation_hash}


@dataclass(frozen=True)
class VariantFiles:
    """The files of a variant.

    trained: all outputs of the training, and the data.
    judged: all outputs of the evaluation.
    artifacts: the files that MLflow gets, by folder.
    images: the figures that the UI can show beside figures of other runs.
    """

    trained: list[Path]
    judged: list[Path]
    artifacts: dict[str, list[Path]]
    images: list[Path]


@dataclass(frozen=True)
class VariantSource:
    """A variant's parameters and files, which decide whether the variant is already published.

    trained: all parameters of the training by section, with the resolved `variant`.
    judged: all parameters of the evaluation by section.
    columns: the input columns of a model.
    """

    variant: str
    trained: Sections
    judged: Sections
    files: VariantFiles
    columns: tuple[InputColumn, ...]

    @cached_property
    def fingerprint(self) -> str:
        """The hash of the training's parameters and outputs."""
        return digest({**self.trained, "variant": {self.variant: self.trained["variant"]}}, self.files.trained)


def not_published(sources: Iterable[VariantSource], manifest: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Return the variants whose training is not in MLflow yet, by the manifest.

    These variants need new models. A variant that was only evaluated again keeps its models, so it is left out.
    """
    return {each.variant for each in sources if manifest.get(each.variant, {}).get("fingerprint") != each.fingerprint}


def assemble(
    source: VariantSource, evaluation: VariantEvaluation, models: dict[str, int], tracking: TrackingParams
) -> VariantPayload:
    """Return the content of a variant's runs.

    Args:
        models: the replicas to publish as Keras models, by the model's name.
        tracking: the section `tracking` of params.yaml.
    """
    variant, own, files = source.variant, flattened(source.trained["variant"]), source.files
    params = {"variant": variant, **own, "seed": str(source.trained["training"]["seed"])}
    return VariantPayload(
        variant=variant,
        fingerprint=source.fingerprint,
        evaluation_hash=digest({**tracking.model_dump(), **source.judged}, files.judged),
        final=evaluation.final,
        chosen_by=evaluation.chosen_by,
        use=use(evaluation.task, source.columns),
        parameters=parameters(source.trained, source.judged),
        description=description(variant, evaluation),
        points=variant_points(evaluation, tracking),
        replicas=[replica_payload(row, evaluation, params) for row in evaluation.replicas.to_dict("records")],
        artifacts=files.artifacts,
        images=files.images,
        models=models,
    )


def use(task: Task, columns: Sequence[InputColumn]) -> str:
    """Describe the inputs and the answer of a model (Markdown)."""
    if is_plain(columns):
        names, treatment = ", ".join(as_code(column.name) for column in columns), "the model's first layer scales them"
    else:
        names = ", ".join(column.says(as_code(column.name)) for column in columns)
        treatment = "the model itself fills missing values, encodes and scales"
    answers = ", ".join(as_code(name) for name in answer(task))
    return (
        f"Takes raw rows, a table with the columns {names}: {treatment}. Answers with the columns {answers}. "
        f"Loaded by `mlflow.keras` it is the Keras model, which gives {in_markdown(task.says())}, "
        f"float32 [row, {task.outputs}]."
    )


def digest(values: Mapping[str, Plain], files: Iterable[Path]) -> str:
    """Return the SHA-256 of values (as JSON) and of files (names and bytes)."""
    hash_ = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    for path in sorted(files):
        hash_.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return hash_.hexdigest()


def description(variant: str, evaluation: VariantEvaluation) -> str:
    """Return the result in one sentence, the verdict, and the number of replicas without a dead layer (Markdown)."""
    metrics, diagnosis = evaluation.metrics, evaluation.diagnosis
    (count, total), score, living = evaluation.learned, metrics.scores[evaluation.final], metrics.living
    low, high = (100 * end for end in metrics.learned.interval)
    score_text = (
        ""
        if score.median is None
        else (
            f", with a median {score_in_words(evaluation.final)} of {score.median:.3f} "
            f"(quartiles {score.q25:.3f} to {score.q75:.3f})"
        )
    )
    return (
        f"**{variant}: {count} of {total} replicas learned** (95% interval {low:.0f} to {high:.0f}%){score_text}.\n\n"
        f"{diagnosis.verdict}{helps(diagnosis.remedies)}\n\n"
        f"{living.at_start} of {total} replicas had no dead layer before training and {living.at_end} at its end. "
        "Gradient statistics are medians over the replicas without a dead layer at that epoch; `alive_share` is the "
        "share of these replicas."
    )


def replica_payload(
    row: Mapping[Hashable, str | float], evaluation: VariantEvaluation, params: Mapping[str, str]
) -> ReplicaPayload:
    """Return the content of a replica's run, from its row in the evaluation's table and its variant's parameters.

    All numbers of the row, including the evidence, become metrics, because box plots and parallel coordinates show only
    metrics.
    """
    values = {str(key): float(value) for key, value in row.items() if key not in OUTCOME}
    outcome, cause = str(row["outcome"]), str(row["cause"])
    values[keys.LEARNED.of()] = float(outcome == LEARNED)
    symptom = {} if row["symptom"] == NO_CAUSE else {"symptom": str(row["symptom"])}
    colour = outcome_colours()[outcome if cause == NO_CAUSE else cause]
    return ReplicaPayload(
        name=f"replica {row['replica']:03d}",
        params={**params, "replica": str(row["replica"])},
        tags={"outcome": outcome, "cause": cause, **symptom, COLOUR: colour},
        points=keys.finite(Point(key, value) for key, value in values.items()),
        final=float(row[evaluation.final]),
        score=float(row[evaluation.chosen_by]),
    )
