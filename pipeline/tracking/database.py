"""The database of an MLflow store: created whole or not at all, and never in another program's database."""

import sqlite3
import tempfile
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
from sqlalchemy.engine import URL

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing

KINDS: Final = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow knows
FIRST: Final = {"experiments", "runs", "metrics", "params", "tags"}  # MLflow's oldest tables, which it creates first
OF_ALEMBIC: Final = "alembic_version"
ASIDE: Final = ".half-made"  # the end of the name that a half-made database gets
CONNECT_WITHIN: Final = 10  # seconds
CREATED_WITHIN: Final = 120  # seconds for all tables of another database; it takes some 10


def is_database(uri: str) -> bool:
    """Whether the store is a database that is reached without a server of MLflow's."""
    return uri.partition(":")[0].partition("+")[0] in KINDS


def opened(uri: str) -> MlflowClient:
    """Return a client of a database; a missing SQLite one is created.

    MLflow opens a database by creating whatever tables it lacks, in any database, and a kill in between leaves one that
    it can never open again. So a new SQLite database is created under another name and moved into place.

    Raises:
        UserError: it is another program's, cannot be read or written, or its driver is missing.
        MlflowException, SQLAlchemyError: it does not answer, or MLflow refuses it.
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
        raise UserError(f"MLflow store {uri}: its driver {error.name} is missing: install it with pip") from None
    except CommandError as error:  # alembic's, which keeps the versions of MLflow's tables
        raise UserError(
            f"MLflow store {uri}: {error}: must be a database of this version of MLflow, or empty"
        ) from None


def _client(uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)  # creates the tables of a new database
    return client


def _opened_elsewhere(url: URL, uri: str) -> MlflowClient:
    """Where two processes create the tables of an empty database at once, one of them fails: it waits for the other."""
    tables = _tables(url)
    _expect_mlflows(uri, tables)
    try:
        return _client(uri)
    except sqlalchemy.exc.SQLAlchemyError:
        if tables:
            raise
        end = time.monotonic() + CREATED_WITHIN
        while OF_ALEMBIC not in _tables(url):  # there once all tables are
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
            lock.unlink(missing_ok=True)  # whoever waits for it finds the database ready
    _write_ahead(path)


def _write_ahead(path: Path) -> None:
    """Keep a write-ahead log, with which readers such as the UI do not block the writer.

    SQLite changes it only while nobody else reads or writes. Where somebody does, whoever connects next changes it.
    """
    with closing(sqlite3.connect(path, timeout=1)) as database:
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise


def _is_ready(path: Path, uri: str) -> bool:
    """Whether MLflow can open it as it is. A half-made one without runs is not ready."""
    if not path.exists():
        return False
    tables = _sqlite_tables(path)
    _expect_mlflows(uri, tables)
    return bool(tables) and (_holds_runs(path, tables) or _can_be_opened(path))


def _create(path: Path) -> None:
    """Create a database, and keep a half-made one that stands in its place under another name."""
    with replacing(path) as whole:
        created = whole.with_name("created.db")  # in a folder of its own, which no later database gets again
        MlflowClient(tracking_uri=f"sqlite:///{created}").search_experiments(max_results=1)
        _copy(created, whole)  # MLflow's client goes on holding the one that it created
        _write_ahead(whole)  # before anybody can read it, who would be in the way
        if path.exists():
            with closing(sqlite3.connect(path, timeout=1)) as database:
                database.execute("PRAGMA journal_mode=DELETE")  # all of it in one file
            path.replace(path.with_name(path.name + ASIDE))
        for end in ("-wal", "-shm", "-journal"):  # of a database that is gone: SQLite would read them as the new one's
            path.with_name(path.name + end).unlink(missing_ok=True)


def _can_be_opened(path: Path) -> bool:
    """Try it on a copy: MLflow's client would keep the database open, and change it."""
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        copy = Path(folder) / "copy.db"
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
        counted = [table for table in ("runs", "registered_models", "trace_info") if table in tables]
        return any(database.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0] for table in counted)


def _sqlite_tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path, timeout=1)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _tables(url: URL) -> set[str]:
    limit = {"connect_timeout": CONNECT_WITHIN} if url.get_backend_name() in ("postgresql", "mysql") else {}
    engine = sqlalchemy.create_engine(url, connect_args=limit, poolclass=sqlalchemy.NullPool)
    return set(sqlalchemy.inspect(engine).get_table_names())


def _expect_mlflows(uri: str, tables: set[str]) -> None:
    """Raises: UserError: there are tables, and none of them is MLflow's."""
    others = sorted(tables - {OF_ALEMBIC})
    if others and not FIRST & tables:
        raise UserError(
            f"MLflow store {uri}: another program's database (it has a table {others[0]}): must be MLflow's, or empty"
        )


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"MLflow store {path}: {reason}: must be a SQLite database that can be written") from None
