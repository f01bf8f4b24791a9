"""The MLflow store: find its address, connect to it, and search its runs."""

import http.client
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.foundations.errors import UserError, first_line
from pipeline.foundations.files import root
from pipeline.tracking import database
from pipeline.tracking.servers import PASSWORD, USER, expect_answer, impatience, is_server, without_credentials

STORE = Path("mlruns")
EXISTS = "RESOURCE_ALREADY_EXISTS"  # MLflow's error code if another process has just created the object
# The reason for MLflow's error codes of a server with users.
REJECTED: Final = {
    "UNAUTHENTICATED": f"user or password are missing or wrong: must be in {USER} and {PASSWORD}",
    "PERMISSION_DENIED": f"the user of {USER} may read and not write there: must have the rights of a publisher, which "
    "the server's administrator gives",
}
FIRST_ANSWER_WITHIN = 10  # seconds in which a server must give its first answer
PATIENCE = 30  # seconds for each later answer; by default MLflow's client would wait for minutes


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI if it is set, else the address of the SQLite database under the repository's root.

    The user and password of a server are removed from the address and the variable, so that no message shows them.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return f"sqlite:///{root() / STORE / 'mlflow.db'}"
    os.environ["MLFLOW_TRACKING_URI"] = without_credentials(uri)
    return os.environ["MLFLOW_TRACKING_URI"]


def is_own() -> bool:
    """Return whether the store is this repository's own: no other repository publishes into it."""
    return not os.environ.get("MLFLOW_TRACKING_URI")


@contextmanager
def locked() -> Iterator[None]:
    """Hold the lock that lets only one publisher of this repository use the store.

    Without it, two publishers could create the SQLite store at once and corrupt it, or write the same run twice.
    """
    (root() / STORE).mkdir(parents=True, exist_ok=True)
    with FileLock(root() / STORE / "publish.lock"):
        yield


def connect(uri: str, patience: int = PATIENCE) -> MlflowClient:
    """Return a client for the store, after a check that the store answers.

    Args:
        patience: seconds for each answer of a server, including a second try. If MLflow's own environment variables
            are set, they hold instead.

    Raises:
        UserError: the store does not answer, or cannot be written.
    """
    _quieten()
    for name, value in impatience(patience).items():
        os.environ.setdefault(name, value)
    if is_server(uri):
        _expect_answer(uri)
    with readable_errors(uri):
        if database.is_database(uri):
            return database.opened(uri)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment of this name; create a missing experiment and restore a deleted one.

    Creating an experiment fixes the location of its artifacts: a folder under the repository's root in our own store,
    the default location in other stores.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = (root() / STORE / "artifacts").as_uri() if is_own() else None
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException as error:
            experiment = client.get_experiment_by_name(name) if error.error_code == EXISTS else None
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id


def search(client: MlflowClient, experiment_id: str, condition: str) -> list[Run]:
    """Return all runs that match the condition, newest first."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, order_by=["attributes.start_time DESC"], page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


@contextmanager
def readable_errors(uri: str, part: str = "") -> Iterator[None]:
    """Replace errors of MLflow and of its database by a one-line error that names the store.

    Args:
        part: the part of the store that is used, for the message.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = REJECTED.get(getattr(error, "error_code", ""), first_line(error))
        raise UserError(f"MLflow store {uri}: {part}{reason}") from None


def _expect_answer(uri: str) -> None:
    try:
        expect_answer(uri, FIRST_ANSWER_WITHIN)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"MLFLOW_TRACKING_URI: {uri}: no answer ({reason}): must be the address of a running MLflow server, "
            "or unset to use the store in this repository"
        ) from None


def _quieten() -> None:
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # MLflow logs an error of the database with its traceback, and raises it: `readable_errors` reports it in one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # otherwise two lines for each replica
    if not sys.stderr.isatty():
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
