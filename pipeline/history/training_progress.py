"""What a training that is under way has behind it, in a small file that others may read: `progress/<name>-<pid>.json`.

Outside DVC's outputs, for DVC removes these before a stage runs, and under the repository's root, where the temporary
workspaces of DVC's experiments do not reach. The file vanishes at the end. What a crash left is known by its process.
"""

import os
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.foundations.files import root
from pipeline.history.thinning import CURVE_EPOCHS, evenly_spaced

What = Literal["variant", "network", "study"]
FOLDER: Final = Path("progress")
EVERY: Final = 1.0  # seconds between two writings, at least
SHARE: Final = 0.02  # of the training's time that writing may take


class Process(BaseModel):
    """A process among all that ever were: `started` is when it began, as its system tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> "Process":
        """The one that asks."""
        return cls(host=socket.gethostname(), pid=os.getpid(), started=_started(os.getpid()))

    def is_alive(self) -> bool:
        """Whether it still runs. Of another host nobody here can tell: yes."""
        return self.host != socket.gethostname() or self.started == _started(self.pid)


class ReplicaCurves(BaseModel):
    """Curves of one replica so far: at `epochs`, in order, a value of each; null where it is no finite number."""

    model_config = ConfigDict(extra="forbid")

    epochs: list[int]
    values: dict[str, list[float | None]]


class Progress(BaseModel):
    """What the file says.

    name: of the variant, network or study. begun: seconds since 1970. epochs: that each replica is to train.
    replicas: how many there are to be. together: how many of them advance at a time.
    done: epochs trained, summed over replicas, pre-training's too; of a study, its finished cells.
    curves: by the replica's number, at CURVE_EPOCHS epochs at most, for all replicas the same ones.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    what: What
    process: Process
    begun: float
    epochs: int
    replicas: int
    together: int
    done: int = 0
    curves: dict[int, ReplicaCurves] = {}


class ProgressFile:
    """Writes the file while a training runs; see `training.common.trainer.Observer`. At most once a second."""

    def __init__(self, progress: Progress, curves: Collection[str]) -> None:
        self.path = root() / FOLDER / f"{progress.name}-{progress.process.pid}.json"
        self._progress, self._names = progress, curves
        self._shown = {int(epoch) for epoch in evenly_spaced(np.arange(progress.epochs + 1), CURVE_EPOCHS)}
        self._next = -np.inf

    def trained(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """Note it, and write if there was no writing for a while.

        Raises:
            OSError: the file cannot be written.
        """
        self._progress.done += len(replicas) * sum(epoch > 0 for epoch in epochs)
        places = [place for place, epoch in enumerate(epochs) if epoch in self._shown]
        if curves and places:
            for row, replica in enumerate(replicas):
                series = self._progress.curves.setdefault(replica, ReplicaCurves(epochs=[], values={}))
                series.epochs += [epochs[place] for place in places]
                for name in self._names:
                    series.values.setdefault(name, []).extend(_plain(curves[name][row, places]))
        began = time.monotonic()
        if began >= self._next:
            self._write()
            ended = time.monotonic()
            self._next = ended + max(EVERY, (ended - began) / SHARE)

    def _write(self) -> None:
        temporary = _beside(self.path)
        temporary.parent.mkdir(exist_ok=True)
        temporary.write_text(self._progress.model_dump_json(), encoding="utf-8")
        os.replace(temporary, self.path)


@contextmanager
def progress_file(
    name: str, what: What, epochs: int, replicas: int, together: int, curves: Collection[str]
) -> Iterator[ProgressFile]:
    """An observer that keeps the file of a training, which begins now and ends with the context.

    Args:
        epochs: of each replica, without pre-training's. replicas: how many there are to be.
        together: how many of them advance at a time. curves: which are kept, by the record's names.
    """
    progress = Progress(
        name=name,
        what=what,
        process=Process.own(),
        begun=time.time(),
        epochs=epochs,
        replicas=replicas,
        together=together,
    )
    file = ProgressFile(progress, curves)
    try:
        yield file
    finally:
        remove(file.path)


def read_all() -> dict[Path, Progress]:
    """All files that there are, by path, those of dead processes too; what is no such file is left out."""
    found = {}
    for path in sorted((root() / FOLDER).glob("*.json")):
        with suppress(OSError, ValidationError):  # it has just vanished, or an earlier version wrote it
            found[path] = Progress.model_validate_json(path.read_bytes())
    return found


def remove(path: Path) -> None:
    """The file, and what a crash left beside it; nothing where that is not possible."""
    for each in (path, _beside(path)):
        with suppress(OSError):
            each.unlink()


def _beside(path: Path) -> Path:
    return path.with_suffix(".writing")


def _plain(values: np.ndarray) -> list[float | None]:
    """Without digits that a float32 does not have, as the tables have them."""
    rounded = np.round(values.astype(np.float64), 7)
    return [value if np.isfinite(value) else None for value in rounded.tolist()]


def _started(pid: int) -> str:
    """When the process began, in whatever unit; empty where there is none, or it has ended and nobody has noticed."""
    if Path("/proc/self/stat").exists():
        try:
            state, *_, started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:20]
        except OSError:
            return ""
        return "" if state in "ZX" else started
    with suppress(OSError):
        told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return told.stdout.strip()
    return ""
