"""Runs by MLflow's client, for any store."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from pipeline.tracking.metric_keys import Point

BATCH = 1000  # the most that one request takes


@dataclass(frozen=True)
class NewRun:
    """A run that the store does not hold; its name is no tag here."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]


def write(client: MlflowClient, experiment_id: str, run: NewRun, finished: bool) -> str:
    """Write a run, which is finished or still on its way, in three requests where it has few points; gives its id."""
    made = client.create_run(experiment_id, tags=dict(run.tags), run_name=run.name)
    log(client, made.info.run_id, run.points, params=run.params)
    if finished:
        client.set_terminated(made.info.run_id)
    return made.info.run_id


def log(
    client: MlflowClient,
    run_id: str,
    points: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add to a run, in as few requests as there may be."""
    now = int(time.time() * 1000)
    metrics = [Metric(point.key, point.value, now, point.step) for point in points]
    first = (
        [Param(key, value) for key, value in (params or {}).items()],
        [RunTag(key, value) for key, value in (tags or {}).items()],
    )
    # Parameters and tags count among the most that a request takes.
    left = BATCH - len(first[0]) - len(first[1])
    if any(first) or metrics:
        client.log_batch(run_id, metrics=metrics[:left], params=first[0], tags=first[1])
    for start in range(left, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
