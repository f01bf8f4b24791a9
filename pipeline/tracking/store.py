"""Which MLflow store, and its creation."""

import http.client
import logging
import os
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import root

STORE = Path("mlruns")
ANSWER_WITHIN = 10  # seconds for a server's first answer; MLflow's own client would go on trying for minutes


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI if set, else SQLite under the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / STORE / 'mlflow.db'}"


def is_own() -> bool:
    """Whether the store is this repository's, which no other publishes into."""
    return not os.environ.get("MLFLOW_TRACKING_URI")


@contextmanager
def locked() -> Iterator[None]:
    """One publisher of this repository at a time.

    Two that create a missing SQLite store at once corrupt it, and two that find a run missing would both write it.
    """
    (root() / STORE).mkdir(parents=True, exist_ok=True)
    with FileLock(root() / STORE / "publish.lock"):
        yield


def connect(uri: str) -> MlflowClient:
    """A client for a store that answers and can be written.

    Raises:
        UserError: it does not answer, or cannot be written.
    """
    _quieten()
    if uri.startswith(("http://", "https://")):
        _expect_answer(uri)
    elif uri.startswith("sqlite:///"):
        _prepare_sqlite(uri)
    with readable_errors(uri):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)  # creates the tables of a new database
        return client


def experiment_id(client: MlflowClient, name: str) -> str:
    """The experiment of that name, created if need be.

    The artifact location of an experiment is fixed at its creation: absolute under the root for our own store, the
    server's own choice elsewhere.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return found.experiment_id
    location = (root() / STORE / "artifacts").as_uri() if is_own() else None
    return client.create_experiment(name, artifact_location=location)


def search(client: MlflowClient, experiment_id: str, condition: str) -> list[Run]:
    """All matching runs, newest first."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, order_by=["attributes.start_time DESC"], page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


@contextmanager
def readable_errors(uri: str) -> Iterator[None]:
    """Turn MLflow's exceptions into one line that names the store."""
    try:
        yield
    except MlflowException as error:
        raise UserError(f"MLflow store {uri}: {str(error).splitlines()[0]}") from None


def _expect_answer(uri: str) -> None:
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=ANSWER_WITHIN).close()
    except urllib.error.HTTPError:
        pass  # something answers there; what it refuses, MLflow's client will say
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"MLFLOW_TRACKING_URI: {uri}: no answer ({reason}): must be the address of a running MLflow server, "
            "or unset for the store in this repository"
        ) from None


def _prepare_sqlite(uri: str) -> None:
    """Create the database if need be, with a write-ahead log: readers such as the UI do not block the writer."""
    path = Path(uri.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path, timeout=60) as database:
            database.execute("PRAGMA journal_mode=WAL")
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"MLflow store {path}: {error}: must be a SQLite database that can be written") from None


def _quieten() -> None:
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
