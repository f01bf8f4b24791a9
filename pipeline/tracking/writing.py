"""Runs by MLflow's client, for any store."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from pipeline.tracking.payload import Point

BATCH = 1000  # the most that one request takes


@dataclass(frozen=True)
class NewRun:
    """A run that the store does not hold; its name is no tag here."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]


class Writer(Protocol):
    """Writes new runs into one experiment."""

    def add(self, runs: Sequence[NewRun], finished: bool) -> list[str]:
        """Write runs, which are finished or still on their way, and give their ids."""


class ByClient:
    """The writer for any store."""

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client, self._experiment_id = client, experiment_id

    def add(self, runs: Sequence[NewRun], finished: bool) -> list[str]:
        """See `Writer`."""
        ids = []
        for run in runs:
            made = self._client.create_run(self._experiment_id, tags=dict(run.tags), run_name=run.name)
            ids.append(made.info.run_id)
            log(self._client, ids[-1], run.points, params=run.params)
            if finished:
                self._client.set_terminated(ids[-1])
        return ids


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
    room = BATCH - len(first[0]) - len(first[1])
    if any(first) or metrics:
        client.log_batch(run_id, metrics=metrics[:room], params=first[0], tags=first[1])
    for start in range(room, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
