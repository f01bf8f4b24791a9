"""A real server for a team, started by the command that users run: PostgreSQL, users, rights."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from workspace import ROOT, free_port, wait_until

from pipeline.tracking.server import postgres
from pipeline.tracking.server.server_folder import ServerFolder
from pipeline.tracking.server.users import Users

COMMAND = (sys.executable, "-m", "pipeline.tracking.server")
STARTS_WITHIN = 600  # seconds, on a busy machine


@dataclass
class TeamServer:
    """A server that runs, or can be started again in the same folder and at the same port."""

    folder: ServerFolder
    workers: int = 1
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def uri(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> str:
        """Start it and wait until it is ready; return what it has printed."""
        log = self.folder.path.with_suffix(".log")
        serve = [*COMMAND, "--folder", str(self.folder.path), "serve", "--port", str(self.port)]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [*serve, "--workers", str(self.workers), *options],
                cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        wait_until(lambda: "ready: " in log.read_text() or self.process.poll() is not None, seconds=STARTS_WITHIN)
        if self.process.poll() is not None and "PostgreSQL is missing" in log.read_text():
            pytest.skip(log.read_text().strip().splitlines()[-1])
        assert self.process.poll() is None, log.read_text() + self.server_log()
        return log.read_text()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(120) == 0

    def kill(self) -> None:
        """Kill every process of it at once, PostgreSQL's too."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)

    def processes(self) -> list[int]:
        """The ids of all its processes: the command, MLflow's and PostgreSQL's."""
        roots = {self.process.pid}
        with suppress(OSError):
            roots.add(int((self.folder.postgres / "data" / "postmaster.pid").read_text().split()[0]))
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        found = set(roots)
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found & parents.keys())

    def memory(self) -> int:
        """The bytes that its processes hold and share with nobody, and their part of what they share."""
        total = 0
        for pid in self.processes():
            with suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return total

    def users(self) -> Users:
        """The administrator's commands."""
        return Users(self.folder, self.port)

    def sign_in(self, user: str) -> None:
        """Let this process be that user, as a person would by environment variables."""
        os.environ["MLFLOW_TRACKING_URI"] = self.uri
        os.environ["MLFLOW_TRACKING_USERNAME"] = user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = self.folder.password(user)

    def server_log(self) -> str:
        """What MLflow's server has printed."""
        return self.folder.log.read_text() if self.folder.log.exists() else ""


@contextmanager
def team_server(workers: int = 1) -> Iterator[TeamServer]:
    """Run a new server in a new folder; skip the test where PostgreSQL cannot be had."""
    missing = [name for name in ("psycopg", "flask_wtf") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the team's server was NOT tested: {' and '.join(missing)} missing; `make server` installs them")
    if not postgres.installed() and (os.geteuid() or not shutil.which("apt-get")):
        pytest.skip("the team's server was NOT tested: PostgreSQL is missing and cannot be installed here")
    # PostgreSQL's user cannot enter pytest's folders where root runs the tests, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="team-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o711)
        server = TeamServer(ServerFolder(Path(place) / "server"), workers)
        try:
            server.start()
            yield server
        finally:
            server.stop()
