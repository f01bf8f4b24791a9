"""Bring an MLflow store to hold what the files say: idempotent, and correct after a kill at any moment.

A run is found by its fingerprint, never by its id. It carries the tag `pipeline.complete` only when all of it is
written: one without is what a crash left, and is deleted and written anew. Where the fingerprint is the same but the
judgement another, the run is overwritten in place and its judgement tag is written last.

What stands above the runs, the experiment's description and the best model's registration, is of the repository's
params.yaml: DVC's experiments leave it alone, for several may be on their way at once.
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

from pipeline.params.tracking import TrackingParams
from pipeline.tracking import current, images, registry, store
from pipeline.tracking.best import MODEL, USE, Best, choose
from pipeline.tracking.guide import STUDIES_GUIDE, guide
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import Parameters, Point, VariantContent
from pipeline.tracking.rows import fastest_writer
from pipeline.tracking.tags import COMPLETE, DESCRIPTION, EXPERIMENT, FINGERPRINT, JUDGEMENT, VARIANT
from pipeline.tracking.views import views
from pipeline.tracking.writing import NewRun, Writer, log

FOLDERS = ("figures", "tables", images.FOLDER)  # artifacts that come and go with the judgement


def publish(
    contents: Sequence[VariantContent],
    params: TrackingParams,
    pair: Sequence[str],
    datasets: dict[str, Path],
    packages: Packages,
) -> dict[str, str]:
    """Publish what the store does not hold yet.

    Args:
        packages: of the models; those that nobody began are begun here.
        pair: the two variants that are set side by side, if any are.
        datasets: the tables that the runs used, by context (training, testing).

    Returns:
        For each variant what was done: published, judged anew, or nothing new.

    Raises:
        UserError: the store does not answer or cannot be written.
    """
    with _publisher(params.experiment) as publisher:
        done, run_ids = publisher.bring(contents, datasets, packages)
        publisher.arrange({content.variant: content.parameters for content in contents}, pair)
        if not _in_experiment():
            description = guide([content.variant for content in contents], pair, params.registered_model)
            publisher.describe({DESCRIPTION: description, **views(contents, pair)})
            best = choose(contents)
            if best is not None:
                publisher.register(params.registered_model, best, run_ids[best.content.variant])
        return done


def datasets_of(train: Path, test: Path) -> dict[str, Path]:
    """Both parts of the split by MLflow's names of what runs use data for."""
    return {"training": train, "testing": test}


def publish_study(content: VariantContent, params: TrackingParams, datasets: dict[str, Path]) -> str:
    """Publish a study into an experiment beside the variants'; arguments, result and errors as of `publish`."""
    with _publisher(f"{params.experiment}-studies") as publisher, Packages() as none:
        done, _ = publisher.bring([content], datasets, none)
        if not _in_experiment():
            publisher.describe({DESCRIPTION: STUDIES_GUIDE})
        return done[content.variant]


@contextmanager
def _publisher(experiment: str) -> Iterator["Publisher"]:
    uri = store.tracking_uri()
    with store.locked(), store.readable_errors(uri):
        client = store.connect(uri)
        experiment_id = store.experiment_id(client, experiment)
        publisher = Publisher(client, experiment_id, fastest_writer(client, experiment_id, store.own_database()))
        if store.is_own():
            publisher.sweep()
        yield publisher


class Publisher:
    """Writes variants into one experiment of one store. A study is one to it, and its cells are the replicas."""

    def __init__(self, client: MlflowClient, experiment_id: str, writer: Writer) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._writer = writer
        self.overwritten: list[str] = []

    def bring(
        self, contents: Sequence[VariantContent], datasets: dict[str, Path], packages: Packages
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Write what is missing; for each variant what was done, and the id of its run."""
        held = {content.variant: self.reuse(content) for content in contents}
        run_ids = {variant: run_id for variant, run_id in held.items() if run_id is not None}
        missing = [content for content in contents if content.variant not in run_ids]
        done = dict.fromkeys((content.variant for content in contents), "nothing new")
        done |= dict.fromkeys(self.overwritten, "judged anew")
        done |= dict.fromkeys((content.variant for content in missing), "published")
        inputs = _dataset_inputs(datasets) if missing else []
        packages.begin({content.variant: content.models for content in missing})
        for content in missing:
            run_ids[content.variant] = self.begin(content, inputs)
        for content in missing:
            self.finish(run_ids[content.variant], content, packages.folders(content.variant))
        return done, run_ids

    def sweep(self) -> None:
        """Delete what crashes left, of whatever recipe. For a store of ours alone: on a server another publisher's run
        may be on its way."""
        for run in self._search("attributes.status = 'RUNNING'"):
            if FINGERPRINT in run.data.tags and COMPLETE not in run.data.tags:
                self._delete(run)

    def arrange(self, wanted: Mapping[str, Parameters], pair: Sequence[str]) -> None:
        """Let the runs of what params.yaml says come first; an experiment's parameters are not those."""
        current.arrange(self._client, self._experiment_id, wanted, pair, mark=not _in_experiment())

    def describe(self, tags: dict[str, str]) -> None:
        """The experiment's own tags, written only where they are others."""
        found = self._client.get_experiment(self._experiment_id).tags
        for key, value in tags.items():
            if found.get(key) != value:
                self._client.set_experiment_tag(self._experiment_id, key, value)

    def register(self, name: str, best: Best, run_id: str) -> None:
        """The best model, of a run that is whole, in the registry."""
        model_id = self._models(run_id)[f"{best.content.variant}_{MODEL}"]
        registry.register(self._client, name, best, run_id, model_id)

    def reuse(self, content: VariantContent) -> str | None:
        """The id of the run of this content, brought to its judgement; None where there is none that is complete."""
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
        run = self._judged(complete[::-1], content.judgement)
        if run is None:
            return None
        if not self._is_whole(run, content):
            self._delete(run)
            return None
        if run.data.tags.get(JUDGEMENT) != content.judgement:
            self._overwrite(run, content)
            self.overwritten.append(content.variant)
        return run.info.run_id

    def _judged(self, runs: Sequence[Run], judgement: str) -> Run | None:
        """Of whole runs of one training, the oldest first: the one that is judged so, else the one to overwrite.

        An experiment overwrites nothing, and its runs are not overwritten: both its judgement and that of params.yaml
        are to be seen.
        """
        same = [run for run in runs if run.data.tags.get(JUDGEMENT) == judgement]
        own = [] if _in_experiment() else [run for run in runs if EXPERIMENT not in run.data.tags]
        return next(iter([*same, *own]), None)

    def _is_whole(self, run: Run, content: VariantContent) -> bool:
        """Whether nobody deleted one of its replicas or models."""
        replicas = {replica.name for replica in content.replicas}
        models = {f"{content.variant}_{name}" for name in content.models}
        return replicas <= self._replicas(run).keys() and models <= self._models(run.info.run_id).keys()

    def begin(self, content: VariantContent, inputs: list[DatasetInput]) -> str:
        """Write a run and its replicas, all but its models, and give its id."""
        tags = {VARIANT: content.variant, FINGERPRINT: content.fingerprint, DESCRIPTION: content.description}
        tags |= content.parameters.judged
        run = NewRun(content.variant, {**tags, **_origin()}, content.parameters.trained, content.points)
        (parent,) = self._writer.add([run], finished=False)
        self._client.log_inputs(parent, inputs)
        replicas = [
            NewRun(each.name, {MLFLOW_PARENT_RUN_ID: parent, **each.tags}, each.params, each.points)
            for each in content.replicas
        ]
        self._writer.add(replicas, finished=True)
        self._log_artifacts(parent, content)
        return parent

    def finish(self, run_id: str, content: VariantContent, models: Mapping[str, Path]) -> None:
        """Write its models, packaged Keras models by name; only then is it whole."""
        for name, folder in models.items():
            self._log_model(run_id, f"{content.variant}_{name}", folder, content.parameters.trained)
        self._client.set_terminated(run_id)
        log(self._client, run_id, tags={JUDGEMENT: content.judgement, COMPLETE: "true"})

    def _overwrite(self, run: Run, content: VariantContent) -> None:
        """Another judgement of the same training: what it changes is written over, the run keeps its id."""
        # No judgement until all is written: a kill in between, and the former one taken back, must not look finished.
        log(self._client, run.info.run_id, tags={JUDGEMENT: "being overwritten"})
        children = self._replicas(run)
        for replica in content.replicas:
            child = children[replica.name]
            log(self._client, child.info.run_id, self._changed(child, replica.points), tags=replica.tags)
        changed = self._changed(run, content.points)
        judged = content.parameters.judged
        gone = [key for key in current.parameters(run).judged if key not in judged]
        for key in gone:
            self._client.delete_tag(run.info.run_id, key)
        log(self._client, run.info.run_id, changed, tags={DESCRIPTION: content.description, **judged})
        self._log_artifacts(run.info.run_id, content)
        log(self._client, run.info.run_id, tags={JUDGEMENT: content.judgement})

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

    def _log_artifacts(self, run_id: str, content: VariantContent) -> None:
        for folder, paths in content.artifacts.items():
            for path in paths:
                self._client.log_artifact(run_id, str(path), folder)
        with tempfile.TemporaryDirectory(prefix="images-") as place:
            for path in content.images:
                for name in images.names(path.stem):
                    shutil.copyfile(path, Path(place) / name)
            self._client.log_artifacts(run_id, place, images.FOLDER)
        log(self._client, run_id, tags=images.TAGS if content.images else {})
        self._remove_others(run_id, content)

    def _remove_others(self, run_id: str, content: VariantContent) -> None:
        """Delete figures and tables that are no more."""
        kept = {f"{folder}/{path.name}" for folder, paths in content.artifacts.items() for path in paths}
        kept |= {f"{images.FOLDER}/{name}" for path in content.images for name in images.names(path.stem)}
        stored = [each.path for folder in FOLDERS for each in self._client.list_artifacts(run_id, folder)]
        uri = self._client.get_run(run_id).info.artifact_uri
        for path in set(stored) - kept:
            get_artifact_repository(uri, tracking_uri=self._client.tracking_uri).delete_artifacts(path)

    def _log_model(self, run_id: str, name: str, folder: Path, params: dict[str, str]) -> None:
        model = self._client.create_logged_model(
            self._experiment_id,
            name=name,
            source_run_id=run_id,
            params=params,
            model_type="keras",
            tags={DESCRIPTION: f"The network of {name.replace('_', ' ')} replica. {USE}"},
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])

    def _delete(self, parent: Run) -> None:
        """What a crash left: models and children first, so that a second crash finds the parent again."""
        for model_id in self._models(parent.info.run_id).values():
            self._client.delete_logged_model(model_id)
        for child in self._children(parent):
            self._client.delete_run(child.info.run_id)
        self._client.delete_run(parent.info.run_id)

    def _models(self, run_id: str) -> dict[str, str]:
        """The ids of its models, by name."""
        found = self._client.search_logged_models([self._experiment_id], f"source_run_id = '{run_id}'")
        return {model.name: model.model_id for model in found}

    def _replicas(self, parent: Run) -> dict[str, Run]:
        """Its children by name."""
        return {child.info.run_name: child for child in self._children(parent)}

    def _children(self, parent: Run) -> list[Run]:
        return self._search(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")

    def _search(self, condition: str) -> list[Run]:
        return store.search(self._client, self._experiment_id, condition)


def _in_experiment() -> bool:
    """Whether a DVC experiment publishes: what params.yaml says there is not what the repository's says."""
    return "DVC_EXP_NAME" in os.environ


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
