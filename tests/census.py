"""Count everything that publishers have written into an experiment, and compare it with what they should have."""

from collections import Counter
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from pipeline.tracking import store
from pipeline.tracking.tags import COMPLETE, LIVE, PUBLISHER, VARIANT

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Census:
    """What an experiment holds. All that is not listed as complete is wrong.

    complete: how often each variant is there.
    replicas: how many children each variant has.
    models: how many logged models there are.
    strays: unfinished runs, children without a parent, live runs, claims of publishers.
    """

    complete: dict[str, int]
    replicas: dict[str, int]
    models: int
    strays: list[str]


def census(client: MlflowClient, experiment: str) -> Census:
    """Take the census of an experiment."""
    found = client.get_experiment_by_name(experiment)
    runs = store.search(client, found.experiment_id, "")
    parents = {run.info.run_id: run for run in runs if COMPLETE in run.data.tags}
    children = [run for run in runs if PARENT in run.data.tags]
    orphans = [run for run in children if run.data.tags[PARENT] not in parents]
    unfinished = [run for run in runs if run.info.status != "FINISHED" or LIVE in run.data.tags]
    unknown = [run for run in runs if run.info.run_id not in parents and run not in children]
    claims = [key for key in found.tags if key.startswith(PUBLISHER)]
    names = Counter(parents[child.data.tags[PARENT]].data.tags[VARIANT] for child in children if child not in orphans)
    return Census(
        dict(Counter(run.data.tags[VARIANT] for run in parents.values())),
        dict(names),
        len(client.search_logged_models([found.experiment_id], max_results=1000)),
        sorted({_name(run) for run in (*orphans, *unfinished, *unknown)} | set(claims)),
    )


def deleted(client: MlflowClient, experiment: str) -> list[str]:
    """Return what was deleted: nothing may be, where no publisher was killed."""
    found = client.get_experiment_by_name(experiment)
    return [_name(run) for run in client.search_runs([found.experiment_id], run_view_type=ViewType.DELETED_ONLY)]


def whole(variants: int | list[str], replicas: int = 3) -> Census:
    """What an experiment must hold after each of these variants was published, by one publisher or by many."""
    names = [f"v{number}" for number in range(variants)] if isinstance(variants, int) else variants
    return Census(dict.fromkeys(names, 1), dict.fromkeys(names, replicas), len(names), [])


def _name(run: Run) -> str:
    return f"{run.info.run_name} {run.info.status}"
