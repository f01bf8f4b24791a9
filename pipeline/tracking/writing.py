"""Write runs through MLflow's client, in any store."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from pipeline.tracking.metric_keys import Point

BATCH = 1000  # entries that MLflow takes in one request


@dataclass(frozen=True)
class NewRun:
    """A run that is not in the store yet.

    tags: all tags except the run's name, which MLflow adds itself.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]


def write(client: MlflowClient, experiment_id: str, run: NewRun, finished: bool) -> str:
    """Write a run and return its id. With few points this takes at most three requests.

    Args:
        finished: whether to set the run's status to FINISHED; otherwise it stays RUNNING.
    """
    new = client.create_run(experiment_id, tags=dict(run.tags), run_name=run.name)
    log(client, new.info.run_id, run.points, params=run.params)
    if finished:
        client.set_terminated(new.info.run_id)
    return new.info.run_id


def log(
    client: MlflowClient,
    run_id: str,
    points: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add points, parameters and tags to a run, in as few requests as possible."""
    now = int(time.time() * 1000)
    metrics = [Metric(point.key, point.value, now, point.step) for point in points]
    new_params = [Param(key, value) for key, value in (params or {}).items()]
    new_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
    # Parameters and tags count among the entries of a request.
    room = BATCH - len(new_params) - len(new_tags)
    if new_params or new_tags or metrics:
        client.log_batch(run_id, metrics=metrics[:room], params=new_params, tags=new_tags)
    for start in range(room, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
