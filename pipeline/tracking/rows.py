"""New runs straight into the embedded SQLite store: all rows of a variant's replicas in one transaction.

MLflow's client makes objects of every point and asks for the latest value of its key, for others may write too. Into
runs that are new, in a store that is this repository's own and locked, the same rows go in a few statements; a test
compares them with those that the client writes. Where the tables are not the ones known here, as after an update of
MLflow, the client writes them.
"""

import math
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, RunStatus, SourceType
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.tracking.payload import Point
from pipeline.tracking.writing import ByClient, NewRun, Writer

_TABLES: Final = {
    "runs": (
        *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time"),
        *("end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
    ),
    "tags": ("key", "value", "run_uuid"),
    "params": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}
_LARGEST = 1.7976931348623157e308  # what MLflow stores for infinity
_WAIT = 60  # seconds for another connection's transaction


def fastest_writer(client: MlflowClient, experiment_id: str, database: Path | None) -> Writer:
    """By rows where that is possible, else by the client.

    Args:
        database: the file of a store that nobody else writes into now; None where there is none.
    """
    if database is None or not _are_known(database):
        return ByClient(client, experiment_id)
    return ByRows(database, experiment_id, client.get_experiment(experiment_id).artifact_location)


class ByRows:
    """The writer for a SQLite file."""

    def __init__(self, database: Path, experiment_id: str, artifacts: str) -> None:
        """Args: `artifacts` is the experiment's location of artifacts."""
        self._database, self._experiment_id, self._artifacts = database, int(experiment_id), artifacts.rstrip("/")

    def add(self, runs: Sequence[NewRun], finished: bool) -> list[str]:
        """See `Writer`; all of them or, where something fails, none."""
        now, ids = int(time.time() * 1000), [uuid.uuid4().hex for _ in runs]
        rows: dict[str, list[tuple]] = {table: [] for table in _TABLES}
        for run_id, run in zip(ids, runs, strict=True):
            rows["runs"].append(self._run(run_id, run.name, finished, now))
            rows["tags"].extend((key, value, run_id) for key, value in {**run.tags, MLFLOW_RUN_NAME: run.name}.items())
            rows["params"].extend((key, value, run_id) for key, value in run.params.items())
            metrics = list(_metrics(run_id, run.points, now))
            rows["metrics"].extend(metrics)
            rows["latest_metrics"].extend(_latest(metrics))
        with closing(sqlite3.connect(self._database, timeout=_WAIT)) as connection, connection:
            for table, columns in _TABLES.items():
                places = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows[table])
        return ids

    def _run(self, run_id: str, name: str, finished: bool, now: int) -> tuple:
        status = RunStatus.to_string(RunStatus.FINISHED if finished else RunStatus.RUNNING)
        return (
            *(run_id, name, SourceType.to_string(SourceType.UNKNOWN), "", "", "unknown", status, now),
            *(now if finished else None, None, "", LifecycleStage.ACTIVE),
            *(f"{self._artifacts}/{run_id}/artifacts", self._experiment_id),
        )


def _are_known(database: Path) -> bool:
    """Whether the store has the tables that are written here, no column more or less."""
    with closing(sqlite3.connect(database, timeout=_WAIT)) as connection:
        found = {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in _TABLES}
    return all(found[table] == set(columns) for table, columns in _TABLES.items())


def _metrics(run_id: str, points: Sequence[Point], now: int) -> Iterator[tuple]:
    for point in points:
        is_nan = math.isnan(point.value)
        value = 0.0 if is_nan else min(max(float(point.value), -_LARGEST), _LARGEST)
        yield point.key, value, now, point.step, is_nan, run_id


def _latest(metrics: Sequence[tuple]) -> list[tuple]:
    """Of each key the row that MLflow calls the latest: of the greatest step, and of those of the greatest value."""
    latest: dict[str, tuple] = {}
    for row in metrics:
        key, value, _, step, *_ = row
        if key not in latest or (step, value) > (latest[key][3], latest[key][1]):
            latest[key] = row
    return list(latest.values())
