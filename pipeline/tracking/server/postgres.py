"""Run a PostgreSQL of one's own: in a folder, reached through a socket in that folder, with no port and no password.

PostgreSQL asks the operating system who connects (its `peer` authentication). So it admits only the user that runs
MLflow's server, and there is no password that could be lost.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pipeline.foundations.errors import UserError, masked
from pipeline.tracking.server.server_folder import ServerFolder

DATABASE: Final = "mlflow"  # also the name of its owner, who may change nothing else
CONNECTIONS: Final = 300  # four workers with three pools of at most 15 connections each, and commands beside them
STARTS_WITHIN: Final = 60  # seconds; longer only after a crash with much unwritten data
LONGEST_SOCKET: Final = 103  # bytes; the shortest limit of the systems that PostgreSQL runs on (macOS)
USER_FOR_ROOT: Final = "postgres"  # of Debian's package; PostgreSQL rejects root
PLACES: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
INSTALL: Final = ("apt-get", "install", "--yes", "--no-install-recommends", "postgresql")


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL in the folder of a server."""

    folder: ServerFolder

    @property
    def data(self) -> Path:
        """The databases' files."""
        return self.folder.postgres / "data"

    @property
    def socket(self) -> Path:
        """The folder of the socket, which only the owner can enter."""
        return self.folder.postgres / "socket"

    @property
    def log(self) -> Path:
        """What PostgreSQL prints."""
        return self.folder.postgres / "postgres.log"

    @property
    def uri(self) -> str:
        """The database's address for MLflow. It holds no password."""
        return f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={self.socket}"

    @cached_property
    def programs(self) -> Path:
        """The folder of PostgreSQL's programs: of the version that made the data, if there are data.

        Raises:
            UserError: PostgreSQL is missing, or only another version is there.
        """
        made_by = (self.data / "PG_VERSION").read_text().strip() if (self.data / "PG_VERSION").exists() else None
        versions = {version(folder): folder for folder in installed()}
        if made_by is not None and made_by not in versions:
            raise UserError(
                f"{self.data}: was made by PostgreSQL {made_by}, installed is {', '.join(versions) or 'none'}: install "
                f"PostgreSQL {made_by}, or restore a backup into a new folder"
            )
        if not versions:
            raise UserError(
                "PostgreSQL is missing: install it, for example by `apt-get install postgresql` as root, or name its "
                "programs in PATH"
            )
        return versions[made_by] if made_by is not None else next(iter(versions.values()))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run PostgreSQL within the block; create its data first if there are none.

        A PostgreSQL that a killed command left in this folder goes on, and is stopped at the end.

        Raises:
            UserError: it cannot be created or started.
        """
        self._prepare()
        try:
            if not self._goes_on():
                self._start()
            self._create_database()
            yield
        finally:
            self._run("pg_ctl", "stop", "--pgdata", self.data, "--mode", "fast", "--silent", check=False)

    def client(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the command of a client such as `pg_dump` for MLflow's database."""
        to = ["--host", str(self.socket), "--username", DATABASE, "--no-password"]
        return [str(self.programs / program), *to, *map(str, arguments)]

    def _prepare(self) -> None:
        if len(os.fsencode(self.socket / ".s.PGSQL.5432")) > LONGEST_SOCKET:
            raise UserError(f"{self.folder.path}: too long for a socket: choose another folder with `--folder`")
        programs = self.programs
        for place in (self.folder.postgres, self.socket):
            place.mkdir(mode=0o700, exist_ok=True)
            if self._user is not None:
                shutil.chown(place, self._user)
        self._expect_reachable()
        if self.data.exists():
            return
        print(f"creating a database in {self.data} by {programs}", flush=True)
        new = self.data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)  # left by a command that was killed
        self._run("initdb", "--pgdata", new, "--username", self._superuser, "--auth-local=peer", "--auth-host=reject",
                  "--encoding=UTF8", "--no-locale")  # fmt: skip
        # Within the folder PostgreSQL's own user may do all, and this user may be `mlflow` in the one database.
        rules = f'local all "{self._superuser}" peer\nlocal {DATABASE} {DATABASE} peer map=server\n'
        (new / "pg_hba.conf").write_text(rules, encoding="utf-8")
        (new / "pg_ident.conf").write_text(f'server "{_own_name()}" {DATABASE}\n', encoding="utf-8")
        new.rename(self.data)

    def _goes_on(self) -> bool:
        """Return whether PostgreSQL runs already; wait while a process is there that does not answer.

        It starts just now, or was killed and has not ended yet.

        Raises:
            UserError: its process neither answers nor ends.
        """
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end:
            if self._run("pg_ctl", "status", "--pgdata", self.data, check=False).returncode:
                return False
            if not self._run("pg_isready", "--host", self.socket, "--quiet", check=False).returncode:
                return True
            time.sleep(0.1)
        raise UserError(
            f"{self.data}: the process of {self.data / 'postmaster.pid'} did not answer for {STARTS_WITHIN} s: end it, "
            "or wait and run the same command again"
        )

    def _start(self) -> None:
        options = {"listen_addresses": "", "unix_socket_directories": str(self.socket), "max_connections": CONNECTIONS}
        given = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        self._run(
            "pg_ctl", "start", "--pgdata", self.data, "--log", self.log, "--wait", "--timeout", str(STARTS_WITHIN),
            "--silent", "--options", given, log=self.log,
        )  # fmt: skip

    def _create_database(self) -> None:
        """Create MLflow's role and database where they are missing, and again if their tables were never completed.

        MLflow cannot open a database any more if it was killed while it created the tables.
        """
        if not self.folder.complete.exists():
            self._sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        for question, statement in (
            (f"SELECT 1 FROM pg_roles WHERE rolname = '{DATABASE}'", f"CREATE ROLE {DATABASE} LOGIN"),
            (
                f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'",
                f"CREATE DATABASE {DATABASE} OWNER {DATABASE}",
            ),
        ):
            if not self._sql(question):
                self._sql(statement)

    def table_version(self) -> str:
        """Return the version of MLflow's tables, as alembic keeps it."""
        return self._sql("SELECT version_num FROM alembic_version", DATABASE)

    def _sql(self, statement: str, database: str = "postgres") -> str:
        to = ["--host", str(self.socket), "--username", self._superuser, "--dbname", database, "--no-password"]
        options = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]
        return self._run("psql", *to, *options, "--command", statement).stdout.strip()

    @cached_property
    def _user(self) -> str | None:
        """The user that runs PostgreSQL: none but root's substitute, because PostgreSQL rejects root."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(USER_FOR_ROOT).pw_name
        except KeyError:
            raise UserError(
                f"PostgreSQL does not run as root, and this machine has no user {USER_FOR_ROOT}: run the command as "
                "another user"
            ) from None

    @property
    def _superuser(self) -> str:
        return self._user or _own_name()

    def _expect_reachable(self) -> None:
        if self._user is None:
            return
        print(f"PostgreSQL rejects root, so it runs as user {self._user}; MLflow's server runs as root", flush=True)
        if self._run("test", "-w", self.socket, check=False).returncode:
            raise UserError(
                f"{self.socket}: user {self._user} cannot write there: choose a folder whose parents all users can "
                "enter with `--folder`, or run the command as another user than root"
            )

    def _run(
        self, program: str, *arguments: str | Path, check: bool = True, log: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as PostgreSQL's user.

        Args:
            log: the file to name in the message of a failure.

        Raises:
            UserError: it failed, and `check` is true.
        """
        path = self.programs / program
        command = [str(path if path.exists() else program), *map(str, arguments)]
        # PostgreSQL goes on after this command, so it must not hold the command's terminal or pipes.
        done = subprocess.run(
            command, user=self._user, group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        if check and done.returncode:
            reason = f"see {log}" if log else ((done.stderr or "").strip().splitlines() or ["no message"])[-1]
            raise UserError(masked(f"PostgreSQL: {program} failed with exit code {done.returncode}: {reason}"))
        return done


def installed() -> list[Path]:
    """Return the folders of all installed versions of PostgreSQL: that of PATH first, then the newest first."""
    in_path = shutil.which("postgres")
    first = [Path(in_path).resolve().parent] if in_path else []
    others = [
        folder for place in PLACES for folder in Path("/").glob(place.lstrip("/")) if (folder / "initdb").exists()
    ]
    return list(dict.fromkeys([*first, *sorted(others, key=_number, reverse=True)]))


def install() -> None:
    """Install Debian's PostgreSQL where it is missing, if this is root on a Debian.

    Raises:
        UserError: it could not be installed.
    """
    if installed() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print("PostgreSQL is missing: installing Debian's package postgresql", flush=True)
    for command in (("apt-get", "update"), INSTALL):
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"PostgreSQL is missing, and `{' '.join(command)}` failed: {reason}")


def version(programs: Path) -> str:
    """Return the version in the form of PostgreSQL's file PG_VERSION, such as 15."""
    text = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)", text)
    return match.group(1) if match else "unknown"


def _number(programs: Path) -> int:
    match = re.search(r"(\d+)", str(programs))
    return int(match.group(1)) if match else 0


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def expect_driver() -> None:
    """Check that the packages of the server are installed.

    Raises:
        UserError: one is missing.
    """
    missing = [name for name in ("flask_wtf", "psycopg") if find_spec(name) is None]
    if missing:
        lock = Path(__file__).with_name("requirements.lock")
        raise UserError(
            f"package {missing[0]} is missing: `make server` installs it, or run python3 -m pip install "
            f"--require-hashes -r {lock}"
        )
