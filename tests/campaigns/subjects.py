"""What is killed: `make repro`, `make studies`, a script under the callback, and the follower of trainings."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from campaigns.phases import ROOT_LOCK, STUDIES_LOCK, Phase, View, stage_phases
from campaigns.store_state import StoreState
from campaigns.trials import kinds, paths
from workspace import ROOT, Done, Workspace, wait_until

NETWORK = """
import keras
def build(inputs, task, units=3):
    hidden = keras.layers.Dense(units, "relu")
    return keras.Sequential([keras.Input(inputs), hidden, keras.layers.Dense(task.outputs, "sigmoid")])
"""
NETWORKS = {"own": {"config": {}, "epochs": 20, "replicas": 3}}
STUDIES = {
    "units": {"base": "tanh_1", "replicas": 2, "grid": {"units": [2, 3, 4]}},
    "widths": {"base": "own", "replicas": 1, "grid": {"config.units": [2, 4]}},
}
# SQLite's own files, which stay where a process ends without closing the store; the next connection reads them.
SQLITE = ("mlruns/mlflow.db-wal", "mlruns/mlflow.db-shm")
KILLED = "KILLED"  # the status of a run in MLflow
PATIENCE = 600  # seconds; on a crowded machine
# Folders whose content must be equal to the byte.
SAME = ("data", "runs", "metrics", "evaluations", "reports", "tables", "studies", "cells")


@dataclass(frozen=True)
class Remains:
    """What a command has left behind.

    bytes: the content of each file that must be equal in every run.
    names: all other files, without the random parts of names.
    temporary: what lies in the folder for temporary files.
    printed: what the command has printed, if it must be equal in every run.
    """

    bytes: dict[str, bytes]
    names: set[str]
    temporary: set[str]
    store: StoreState
    printed: str = ""


class Subject:
    """A command to kill.

    name: as it is counted.
    commands: the ways to run it; a trial takes one of them.
    uncompared: paths of the folder whose names change from run to run.
    ends_by_itself: whether the command ends without Ctrl-C.
    adds_runs: whether each run of the command adds its own to the store, so that one that is killed after its last
        request leaves as much as an undisturbed one.
    """

    name: ClassVar[str]
    commands: ClassVar[tuple[tuple[str, ...], ...]]
    artifacts: ClassVar[Path] = Path("mlruns/artifacts")
    uncompared: ClassVar[tuple[str, ...]] = (".git", ".dvc", "mlruns/artifacts")
    ends_by_itself: ClassVar[bool] = True
    adds_runs: ClassVar[bool] = False

    def prepare(self, folder: Path) -> Workspace:
        """Return a new place in which the command has not run."""
        raise NotImplementedError

    def phases(self, command: Sequence[str]) -> list[Phase]:
        """Return the command's phases."""
        raise NotImplementedError

    def environment(self, workspace: Workspace) -> dict[str, str]:
        """Return further variables for the command."""
        return {}

    @contextmanager
    def companion(self, workspace: Workspace, environment: dict[str, str]) -> Iterator[None]:
        """Let run what the command needs beside it, from before the first kill to the end."""
        yield

    def has_ended(self, process: subprocess.Popen[bytes], view: View) -> bool:
        """Return whether the undisturbed command has ended."""
        return process.poll() is not None

    def finish(self, workspace: Workspace, command: Sequence[str], environment: dict[str, str]) -> Done:
        """Run the command to its end."""
        return workspace.attempt(*command, **environment)

    def result(self, workspace: Workspace, temporary: Path, done: Done) -> Remains:
        """Return what the command has left behind."""
        content = {f"{name}/{path}": data for name in SAME for path, data in workspace.content(name).items()}
        content |= {
            str(path.relative_to(workspace.folder)): path.read_bytes()
            for path in [*workspace.folder.glob("dvc.lock"), *workspace.folder.glob("mlruns/**/*.json")]
            if not path.is_relative_to(workspace.folder / self.artifacts)
        }
        names = kinds(set(paths(workspace.folder, (*self.uncompared, *SQLITE))) - content.keys())
        store = StoreState.of(workspace, workspace.folder / self.artifacts)
        return Remains(content, names, kinds(paths(temporary)), store, self.report(done))

    def report(self, done: Done) -> str:
        """Return what the command prints that must be equal in every run."""
        return ""


class Repro(Subject):
    """`make repro` from nothing, with a variant and a network of the user's own."""

    name = "make repro"
    commands = (("python3", "-m", "pipeline.repro"),)
    OUTPUTS: Final = {
        "generate": "data/raw",
        "split": "data/split",
        "reference": "data/reference",
        "train@tanh_1": "runs/tanh_1",
        "fit@own": "runs/own",
        "evaluate@tanh_1": "evaluations/tanh_1",
        "evaluate_network@own": "evaluations/own",
        "compare": "reports",
        "track": "mlruns/manifest.json",
    }

    def __init__(self, folder: Path) -> None:
        """Make the place of which each trial gets a copy."""
        self._fresh = Workspace.create(folder / "fresh", "tanh_1")
        file = self._fresh.folder / "networks" / "own" / "network.py"
        file.parent.mkdir(parents=True)
        file.write_text(NETWORK)
        self._fresh.edit({"comparison": {}, "networks": NETWORKS, "studies": STUDIES})
        self._fresh.commit()

    def prepare(self, folder: Path) -> Workspace:
        shutil.copytree(self._fresh.folder, folder, symlinks=True)
        return Workspace(folder)

    def phases(self, command: Sequence[str]) -> list[Phase]:
        tracks = partial(View.runs, stage="track")

        def is_published(view: View) -> bool:
            return (view.folder / "mlruns" / "manifest.json").exists()

        return [
            Phase("check", lambda view: True, lambda view: "Running stage" in view.printed),
            *stage_phases(self.OUTPUTS, ROOT_LOCK),
            Phase("networks", partial(View.is_after, stage="split"), partial(View.is_followed, stage="split")),
            Phase("store", lambda view: view.has("mlruns/.writing-*"), lambda view: view.has("mlruns/mlflow.db")),
            Phase("packaging", tracks, lambda view: view.count("logged_models") > 0),
            Phase("publishing", lambda view: tracks(view) and view.count("runs") > 0, is_published),
            Phase("models", lambda view: tracks(view) and view.count("logged_models") > 0, is_published),
            Phase("end", lambda view: tracks(view) and is_published(view)),
        ]


class Studies(Repro):
    """`make studies` after `make repro`: a study of a variant and one of a network, on two local processes."""

    name = "make studies"
    commands = (("python3", "-m", "pipeline.repro", "--studies"),)
    FILE: Final = "studies/dvc.yaml:"
    OUTPUTS: Final = {
        f"{FILE}study@units": "studies/units",
        f"{FILE}track_study@units": "mlruns/studies/units.json",
        f"{FILE}study@widths": "studies/widths",
        f"{FILE}track_study@widths": "mlruns/studies/widths.json",
    }

    def __init__(self, published: Workspace) -> None:
        self._published = published

    def prepare(self, folder: Path) -> Workspace:
        return self._published.copy(folder)

    def phases(self, command: Sequence[str]) -> list[Phase]:
        def has_cells(number: int, view: View) -> bool:
            return len(list(view.folder.glob("cells/*/history.nc"))) >= number

        replicas, cells, tracks = NETWORKS["own"]["replicas"], 5, [each for each in self.OUTPUTS if "track" in each]
        return [
            Phase("check", lambda view: True, lambda view: "Running stage" in view.printed),
            *stage_phases(self.OUTPUTS, STUDIES_LOCK),
            *(
                Phase("cells", partial(has_cells, number), partial(has_cells, number + 1), str(number - replicas))
                for number in range(replicas + 1, replicas + cells)
            ),
            *(
                Phase("publishing", partial(View.runs, stage=stage), partial(View.is_after, stage=stage), stage)
                for stage in tracks
            ),
        ]


class Callback(Subject):
    """A script under the callback that writes to MLflow: by `pipeline.watch`, by itself, and in two replicas."""

    name = "callback"
    commands = (
        ("python3", "-m", "pipeline.watch", "watched.py", "seed"),
        ("python3", "own.py", "seed"),
        ("python3", "-m", "pipeline.watch", "--replicas", "2", "watched.py"),
    )
    artifacts = Path("mlruns")
    uncompared = ("mlruns",)
    adds_runs = True
    FIT: Final = """
import sys
import keras
import numpy as np
if "seed" in sys.argv:
    keras.utils.set_random_seed(1)
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
labels = (inputs.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print("epoch", epoch + 1, flush=True))
"""
    EPOCHS: Final = 12
    WATCHED: Final = f"""{FIT}
print("begun", flush=True)
model.fit(inputs, labels, epochs={EPOCHS}, verbose=0, callbacks=[shown])
print("fitted", flush=True)
"""
    OWN: Final = f"""{FIT}
from pipeline import Diagnosis
diagnosis = Diagnosis(inputs, labels, max_overhead=1000)
print("begun", flush=True)
model.fit(inputs, labels, epochs={EPOCHS}, verbose=0, callbacks=[shown, diagnosis])
print("fitted", flush=True)
print(diagnosis.verdict)
diagnosis.report("why.html")
"""

    def __init__(self, empty_store: Path) -> None:
        """Prepare.

        Args:
            empty_store: a database with MLflow's tables.
        """
        self._empty_store = empty_store

    def prepare(self, folder: Path) -> Workspace:
        (folder / "mlruns").mkdir(parents=True)
        (folder / "watched.py").write_text(self.WATCHED)
        (folder / "own.py").write_text(self.OWN)
        shutil.copy(self._empty_store, folder / "mlruns" / "mlflow.db")
        return Workspace(folder)

    def phases(self, command: Sequence[str]) -> list[Phase]:
        if "--replicas" in command:
            return [
                Phase("replicas", lambda view: view.has("runs-*", view.temporary), moment="first"),
                Phase("replicas", lambda view: view.has("**/runs/*/*.json"), moment="second"),
            ]

        def has_printed(text: str, view: View) -> bool:
            return text in view.printed

        last = f"epoch {self.EPOCHS}\n"
        begun, first, closes = (partial(has_printed, text) for text in ("begun", "epoch 1\n", last))
        return [
            Phase("imports", lambda view: True, begun),
            Phase("first epoch", begun, first),
            Phase("epochs", first, closes),
            Phase("verdict", closes, lambda view: view.count("logged_models") > 0),
            Phase("model", lambda view: view.count("logged_models") > 0),
        ]

    def environment(self, workspace: Workspace) -> dict[str, str]:
        store = f"sqlite:///{workspace.database}"
        return {
            "PYTHONPATH": str(ROOT),
            "MLFLOW_TRACKING_URI": store,
            "XDG_CACHE_HOME": str(workspace.folder / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        }

    def result(self, workspace: Workspace, temporary: Path, done: Done) -> Remains:
        """Return what is left, but the runs of interrupted trainings, which stay with the status KILLED."""
        remains = super().result(workspace, temporary, done)
        runs = Counter({run: count for run, count in remains.store.runs.items() if KILLED not in run})
        return replace(remains, store=replace(remains.store, runs=runs))

    def report(self, done: Done) -> str:
        return re.sub(r"\d+(\.\d+)?( s| min)|\d\d:\d\d", "*", done.stdout)


class FollowerSubject(Subject):
    """`make live` while a process trains; the training goes on while followers are killed."""

    name = "follower"
    commands = (("python3", "-m", "pipeline.tracking.live"),)
    ends_by_itself = False
    GO_ON: Final = "go_on"
    POINTS: Final = 200  # so many points are followed undisturbed
    TRAIN: Final = f"""
import time
from pathlib import Path
import numpy as np
from pipeline.history.training_progress import progress_file
with progress_file("v", "variant", 3000, 2, 2, ["train_loss"]) as file:
    file._progress.begun -= 60  # a follower shows what has run for some seconds
    for epoch in range(3001):
        for replica in range(2):
            file.on_epochs([replica], range(epoch, epoch + 1), {{"train_loss": np.full((1, 1), epoch + replica)}})
        if Path("{GO_ON}").exists():
            break
        time.sleep(0.2)
"""

    def __init__(self) -> None:
        self._is_interrupted = False

    def prepare(self, folder: Path) -> Workspace:
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "params.yaml", folder)
        return Workspace(folder)

    def environment(self, workspace: Workspace) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    @contextmanager
    def companion(self, workspace: Workspace, environment: dict[str, str]) -> Iterator[None]:
        """Train until there is a file."""
        elsewhere = {**environment, "TMPDIR": tempfile.gettempdir()}  # it is not what the command leaves behind
        with workspace.running_alone("python3", "-c", self.TRAIN, **elsewhere):
            wait_until(lambda: any(workspace.folder.glob("progress/*.json")), seconds=PATIENCE)
            yield

    def phases(self, command: Sequence[str]) -> list[Phase]:
        def holds(view: View) -> bool:
            return view.count("metrics") > 0

        return [
            Phase("imports", lambda view: True, lambda view: view.has("mlruns")),
            Phase("store", lambda view: view.has("mlruns/.writing-*"), lambda view: view.has("mlruns/mlflow.db")),
            Phase("live run", lambda view: view.has("mlruns/mlflow.db"), holds),
            Phase("following", holds),
        ]

    def has_ended(self, process: subprocess.Popen[bytes], view: View) -> bool:
        """Interrupt the follower when it has followed for a while."""
        if not self._is_interrupted and view.count("metrics") > self.POINTS:
            process.send_signal(signal.SIGINT)
            self._is_interrupted = True
        return super().has_ended(process, view)

    def finish(self, workspace: Workspace, command: Sequence[str], environment: dict[str, str]) -> Done:
        """Run until one live run is shown and grows, end the training, and interrupt the follower."""

        def points() -> list[int]:
            live = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active'"
            query = f"SELECT count(*) FROM metrics WHERE run_uuid IN ({live}) GROUP BY run_uuid"
            return [count for (count,) in workspace.rows(query)]

        with workspace.running_alone(*command, **environment) as follower:
            wait_until(lambda: len(points()) == 1, PATIENCE)
            before = points()
            wait_until(lambda: len(points()) == 1 and points() > before, PATIENCE)
            (workspace.folder / self.GO_ON).touch()
            wait_until(lambda: not any(workspace.folder.glob("progress/*.json")), PATIENCE)
            follower.send_signal(signal.SIGINT)
            code = follower.wait(PATIENCE)
        return Done(code, "", "")
