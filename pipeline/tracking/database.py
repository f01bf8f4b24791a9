"""Open the database of an MLflow store. A new database is created completely or not at all.

The database of another program is rejected.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy
from alembic.util import CommandError
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing, temporary_folder

KINDS: Final = ("sqlite", "postgresql", "mysql", "mssql")  # the kinds of databases that MLflow supports
FIRST_TABLES: Final = {
    "experiments",
    "runs",
    "metrics",
    "params",
    "tags",
}  # some of the tables that MLflow creates first
LAST_TABLE: Final = "alembic_version"  # the table that is created last; it holds the version of MLflow's tables
INCOMPLETE: Final = ".half-made"  # the suffix under which an incomplete database is kept
CONNECT_WITHIN: Final = 10  # seconds
CREATED_WITHIN: Final = 120  # seconds in which another process must have created all tables; it usually takes some 10


@event.listens_for(Engine, "connect")
def _write_without_waiting(connection: object, _: object) -> None:
    """Let SQLite commit without waiting for the disk: MLflow commits 1,600 times for seven variants.

    With the write-ahead log this is safe when a process is killed. A power failure may lose the last commits, never the
    database (sqlite.org/pragma.html#pragma_synchronous), and the next publisher writes what is missing.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")


def is_database(uri: str) -> bool:
    """Return whether the store is a database that this process opens itself, without an MLflow server."""
    return uri.partition(":")[0].partition("+")[0] in KINDS


def opened(uri: str) -> MlflowClient:
    """Return a client for a database; create a missing SQLite database.

    MLflow creates missing tables in any database that it opens. If it is killed while it does so, it can never open
    that database again. So a new SQLite database is created under another name and then moved into place.

    Raises:
        UserError: the database belongs to another program, cannot be read or written, or its driver is missing.
        MlflowException: MLflow rejects the database.
        SQLAlchemyError: the database does not answer.
    """
    url = sqlalchemy.make_url(uri)
    try:
        if url.get_backend_name() != "sqlite":
            return _opened_elsewhere(url, uri)
        if url.database and url.database != ":memory:":
            with _in_one_line(Path(url.database)):
                _prepare_sqlite(Path(url.database), uri)
        return _client(uri)
    except ModuleNotFoundError as error:
        raise UserError(f"MLflow store {uri}: its driver is missing (pip install {error.name})") from None
    except CommandError as error:  # from alembic, which manages the versions of MLflow's tables
        raise UserError(
            f"MLflow store {uri}: {error}: must be empty, or a database of this version of MLflow"
        ) from None


def _client(uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)  # creates the tables of a new database
    return client


def _opened_elsewhere(url: URL, uri: str) -> MlflowClient:
    """Return a client. If another process is creating the tables of an empty database, wait for that process."""
    tables = _tables(url)
    _expect_own_tables(uri, tables)
    try:
        return _client(uri)
    except sqlalchemy.exc.SQLAlchemyError:
        if tables:
            raise
        end = time.monotonic() + CREATED_WITHIN
        while LAST_TABLE not in _tables(url):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        return _client(uri)


def _prepare_sqlite(path: Path, uri: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _is_ready(path, uri):
        lock = path.with_name(f"{path.name}.lock")
        with FileLock(lock):
            if not _is_ready(path, uri):
                _create(path)
            lock.unlink(missing_ok=True)  # a process that waited for the lock will see that the database is ready
    _write_ahead(path)


def _write_ahead(path: Path) -> None:
    """Turn on the write-ahead log, so that readers such as the UI do not block the writer.

    SQLite changes the mode only while nobody else reads or writes. Otherwise the next process that connects changes it.
    """
    with closing(sqlite3.connect(path, timeout=1)) as database:
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise


def _is_ready(path: Path, uri: str) -> bool:
    """Return whether MLflow can open the database as it is. An incomplete database without runs is not ready."""
    if not path.exists():
        return False
    tables = _sqlite_tables(path)
    _expect_own_tables(uri, tables)
    return bool(tables) and (_holds_runs(path, tables) or _can_be_opened(path))


def _create(path: Path) -> None:
    """Create a database. If an incomplete database is in its place, rename that one."""
    with replacing(path) as whole:
        created = whole.with_name("created.db")  # MLflow's client keeps it open: never reuse its path
        _write_ahead(created)  # otherwise each of MLflow's 400 changes of the tables waits for the disk
        MlflowClient(tracking_uri=f"sqlite:///{created}").search_experiments(max_results=1)
        _copy(created, whole)
        _write_ahead(whole)  # before a reader can block it
        if path.exists():
            with closing(sqlite3.connect(path, timeout=1)) as database:
                database.execute("PRAGMA journal_mode=DELETE")  # moves the write-ahead log into the file
            path.replace(path.with_name(path.name + INCOMPLETE))
        # SQLite would read these files of the former database as if they belonged to the new one.
        for suffix in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _can_be_opened(path: Path) -> bool:
    """Return whether MLflow can open a copy of the database; MLflow would change the original and keep it open."""
    with temporary_folder(".writing-", path.parent) as folder:
        copy = folder / "copy.db"
        _copy(path, copy)
        try:
            MlflowClient(tracking_uri=f"sqlite:///{copy}").search_experiments(max_results=1)
        except (MlflowException, sqlalchemy.exc.SQLAlchemyError):
            return False
        return True


def _copy(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path, timeout=1)) as database, closing(sqlite3.connect(target)) as copy:
        database.backup(copy)


def _holds_runs(path: Path, tables: set[str]) -> bool:
    with closing(sqlite3.connect(path, timeout=1)) as database:
        present = [table for table in ("runs", "registered_models", "trace_info") if table in tables]
        return any(database.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0] for table in present)


def _sqlite_tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path, timeout=1)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _tables(url: URL) -> set[str]:
    limit = {"connect_timeout": CONNECT_WITHIN} if url.get_backend_name() in ("postgresql", "mysql") else {}
    engine = sqlalchemy.create_engine(url, connect_args=limit, poolclass=sqlalchemy.NullPool)
    return set(sqlalchemy.inspect(engine).get_table_names())


def _expect_own_tables(uri: str, tables: set[str]) -> None:
    """Check that the tables are MLflow's, or that there are none.

    Raises:
        UserError: there are tables, but none of them is MLflow's.
    """
    others = sorted(tables - {LAST_TABLE})
    if others and not FIRST_TABLES & tables:
        raise UserError(
            f"MLflow store {uri}: another program's database (it has a table {others[0]}): must be empty, or "
            "a database of MLflow"
        )


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"MLflow store {path}: {reason}: must be a SQLite database that can be written") from None
