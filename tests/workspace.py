"""Copy the repository with small parameters, to run the real DVC with a real MLflow store in the copy."""

import json
import math
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preloaded import PLACE
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROOT = Path(__file__).resolve().parent.parent
EPOCHS, REPLICAS, VARIANTS = 3, 3, {"relu_2", "tanh_1"}
SMALL = {
    "data.config.n_samples": 140,
    "split.train": 40,
    "training.epochs": EPOCHS,
    "training.replicas": REPLICAS,
    "training.chunk": REPLICAS,
    "training.record_every": 1,
    "training.surface_resolution": 5,
    "studies": {},
}
# Keeps MLflow's server from starting processes for jobs, because no test starts a job.
WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
# Variables that would connect a workspace with the outside, or let every process compile the sources again.
FOREIGN = ("DVC_", "GIT_", "MLFLOW_", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def executed(self) -> set[str]:
        """Return the stages whose commands DVC has run."""
        return set(re.findall(r"^Running stage '(.+)':$", self.stdout, re.MULTILINE))

    @property
    def restored(self) -> set[str]:
        """Return the stages whose outputs DVC has restored from its run cache."""
        return set(re.findall(r"^Stage '(.+)' is cached - skipping run", self.stdout, re.MULTILINE))


@dataclass(frozen=True)
class Logged:
    """The content of a run in MLflow, as plain values that can be compared; metrics are the latest, without NaN."""

    run_id: str
    name: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    models: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    children: dict[str, "Logged"] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """Return the variant's name."""
        return self.tags["pipeline.variant"]

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the training and its results."""
        return self.tags["pipeline.fingerprint"]


class Workspace:
    """A folder with a copy of the pipeline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "mlruns" / "mlflow.db"

    @classmethod
    def create(cls, folder: Path, *chosen: str) -> "Workspace":
        """The repository's files without any result, with small parameters, in a git repository of its own.

        Args:
            chosen: which of the repository's variants; by default tanh_1, beside one of its own.
        """
        listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            if name != "dvc.lock" and not name.startswith("metrics/") and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        workspace = cls(folder)
        recipes = {"relu_2": {"hidden_layers": 2}, **workspace.recipes}
        pair = list(chosen or ("relu_2", "tanh_1"))
        workspace.edit(
            {**SMALL, "comparison": {"pair": pair, "weights": pair}, "variants": {name: recipes[name] for name in pair}}
        )
        workspace.run("git", "init", "--quiet")
        workspace.run("git", "config", "user.name", "Tester")
        workspace.run("git", "config", "user.email", "tester@example.com")
        workspace.commit()
        return workspace

    def bare(self, folder: Path) -> "Workspace":
        """Return a copy to run one stage in, without the files of git and DVC, and with only MLflow's database."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns(".git", ".dvc", "artifacts", "pipeline"))
        return Workspace(folder)

    def copy(self, folder: Path) -> "Workspace":
        """Copy the whole workspace, its store included, while a server may be reading that.

        MLflow keeps absolute places of artifacts, so they are changed in the copy.
        """
        copied = Workspace(folder)
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(f"{self.database.name}*"))
        with closing(sqlite3.connect(self.database)) as store, closing(sqlite3.connect(copied.database)) as database:
            store.backup(database)
            for table, column in (
                ("experiments", "artifact_location"),
                ("runs", "artifact_uri"),
                ("logged_models", "artifact_location"),
                ("model_versions", "storage_location"),
            ):
                places = (self.folder.as_uri(), folder.as_uri())
                database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", places)
            database.commit()
        return copied

    # Commands

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of the environment without FOREIGN."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        dvc = str(self.folder / ".dvc" / "tmp" / "machine")
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": dvc,
            "DVC_GLOBAL_CONFIG_DIR": dvc,
            "DVC_SYSTEM_CONFIG_DIR": dvc,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **more,
        }

    def attempt(self, *command: str, **environment: str) -> Done:
        """Run a command, which may fail; if `preloaded` has a server, its imports are already done."""
        return self._done(command, self._preloaded(environment))

    def attempt_alone(self, *command: str, **environment: str) -> Done:
        """Run a command, which may fail, as a user does, without preloaded imports."""
        return self._done(command, self.environment(**environment))

    def _preloaded(self, environment: dict[str, str]) -> dict[str, str]:
        complete = self.environment(**environment)
        if PLACE in complete:
            complete["PATH"] = f"{complete[PLACE]}{os.pathsep}{complete['PATH']}"
        return complete

    def _done(self, command: Sequence[str], environment: dict[str, str]) -> Done:
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *command: str, **environment: str) -> Done:
        """Run a command that must succeed."""
        done = self.attempt(*command, **environment)
        assert done.code == 0, f"{' '.join(command)}: exit code {done.code}\n{done.stdout}\n{done.stderr}"
        return done

    def repro(self) -> Done:
        """Run `dvc repro`."""
        return self.run("dvc", "repro")

    def track(self, **environment: str) -> Done:
        """Run the stage `track` by hand, as `make publish` does."""
        return self.run(*stage("track"), **environment)

    def start_queue(self, jobs: int) -> None:
        """Workers of DVC's queue. They go on for a while after their last task, and whoever reads what they print would
        wait for that."""
        with self.running_alone("dvc", "queue", "start", "--jobs", str(jobs)) as start:
            assert start.wait(120) == 0

    def end_queue(self) -> None:
        """Stop all workers, also one that missed the order to stop, which happens if two get it at once."""
        self.run("dvc", "queue", "stop", "--kill")
        for path in (self.folder / ".dvc" / "tmp" / "exps" / "celery").glob("*.pid"):
            number = path.read_text()
            if "queue-worker" in self.attempt("ps", "-p", number, "-o", "command=").stdout:
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)

    @contextmanager
    def serving(self, url: str, *command: str, **environment: str) -> Iterator[str]:
        """Start a server; yield when it answers at `url`."""
        with self.running(*command, **environment) as process:
            wait_until(lambda: answers(url) or process.poll() is not None)
            assert process.poll() is None, "it ended before it answered"
            yield url

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command with preloaded imports; at the end kill it and all its processes."""
        with self._started(command, self._preloaded(environment)) as process:
            yield process

    @contextmanager
    def running_alone(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command as a user does, without preloaded imports; for commands that a test kills."""
        with self._started(command, self.environment(**environment)) as process:
            yield process

    @contextmanager
    def _started(self, command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        with subprocess.Popen(command, cwd=self.folder, env=environment, **nowhere) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def kill_when(self, condition: Callable[[], bool], *command: str) -> None:
        """Start a command; kill it and all its processes as soon as the condition holds."""
        with self.running_alone(*command) as process:
            wait_until(lambda: condition() or process.poll() is not None, every=0.005)
        assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"

    @contextmanager
    def ui(self) -> Iterator[tuple[str, list[str]]]:
        """Run `make ui` without a display; yield its address and the lines that it prints before the server starts."""
        port = free_port()
        quiet = {name: value for name, value in self._preloaded({}).items() if "DISPLAY" not in name}
        command = ["python3", "-m", "pipeline.tracking.ui.serve", "--port", str(port)]
        with subprocess.Popen(command, cwd=self.folder, env=quiet, stdout=subprocess.PIPE, text=True) as process:
            try:
                lines: list[str] = []
                for line in process.stdout or ():
                    if line.startswith("the server takes"):
                        break
                    lines.append(line)
                yield f"http://127.0.0.1:{port}", lines
            finally:
                process.send_signal(signal.SIGINT)

    # Files

    @property
    def recipes(self) -> dict[str, Any]:
        """Return the variants of params.yaml."""
        return YAML(typ="safe").load(self.folder / "params.yaml")["variants"]

    def edit(self, values: dict[str, Any]) -> None:
        """Set values of params.yaml by their dotted paths; `...` removes a key."""
        yaml = YAML()
        document = yaml.load(self.folder / "params.yaml")
        for path, value in values.items():
            *above, key = path.split(".")
            place = document
            for name in above:
                place = place[name]
            if value is ...:
                del place[key]
            else:
                place[key] = value
        yaml.dump(document, self.folder / "params.yaml")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace text in a source file."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self) -> None:
        """Commit all files to git."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "All", "--allow-empty")

    def json(self, name: str) -> Any:
        """Return the content of a JSON file."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def content(self, name: str) -> dict[str, bytes]:
        """Return the bytes of every file below a folder, by its path there."""
        place = self.folder / name
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def truncate(self, name: str) -> None:
        """Keep only the first half of a file."""
        path = self.folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    # MLflow

    def delete_store(self) -> None:
        """Delete the store, the artifacts and the manifest."""
        shutil.rmtree(self.folder / "mlruns")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows that a query gets from the store now; none if there is no store yet."""
        try:
            with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as database:
                return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    @contextmanager
    def client(self) -> Iterator["MlflowClient"]:
        """Yield a client of a copy of the store, because MLflow's client keeps a deleted database open."""
        from pipeline.tracking.store import connect  # here, for `make unit` collects this module and MLflow is slow

        snapshot = self.folder / ".dvc" / "tmp" / f"snapshot-{time.monotonic_ns()}.db"
        with closing(sqlite3.connect(self.database)) as store, closing(sqlite3.connect(snapshot)) as copy:
            store.backup(copy)
        yield connect(f"sqlite:///{snapshot}")

    def runs(self) -> dict[str, Logged]:
        """Return all parent runs that are not deleted, by id."""
        with self.client() as client:
            return logged(client)


def stage(name: str, *arguments: str) -> list[str]:
    """Return the command of a stage, as dvc.yaml has it."""
    return ["python3", "-m", f"pipeline.stages.{name}", *arguments]


def logged(client: "MlflowClient") -> dict[str, Logged]:
    """Return all parent runs of a store that are not deleted, by id, each with its children by name."""
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    below: dict[str | None, dict[str, Logged]] = {}
    for run in found:
        parent = run.data.tags.get("mlflow.parentRunId")
        below.setdefault(parent, {})[run.info.run_id] = _logged(run)
    for run_id, each in below.get(None, {}).items():
        children = below.pop(run_id, {}).values()
        each.children.update({child.name: child for child in children})
        assert len(each.children) == len(children), f"two children of one name under {each.name}"
    parents = below.pop(None, {})
    assert not below, "children whose parents are deleted"
    return parents


def _logged(run: "Run") -> Logged:
    metrics = {key: value for key, value in run.data.metrics.items() if not math.isnan(value)}
    models = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    datasets = [each.dataset.name for each in run.inputs.dataset_inputs] if run.inputs else []
    info, data = run.info, run.data
    return Logged(info.run_id, info.run_name, info.status, data.params, data.tags, metrics, models, datasets)


def variants(runs: dict[str, Logged]) -> list[str]:
    """Return the variant of each run."""
    return sorted(run.variant for run in runs.values())


def wait_until(condition: Callable[[], bool], seconds: float = 120, every: float = 0.1) -> None:
    """Look again and again.

    Raises:
        TimeoutError: it did not come true.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every)


def free_port() -> int:
    """Return a port on which nothing listens at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(url: str) -> bool:
    """Return whether a server answers."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
