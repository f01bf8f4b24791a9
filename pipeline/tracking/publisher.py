"""Write the runs of variants, their replicas and models into an experiment of an MLflow store.

A run is found by its fingerprint and its evaluation hash, never by its id. It gets the tag `pipeline.complete` once it
is written completely. Only one publisher at a time writes and deletes runs (see `turn`). So a run without that tag was
left by a crash: it is deleted and written again. In a complete run only the tags that mark current runs change. A new
evaluation of the same training is another run, which links to the models and the history of the first run.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

from pipeline.foundations.files import temporary_folder
from pipeline.tracking import current, images, registry, store
from pipeline.tracking.datasets import dataset_inputs
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import HISTORY, VariantPayload
from pipeline.tracking.registered_model import MODEL, Best
from pipeline.tracking.run_parameters import Parameters
from pipeline.tracking.tags import COMPLETE, DESCRIPTION, EVALUATION_HASH, EXPERIMENT, FINGERPRINT, HISTORY_OF, VARIANT
from pipeline.tracking.turn import Turn
from pipeline.tracking.writing import NewRun, log, write


class Publisher:
    """Writes variants into an experiment of a store. A study is written like a variant whose replicas are the cells."""

    def __init__(self, client: MlflowClient, experiment_id: str, turn: Turn) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._turn = turn

    def bring(
        self, contents: Sequence[VariantPayload], datasets: dict[str, Path], packages: Packages
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Write the missing runs; return two maps by variant: what was done, and the id of the run."""
        held = {content.variant: self._held(content) for content in contents}
        if None in held.values() or self._leftovers():
            self._turn.take()
            self._sweep()
            held = {content.variant: self._reuse(content) for content in contents}
        run_ids = {variant: run_id for variant, run_id in held.items() if run_id is not None}
        missing = [content for content in contents if content.variant not in run_ids]
        former_runs = {content.variant: self._whole_run_of(content) for content in missing}
        done = dict.fromkeys((content.variant for content in contents), "nothing new")
        done |= {variant: "published" if run is None else "evaluated again" for variant, run in former_runs.items()}
        inputs = dataset_inputs(datasets) if missing else []
        packages.begin({each.variant: each.models for each in missing if former_runs[each.variant] is None})
        for content in missing:
            run_ids[content.variant] = self.begin(content, inputs, former_runs[content.variant])
        for content in missing:
            run_id, former = run_ids[content.variant], former_runs[content.variant]
            models = self.log_models(run_id, content, packages) if former is None else self._linked(former)
            self.finish(run_id, content, models)
        if missing:
            self._sweep()  # duplicates, from requests that were sent twice
        return done, run_ids

    def arrange(self, by_variant: Mapping[str, Parameters], pair: Sequence[str]) -> None:
        """Name and colour the runs; mark the runs of params.yaml, unless this is a DVC experiment."""
        current.arrange(self._client, self._experiment_id, by_variant, pair, mark=not in_experiment())

    def describe(self, description: str) -> None:
        """Write the experiment's description unless the store already has it."""
        if self._client.get_experiment(self._experiment_id).tags.get(DESCRIPTION) != description:
            self._client.set_experiment_tag(self._experiment_id, DESCRIPTION, description)

    def register(self, name: str, best: Best, run_id: str) -> None:
        """Register the best model; `run_id` is the complete run of its variant."""
        model_id = self._linked(self._client.get_run(run_id))[f"{best.content.variant}_{MODEL}"]
        registry.register(self._client, self._turn, name, best, run_id, model_id)

    def _held(self, content: VariantPayload) -> str | None:
        """Return the id of a complete run with this content that lacks no replica or model, or None."""
        return next(
            (
                run.info.run_id
                for run in self._of_training(content)
                if _is_complete(run, content) and self._is_whole(run, content)
            ),
            None,
        )

    def _reuse(self, content: VariantPayload) -> str | None:
        """Delete runs that a crash left unfinished or that have lost a part; then return the same as `_held`."""
        held = None
        for run in self._of_training(content):
            is_complete = _is_complete(run, content)
            if is_complete and held is None and self._is_whole(run, content):
                held = run.info.run_id
            elif COMPLETE not in run.data.tags or (is_complete and held is None):
                self._delete(run)
        return held

    def _sweep(self) -> None:
        """Delete all unfinished runs. No other publisher is writing them, because it is this publisher's turn."""
        for run in self._leftovers():
            self._delete(run)

    def _leftovers(self) -> list[Run]:
        """Return the unfinished runs of any recipe, which a crash left or another publisher is writing."""
        running = self._search("attributes.status = 'RUNNING'")
        return [run for run in running if FINGERPRINT in run.data.tags and COMPLETE not in run.data.tags]

    def _of_training(self, content: VariantPayload) -> list[Run]:
        """Return all runs of this training, with any evaluation, newest first."""
        runs = self._search(
            f"tags.`{FINGERPRINT}` = '{content.fingerprint}' and tags.`{VARIANT}` = '{content.variant}'"
        )
        return [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]

    def _is_whole(self, run: Run, content: VariantPayload) -> bool:
        """Return whether the run still has all replicas and models."""
        replicas = {child.info.run_name for child in self._children(run.info.run_id)}
        models = {f"{content.variant}_{name}" for name in content.models}
        return {replica.name for replica in content.replicas} <= replicas and models <= self._linked(run).keys()

    def _whole_run_of(self, content: VariantPayload) -> Run | None:
        """Return a complete run of this training, with any evaluation, that lacks no replica or model, or None."""
        runs = self._of_training(content)
        return next((run for run in runs if COMPLETE in run.data.tags and self._is_whole(run, content)), None)

    def begin(self, content: VariantPayload, inputs: list[DatasetInput], former: Run | None) -> str:
        """Write a run and its replicas, but no models; return the run's id.

        Args:
            inputs: the data sets.
            former: another run of the same training, if there is one; the new run links to its history.
        """
        tags = {VARIANT: content.variant, FINGERPRINT: content.fingerprint, DESCRIPTION: content.description}
        tags |= content.parameters.judged | (images.TAGS if content.images else {})
        artifacts = content.artifacts
        if former is not None:
            tags[HISTORY_OF] = former.data.tags.get(HISTORY_OF, former.info.run_id)
            artifacts = {folder: paths for folder, paths in artifacts.items() if folder != HISTORY}
        new = NewRun(content.variant, {**tags, **_origin()}, content.parameters.trained, content.points)
        parent = write(self._client, self._experiment_id, new, finished=False)
        self._client.log_inputs(parent, inputs)
        children = set()
        for each in content.replicas:
            self._turn.expect()
            replica = NewRun(each.name, {MLFLOW_PARENT_RUN_ID: parent, **each.tags}, each.params, each.points)
            children.add(write(self._client, self._experiment_id, replica, finished=True))
        for run in self._children(parent):
            if run.info.run_id not in children:  # a duplicate, from a request that was sent twice
                self._client.delete_run(run.info.run_id)
        self._log_artifacts(parent, artifacts, content.images)
        return parent

    def log_models(self, run_id: str, content: VariantPayload, packages: Packages) -> dict[str, str]:
        """Write the models of a run; return the model ids by name."""
        self._turn.expect()
        folders = {f"{content.variant}_{name}": path for name, path in packages.folders(content.variant).items()}
        return {name: self._log_model(run_id, name, path, content) for name, path in folders.items()}

    def finish(self, run_id: str, content: VariantPayload, models: Mapping[str, str]) -> None:
        """Link a run to its models and mark the run as complete.

        Args:
            models: the model ids by name.
        """
        self._turn.expect()
        if models:
            self._client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0) for model_id in models.values()])
        self._client.set_terminated(run_id)
        log(self._client, run_id, tags={EVALUATION_HASH: content.evaluation_hash, COMPLETE: "true"})

    def _log_artifacts(self, run_id: str, artifacts: Mapping[str, Sequence[Path]], figures: Sequence[Path]) -> None:
        for folder, paths in artifacts.items():
            for path in paths:
                self._client.log_artifact(run_id, str(path), folder)
        for path in figures:  # also in no folder, because the UI's comparison page shows only such files side by side
            self._client.log_artifact(run_id, str(path))
        with temporary_folder("images-") as temporary:
            for path in figures:
                for name in images.names(path.stem):
                    shutil.copyfile(path, temporary / name)
            self._client.log_artifacts(run_id, str(temporary), images.FOLDER)

    def _log_model(self, run_id: str, name: str, folder: Path, content: VariantPayload) -> str:
        model = self._client.create_logged_model(
            self._experiment_id,
            name=name,
            source_run_id=run_id,
            params=content.parameters.trained,
            model_type="keras",
            tags={DESCRIPTION: f"The network of {name.replace('_', ' ')} replica. {content.use}"},
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        return model.model_id

    def _delete(self, parent: Run) -> None:
        """Delete a run: models and children first, so that after a crash the next publisher deletes the rest."""
        run_id = parent.info.run_id
        for model in self._client.search_logged_models([self._experiment_id], f"source_run_id = '{run_id}'"):
            self._client.delete_logged_model(model.model_id)
        for child in self._children(run_id):
            self._client.delete_run(child.info.run_id)
        self._client.delete_run(run_id)

    def _linked(self, run: Run | None) -> dict[str, str]:
        """Return the ids of a run's models that still exist, by name."""
        models = {}
        for output in run.outputs.model_outputs if run is not None and run.outputs else []:
            with suppress(MlflowException):  # the model was deleted
                model = self._client.get_logged_model(output.model_id)
                models[model.name] = model.model_id
        return models

    def _children(self, run_id: str) -> list[Run]:
        return self._search(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'")

    def _search(self, condition: str) -> list[Run]:
        return store.search(self._client, self._experiment_id, condition)


def _is_complete(run: Run, content: VariantPayload) -> bool:
    tags = run.data.tags
    return COMPLETE in tags and tags.get(EVALUATION_HASH) == content.evaluation_hash


def _origin() -> dict[str, str]:
    """Return tags with the git commit and the DVC experiment's name, if there are any."""
    tags = {EXPERIMENT: os.environ["DVC_EXP_NAME"]} if os.environ.get("DVC_EXP_NAME") else {}
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {**tags, MLFLOW_GIT_COMMIT: head.stdout.strip()} if head.returncode == 0 else tags


def in_experiment() -> bool:
    """Return whether this process is part of a DVC experiment, whose params.yaml may differ from the repository's."""
    return "DVC_EXP_NAME" in os.environ
