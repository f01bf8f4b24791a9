"""What an MLflow store in SQLite holds, and what in it nobody refers to, read from its tables."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.trials import RANDOM
from workspace import Workspace

from pipeline.tracking.tags import LIVE, PUBLISHER

# Tags that name the machine, its user or a moment.
PASSING = ("mlflow.user", "mlflow.source.name", "mlflow.source.git.commit", "mlflow.log-model.history")
ACTIVE = "runs.lifecycle_stage = 'active'"


@dataclass(frozen=True)
class StoreState:
    """The content of a store, so that the contents of two stores can be compared.

    runs: name, parent, status, tags, parameters, metrics and artifacts of each active run, without ids.
    models: name and status of each model that is not deleted.
    registry: name, alias and the model's name of each registered version.
    deleted: the ids of deleted runs that were no live runs.
    """

    runs: Counter[tuple[Any, ...]]
    models: Counter[tuple[Any, ...]]
    registry: Counter[tuple[Any, ...]]
    deleted: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace, artifacts: Path) -> "StoreState":
        """Read the store of a workspace; no store is an empty one.

        Args:
            artifacts: the folder of all artifacts.
        """
        rows = workspace.rows
        names = dict(rows("SELECT run_uuid, name FROM runs"))
        parents = dict(rows("SELECT run_uuid, value FROM tags WHERE key = 'mlflow.parentRunId'"))
        tags = _by_run(row for row in rows("SELECT run_uuid, key, value FROM tags") if row[1] not in PASSING)
        params = _by_run(rows("SELECT run_uuid, key, value FROM params"))
        metrics = _by_run(rows("SELECT run_uuid, key, step, CASE is_nan WHEN 1 THEN 'NaN' ELSE value END FROM metrics"))
        runs = Counter(
            (
                *(experiment, names[run], names.get(parents.get(run)), status, params.get(run, ())),
                *(tuple((key, RANDOM.sub("*", value)) for key, value in tags.get(run, ())), metrics.get(run, ())),
                tuple(sorted(RANDOM.sub("*", name) for name in _files(artifacts / run))),
            )
            for run, experiment, status in rows(
                "SELECT run_uuid, experiments.name, status FROM runs JOIN experiments "
                f"ON experiments.experiment_id = runs.experiment_id WHERE {ACTIVE}"
            )
        )
        live = {run for (run,) in rows(f"SELECT run_uuid FROM tags WHERE key = '{LIVE}'")}
        deleted = {run for (run,) in rows("SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted'")}
        models = rows("SELECT name, status FROM logged_models WHERE lifecycle_stage = 'active'")
        registry = rows(
            "SELECT model_versions.name, alias, substr(description, 1, 40) FROM model_versions LEFT JOIN "
            "registered_model_aliases ON registered_model_aliases.name = model_versions.name AND "
            "registered_model_aliases.version = model_versions.version "
            "WHERE current_stage != 'Deleted_Internal'"
        )
        return cls(runs, Counter(models), Counter(registry), frozenset(deleted - live))


def unfinished(workspace: Workspace) -> frozenset[str]:
    """Return the runs that are not complete, and their children: what a publisher may delete."""
    complete = {run for (run,) in workspace.rows("SELECT run_uuid FROM tags WHERE key = 'pipeline.complete'")}
    parents = dict(workspace.rows("SELECT run_uuid, value FROM tags WHERE key = 'mlflow.parentRunId'"))
    runs = {run for (run,) in workspace.rows("SELECT run_uuid FROM runs")}
    return frozenset(run for run in runs if parents.get(run, run) not in complete)


def orphans(workspace: Workspace, artifacts: Path) -> Iterator[str]:
    """Yield what the store should not hold: live runs, claims of publishers, children, models and files of nobody."""
    rows = workspace.rows
    runs = dict(rows("SELECT run_uuid, lifecycle_stage FROM runs"))
    active = {run for run, stage in runs.items() if stage == "active"}
    for run, key, value in rows("SELECT run_uuid, key, value FROM tags"):
        if run in active and key == LIVE:
            yield "a live run is left"
        if run in active and key == "mlflow.parentRunId" and value not in active:
            yield "a replica's run is left whose parent is deleted"
    for (name,) in rows("SELECT name FROM runs WHERE lifecycle_stage = 'active' AND status = 'RUNNING'"):
        yield f"run {name} is still RUNNING"
    if any(key.startswith(PUBLISHER) for (key,) in rows("SELECT key FROM experiment_tags")):
        yield "a publisher's claim is left"
    models = rows("SELECT model_id, source_run_id FROM logged_models WHERE lifecycle_stage = 'active'")
    if any(run not in active for _, run in models):
        yield "a model is left whose run is deleted"
    known = {*runs, *(model for (model,) in rows("SELECT model_id FROM logged_models")), "models"}
    for folder in [*artifacts.glob("*"), *artifacts.glob("models/*")]:
        if folder.is_dir() and folder.name not in known:
            yield f"artifacts of no run: {RANDOM.sub('*', folder.name)}"


def _by_run(rows: Any) -> dict[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = {}
    for run, *rest in rows:
        found.setdefault(run, []).append(tuple(rest))
    return {run: tuple(sorted(each, key=str)) for run, each in found.items()}


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
