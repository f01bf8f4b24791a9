"""Bring an MLflow store to hold what the files say: idempotent, and correct after a kill at any moment.

A run is found by its fingerprint and its evaluation hash, never by its id. It carries the tag `pipeline.complete` only
when all of it is written. Runs are written and deleted by one publisher at a time, see `turn`: so a run without that
tag is what a crash left, and is deleted and written again. Nothing that is written is ever changed but tags that say
which run is current: another evaluation of the same training is another run, which links to the models and the history
of the first one.

The experiment's description, its views and the best model's registration follow the repository's params.yaml. DVC's
experiments leave them alone, since several may run at once.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

from pipeline.foundations.files import temporary_folder
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import current, images, registry, store
from pipeline.tracking.best import MODEL, Best, choose
from pipeline.tracking.datasets import dataset_inputs
from pipeline.tracking.guide import STUDIES_GUIDE, guide
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import HISTORY, Parameters, VariantPayload
from pipeline.tracking.tags import COMPLETE, DESCRIPTION, EVALUATION_HASH, EXPERIMENT, FINGERPRINT, HISTORY_OF, VARIANT
from pipeline.tracking.turn import LEASE, Turn
from pipeline.tracking.views import views
from pipeline.tracking.writing import NewRun, log, write


def publish(
    contents: Sequence[VariantPayload],
    params: TrackingParams,
    pair: Sequence[str],
    datasets: dict[str, Path],
    packages: Packages,
    patience: float = LEASE,
) -> dict[str, str]:
    """Publish what the store does not hold yet.

    Args:
        patience: seconds after which another publisher that shows no sign of life counts as dead.
        packages: of the models; those that nobody began are begun here.
        pair: the two variants that are set side by side, if any are.
        datasets: the files of the parts of the data, by name.

    Returns:
        For each variant what was done: published, evaluated anew, or nothing new.

    Raises:
        UserError: the store does not answer or cannot be written.
    """
    with _publisher(params.experiment, patience) as publisher:
        done, run_ids = publisher.bring(contents, datasets, packages)
        publisher.arrange({content.variant: content.parameters for content in contents}, pair)
        if not _in_experiment():
            description = guide(
                [content.variant for content in contents], pair, params.registered_model, contents[0].final
            )
            publisher.describe({DESCRIPTION: description, **views(contents, pair)})
            best = choose(contents)
            if best is not None:
                publisher.register(params.registered_model, best, run_ids[best.content.variant])
        return done


def publish_study(content: VariantPayload, params: TrackingParams, datasets: dict[str, Path]) -> str:
    """Publish a study into an experiment beside the variants'; arguments, result and errors as of `publish`."""
    with _publisher(f"{params.experiment}-studies", LEASE) as publisher, Packages() as none:
        done, _ = publisher.bring([content], datasets, none)
        if not _in_experiment():
            publisher.describe({DESCRIPTION: STUDIES_GUIDE})
        return done[content.variant]


@contextmanager
def _publisher(experiment: str, patience: float) -> Iterator["Publisher"]:
    uri = store.tracking_uri()
    with store.locked(), store.readable_errors(uri):
        client = store.connect(uri)
        experiment_id = store.experiment_id(client, experiment)
        with Turn(client, experiment_id, patience) as turn:
            yield Publisher(client, experiment_id, turn)


class Publisher:
    """Writes variants into one experiment of one store; or a study, as a variant whose replicas are its cells."""

    def __init__(self, client: MlflowClient, experiment_id: str, turn: Turn) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._turn = turn

    def bring(
        self, contents: Sequence[VariantPayload], datasets: dict[str, Path], packages: Packages
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Write what is missing; for each variant what was done, and the id of its run."""
        held = {content.variant: self._held(content) for content in contents}
        if None in held.values() or self._leftovers():
            self._turn.take()
            self._sweep()
            held = {content.variant: self._reuse(content) for content in contents}
        run_ids = {variant: run_id for variant, run_id in held.items() if run_id is not None}
        missing = [content for content in contents if content.variant not in run_ids]
        trained = {content.variant: self._whole_run_of(content) for content in missing}
        done = dict.fromkeys((content.variant for content in contents), "nothing new")
        done |= {variant: "published" if run is None else "evaluated anew" for variant, run in trained.items()}
        inputs = dataset_inputs(datasets) if missing else []
        packages.begin({each.variant: each.models for each in missing if trained[each.variant] is None})
        for content in missing:
            run_ids[content.variant] = self.begin(content, inputs, trained[content.variant])
        for content in missing:
            run_id, former = run_ids[content.variant], trained[content.variant]
            models = self.log_models(run_id, content, packages) if former is None else self._linked(former)
            self.finish(run_id, content, models)
        if missing:
            self._sweep()  # of requests that were sent a second time
        return done, run_ids

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
        model_id = self._linked(self._client.get_run(run_id))[f"{best.content.variant}_{MODEL}"]
        registry.register(self._client, self._turn, name, best, run_id, model_id)

    def _held(self, content: VariantPayload) -> str | None:
        """The id of the run that holds this content, if one is whole."""
        found = [run for run in self._of_training(content) if _is_complete(run, content)]
        return next((run.info.run_id for run in found if self._is_whole(run, content)), None)

    def _reuse(self, content: VariantPayload) -> str | None:
        """The same, and what a crash left of it is deleted, as is a run of which somebody deleted a part."""
        held = None
        for run in self._of_training(content):
            is_complete = _is_complete(run, content)
            if is_complete and held is None and self._is_whole(run, content):
                held = run.info.run_id
            elif COMPLETE not in run.data.tags or (is_complete and held is None):
                self._delete(run)
        return held

    def _sweep(self) -> None:
        """Delete what is not whole; nobody else is writing while the turn is this publisher's."""
        for run in self._leftovers():
            self._delete(run)

    def _leftovers(self) -> list[Run]:
        """What crashes left, of any recipe, or what another publisher is writing."""
        found = self._search("attributes.status = 'RUNNING'")
        return [run for run in found if FINGERPRINT in run.data.tags and COMPLETE not in run.data.tags]

    def _of_training(self, content: VariantPayload) -> list[Run]:
        """All runs of this training, however it is judged; the newest first."""
        found = self._search(
            f"tags.`{FINGERPRINT}` = '{content.fingerprint}' and tags.`{VARIANT}` = '{content.variant}'"
        )
        return [run for run in found if MLFLOW_PARENT_RUN_ID not in run.data.tags]

    def _is_whole(self, run: Run, content: VariantPayload) -> bool:
        """Whether nobody deleted one of its replicas or models."""
        replicas = {child.info.run_name for child in self._children(run.info.run_id)}
        models = {f"{content.variant}_{name}" for name in content.models}
        return {replica.name for replica in content.replicas} <= replicas and models <= self._linked(run).keys()

    def _whole_run_of(self, content: VariantPayload) -> Run | None:
        """A whole run of the same training, under whatever evaluation."""
        complete = [run for run in self._of_training(content) if COMPLETE in run.data.tags]
        return next((run for run in complete if self._is_whole(run, content)), None)

    def begin(self, content: VariantPayload, inputs: list[DatasetInput], trained: Run | None) -> str:
        """Write a run and its replicas, all but its models, and give its id.

        Args:
            trained: a run of the same training that has its history, if there is one.
        """
        tags = {VARIANT: content.variant, FINGERPRINT: content.fingerprint, DESCRIPTION: content.description}
        tags |= content.parameters.judged | (images.TAGS if content.images else {})
        artifacts = content.artifacts
        if trained is not None:
            where = trained.data.tags.get(HISTORY_OF, trained.info.run_id)
            tags[HISTORY_OF] = where
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
            if run.info.run_id not in children:  # a request whose answer was late was sent a second time
                self._client.delete_run(run.info.run_id)
        self._log_artifacts(parent, artifacts, content.images)
        return parent

    def log_models(self, run_id: str, content: VariantPayload, packages: Packages) -> dict[str, str]:
        """Write the models of a run; their ids by name."""
        self._turn.expect()
        folders = {f"{content.variant}_{name}": path for name, path in packages.folders(content.variant).items()}
        return {name: self._log_model(run_id, name, path, content) for name, path in folders.items()}

    def finish(self, run_id: str, content: VariantPayload, models: Mapping[str, str]) -> None:
        """Link a run to its models, ids by name; only then is it whole."""
        self._turn.expect()
        if models:
            self._client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0) for model_id in models.values()])
        self._client.set_terminated(run_id)
        log(self._client, run_id, tags={EVALUATION_HASH: content.evaluation_hash, COMPLETE: "true"})

    def _log_artifacts(self, run_id: str, artifacts: Mapping[str, Sequence[Path]], figures: Sequence[Path]) -> None:
        for folder, paths in artifacts.items():
            for path in paths:
                self._client.log_artifact(run_id, str(path), folder)
        for path in figures:  # outside of all folders: the UI's page of comparison sets only such files side by side
            self._client.log_artifact(run_id, str(path))
        with temporary_folder("images-") as place:
            for path in figures:
                for name in images.names(path.stem):
                    shutil.copyfile(path, place / name)
            self._client.log_artifacts(run_id, str(place), images.FOLDER)

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
        """What a crash left: models and children first, so that a second crash finds the parent again."""
        own = f"source_run_id = '{parent.info.run_id}'"
        for model in self._client.search_logged_models([self._experiment_id], own):
            self._client.delete_logged_model(model.model_id)
        for child in self._children(parent.info.run_id):
            self._client.delete_run(child.info.run_id)
        self._client.delete_run(parent.info.run_id)

    def _linked(self, run: Run | None) -> dict[str, str]:
        """The ids of the models that a run links to and that are still there, by name."""
        found = {}
        for output in run.outputs.model_outputs if run is not None and run.outputs else []:
            with suppress(MlflowException):  # deleted
                model = self._client.get_logged_model(output.model_id)
                found[model.name] = model.model_id
        return found

    def _children(self, run_id: str) -> list[Run]:
        return self._search(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'")

    def _search(self, condition: str) -> list[Run]:
        return store.search(self._client, self._experiment_id, condition)


def _is_complete(run: Run, content: VariantPayload) -> bool:
    tags = run.data.tags
    return COMPLETE in tags and tags.get(EVALUATION_HASH) == content.evaluation_hash


def _in_experiment() -> bool:
    """Whether this runs inside a DVC experiment, whose params.yaml may differ from the repository's."""
    return "DVC_EXP_NAME" in os.environ


def _origin() -> dict[str, str]:
    """The git commit, and the DVC experiment's name, where there are any."""
    tags = {EXPERIMENT: os.environ["DVC_EXP_NAME"]} if os.environ.get("DVC_EXP_NAME") else {}
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {**tags, MLFLOW_GIT_COMMIT: asked.stdout.strip()} if asked.returncode == 0 else tags
