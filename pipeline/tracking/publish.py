"""Bring an MLflow store to hold what the files say: idempotent, and correct after a kill at any moment.

A run is found by its fingerprint, never by its id. It carries the tag `pipeline.complete` only when all of it is
written: one without is what a crash left, and is deleted and written anew. Where the fingerprint is the same but the
judgement another, the run is overwritten in place and its judgement tag is written last.
"""

import hashlib
import json
import math
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, Run, RunTag
from mlflow.types import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

from pipeline.tracking import packaging, store
from pipeline.tracking.content import Point, VariantContent

VARIANT, FINGERPRINT, JUDGEMENT = "pipeline.variant", "pipeline.fingerprint", "pipeline.judgement"
COMPLETE, EXPERIMENT = "pipeline.complete", "pipeline.dvc_experiment"
DESCRIPTION = "mlflow.note.content"
BATCH = 1000  # the most that one request takes


def publish(contents: Sequence[VariantContent], experiment: str, datasets: dict[str, Path]) -> dict[str, str]:
    """Publish what the store does not hold yet.

    Args:
        experiment: the MLflow experiment's name.
        datasets: the tables that the runs used, by context (training, testing).

    Returns:
        For each variant what was done: published, overwritten in place, or already there.

    Raises:
        UserError: the store does not answer or cannot be written.
    """
    uri = store.tracking_uri()
    with store.locked(), store.readable_errors(uri):
        client = store.connect(uri)
        publisher = Publisher(client, store.experiment_id(client, experiment))
        if store.is_own():
            publisher.sweep()
        missing = [content for content in contents if publisher.reuse(content) is None]
        done = dict.fromkeys((content.variant for content in contents), "already there")
        done |= dict.fromkeys(publisher.overwritten, "overwritten in place")
        done |= dict.fromkeys((content.variant for content in missing), "published")
        inputs = _dataset_inputs(datasets) if missing else []
        with packaging.packaged([content.models for content in missing]) as folders:
            for content, models in zip(missing, folders, strict=True):
                publisher.write(content, models, inputs)
        return done


class Publisher:
    """Writes variants into one experiment of one store."""

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self.overwritten: list[str] = []

    def sweep(self) -> None:
        """Delete what crashes left, of whatever recipe. For a store of ours alone: on a server another publisher's run
        may be on its way."""
        for run in self._search("attributes.status = 'RUNNING'"):
            if FINGERPRINT in run.data.tags and COMPLETE not in run.data.tags:
                self._delete(run)

    def reuse(self, content: VariantContent) -> Run | None:
        """The run of this content, brought to its judgement; None where there is none that is complete."""
        found = self._search(
            f"tags.`{FINGERPRINT}` = '{content.fingerprint}' and tags.`{VARIANT}` = '{content.variant}'"
        )
        parents = [run for run in found if MLFLOW_PARENT_RUN_ID not in run.data.tags]
        complete = [run for run in parents if COMPLETE in run.data.tags]
        for run in parents:
            if run not in complete:
                self._delete(run)
        if not complete:
            return None
        run = complete[-1]  # the oldest
        if not {replica.params["replica"] for replica in content.replicas} <= self._replicas(run).keys():
            self._delete(run)  # somebody deleted one of its replicas: it is no longer whole
            return None
        if run.data.tags.get(JUDGEMENT) != content.judgement:
            self._overwrite(run, content)
            self.overwritten.append(content.variant)
        return run

    def write(self, content: VariantContent, models: dict[str, Path], inputs: list[DatasetInput]) -> None:
        """Write a run and its replicas; `models` are packaged Keras models by name."""
        client = self._client
        tags = {VARIANT: content.variant, FINGERPRINT: content.fingerprint, **_origin()}
        parent = client.create_run(self._experiment_id, tags=tags, run_name=content.name).info.run_id
        self._log(parent, content.points, content.params, {DESCRIPTION: content.description})
        client.log_inputs(parent, inputs)
        for replica in content.replicas:
            child_tags = {MLFLOW_PARENT_RUN_ID: parent, **replica.tags}
            child = client.create_run(self._experiment_id, tags=child_tags, run_name=replica.name).info.run_id
            self._log(child, replica.points, replica.params, {})
            client.set_terminated(child)
        self._log_artifacts(parent, content)
        for name, folder in models.items():
            self._log_model(parent, f"{content.variant}_{name}", folder, content.params)
        client.set_terminated(parent)
        self._log(parent, [], {}, {JUDGEMENT: content.judgement, COMPLETE: "true"})

    def _overwrite(self, run: Run, content: VariantContent) -> None:
        """Another judgement of the same training: what it changes is written over, the run keeps its id."""
        # No judgement until all is written: a kill in between, and the former one taken back, must not look finished.
        self._log(run.info.run_id, [], {}, {JUDGEMENT: "being overwritten"})
        children = self._replicas(run)
        for replica in content.replicas:
            child = children[replica.params["replica"]]
            self._log(child.info.run_id, self._changed(child, replica.points), {}, replica.tags)
        self._log(run.info.run_id, self._changed(run, content.points), {}, {DESCRIPTION: content.description})
        self._log_artifacts(run.info.run_id, content)
        self._log(run.info.run_id, [], {}, {JUDGEMENT: content.judgement})

    def _changed(self, run: Run, points: Sequence[Point]) -> list[Point]:
        """The points whose latest value in the store is another: MLflow appends, and never replaces or removes.

        A point that is no more (the epochs that a replica took to learn, where it no longer counts as learned) becomes
        not a number.
        """
        stored: dict[tuple[str, int], float] = {}
        for key in run.data.metrics.keys() | {point.key for point in points}:
            history = self._client.get_metric_history(run.info.run_id, key)
            stored |= {(key, each.step): each.value for each in sorted(history, key=lambda each: each.timestamp)}
        wanted = {(point.key, point.step) for point in points}
        changed = [point for point in points if stored.get((point.key, point.step)) != point.value]
        gone = [place for place, value in stored.items() if place not in wanted and not math.isnan(value)]
        return changed + [Point(key, math.nan, step) for key, step in gone]

    def _log(self, run_id: str, points: Sequence[Point], params: dict[str, str], tags: dict[str, str]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(point.key, point.value, now, point.step) for point in points]
        first = (
            [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in tags.items()],
        )
        if params or tags:
            self._client.log_batch(run_id, params=first[0], tags=first[1])
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + BATCH])

    def _log_artifacts(self, run_id: str, content: VariantContent) -> None:
        for folder, paths in content.artifacts.items():
            for path in paths:
                self._client.log_artifact(run_id, str(path), folder)

    def _log_model(self, run_id: str, name: str, folder: Path, params: dict[str, str]) -> None:
        model = self._client.create_logged_model(
            self._experiment_id, name=name, source_run_id=run_id, params=params, model_type="keras"
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])

    def _delete(self, parent: Run) -> None:
        """What a crash left: models and children first, so that a second crash finds the parent again."""
        condition = f"source_run_id = '{parent.info.run_id}'"
        for model in self._client.search_logged_models([self._experiment_id], condition):
            self._client.delete_logged_model(model.model_id)
        for child in self._children(parent):
            self._client.delete_run(child.info.run_id)
        self._client.delete_run(parent.info.run_id)

    def _replicas(self, parent: Run) -> dict[str, Run]:
        """Its children by replica; runs that somebody else put below it are none."""
        children = self._children(parent)
        return {child.data.params["replica"]: child for child in children if "replica" in child.data.params}

    def _children(self, parent: Run) -> list[Run]:
        return self._search(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")

    def _search(self, condition: str) -> list[Run]:
        """All matching runs, newest first."""
        runs: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], condition, order_by=["attributes.start_time DESC"], page_token=token
            )
            runs.extend(page)
            token = page.token
            if not token:
                return runs


def _origin() -> dict[str, str]:
    """The git commit, and the DVC experiment's name, where there are any."""
    tags = {EXPERIMENT: os.environ["DVC_EXP_NAME"]} if os.environ.get("DVC_EXP_NAME") else {}
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {**tags, MLFLOW_GIT_COMMIT: asked.stdout.strip()} if asked.returncode == 0 else tags


def _dataset_inputs(datasets: dict[str, Path]) -> list[DatasetInput]:
    """Built by hand: MLflow's own `from_pandas` guesses the source, with warnings."""
    inputs = []
    for context, path in datasets.items():
        table = pd.read_csv(path)
        columns = [ColSpec("long" if name == "label" else "double", name) for name in table]
        dataset = Dataset(
            name=path.stem,
            digest=hashlib.sha256(path.read_bytes()).hexdigest()[:8],
            source_type="local",
            source=json.dumps({"uri": str(path)}),
            schema=json.dumps({"mlflow_colspec": Schema(columns).to_dict()}),
            profile=json.dumps({"num_rows": len(table)}),
        )
        inputs.append(DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)]))
    return inputs
