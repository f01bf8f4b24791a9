"""Back up a team's server into one file, while it runs or not, and restore it into a new folder."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing, temporary_folder
from pipeline.tracking.server.postgres import DATABASE, Postgres
from pipeline.tracking.server.server_folder import ServerFolder
from pipeline.tracking.server.team_server import open_folder

DUMP: Final = "database.dump"


def back_up(folder: ServerFolder, target: Path) -> None:
    """Write the database, the artifacts and the passwords into a tar file that only this user can read.

    The database is read first, in one transaction. A run is marked as complete after its artifacts are written, so each
    complete run in the file has its artifacts.

    Raises:
        UserError: there is no server in the folder, or a program of PostgreSQL fails.
    """
    if not Postgres(folder).data.is_dir():
        raise UserError(f"{folder.path}: must be the folder of a server that has run once")
    with _database(folder), temporary_folder("dump-") as temporary:
        _run(Postgres(folder).client("pg_dump", "--format", "custom", "--file", temporary / DUMP, DATABASE))
        with replacing(target.absolute()) as path:
            path.touch(mode=0o600)
            with tarfile.open(path, "w") as tar:
                tar.add(temporary / DUMP, DUMP)
                for part in (folder.artifacts, folder.passwords):
                    for file in (part, *part.rglob("*")):
                        with suppress(FileNotFoundError):  # an upload that has just ended has another name
                            tar.add(file, file.relative_to(folder.path), recursive=False)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB; it holds passwords: keep it where nobody else can read it")


def restore(folder: ServerFolder, source: Path) -> None:
    """Make a server's folder from a backup. The folder appears only once it is complete.

    Raises:
        UserError: there is a folder already, the file is no backup, or a program of PostgreSQL fails.
    """
    if folder.path.exists():
        raise UserError(f"{folder.path}: exists: must be a new folder")
    new = ServerFolder(folder.path.with_name(f"{folder.path.name}.new"))
    shutil.rmtree(new.path, ignore_errors=True)  # left by a command that was killed
    with open_folder(new), Postgres(new).running():
        new.complete.touch()
        try:
            with tarfile.open(source) as tar:
                tar.extractall(new.path, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise UserError(f"{source}: {error}: must be a file that `backup` has written") from None
        dump = new.path / DUMP
        if not dump.is_file():
            raise UserError(f"{source}: holds no {DUMP}: must be a file that `backup` has written")
        into = ["--dbname", DATABASE, "--no-owner", "--exit-on-error", "--single-transaction"]
        _run(Postgres(new).client("pg_restore", *into, dump))
        dump.unlink()
    new.path.rename(folder.path)
    print(f"{folder.path}: restored; serve it with `make server FOLDER={folder.path}`")


@contextmanager
def _database(folder: ServerFolder) -> Iterator[None]:
    """Use the database of the server that runs, or run the database within the block."""
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder.lock, timeout=0, mode=0o600))
        except Timeout:  # a server runs
            yield
            return
        stack.enter_context(Postgres(folder).running())
        yield


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise UserError(f"PostgreSQL: {Path(command[0]).name}: {reason}")
