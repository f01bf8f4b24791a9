"""Write the progress of a running training to a file that other processes read: `progress/<name>-<pid>.json`.

The file is not an output of DVC, because DVC removes outputs before a stage runs. It lies under the repository's root,
outside the temporary workspaces of DVC's experiments. It is removed at the end. After a crash it stays behind, but its
process no longer runs; see `Process.is_alive`.
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

from pipeline.foundations.files import root, save_text
from pipeline.history.thinning import CURVE_EPOCHS, evenly_spaced

What = Literal["variant", "network", "study"]
FOLDER: Final = Path("progress")
EVERY: Final = 1.0  # at least this many seconds between two writes
SHARE: Final = 0.02  # at most this share of the training's time may go to writing


class Process(BaseModel):
    """A process. The start time distinguishes it from a later process with the same pid.

    started: the start time, as the operating system reports it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> "Process":
        """Return the current process."""
        return cls(host=socket.gethostname(), pid=os.getpid(), started=_started(os.getpid()))

    def is_alive(self) -> bool:
        """Return whether the process still runs; True on another host, where this cannot be checked."""
        return self.host != socket.gethostname() or self.started == _started(self.pid)


class ReplicaCurves(BaseModel):
    """The curves of one replica so far.

    values: for each curve, one value per entry of `epochs`; None if it is NaN or infinite.
    """

    model_config = ConfigDict(extra="forbid")

    epochs: list[int]
    values: dict[str, list[float | None]]


class Progress(BaseModel):
    """The content of the file.

    name: the name of the variant, network or study.
    begun: the start, in seconds since 1970.
    epochs: the number of epochs of each replica.
    replicas: the number of replicas.
    together: the number of replicas that train at a time.
    done: the number of finished epochs, over all replicas and including pre-training; for a study, of finished cells.
    curves: the curves of each replica, by its number, at the same epochs for all replicas, at most CURVE_EPOCHS.
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
    """Writes the file while a training runs, at most once a second; see `training.common.trainer.Observer`."""

    def __init__(self, progress: Progress, curves: Collection[str]) -> None:
        self.path = root() / FOLDER / f"{progress.name}-{progress.process.pid}.json"
        self._progress, self._curve_names = progress, curves
        self._curve_epochs = {int(epoch) for epoch in evenly_spaced(np.arange(progress.epochs + 1), CURVE_EPOCHS)}
        self._next = -np.inf

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        """Add finished epochs; write the file if the last write was long enough ago.

        Raises:
            OSError: the file cannot be written.
        """
        self._progress.done += len(replicas) * sum(epoch > 0 for epoch in epochs)
        places = [place for place, epoch in enumerate(epochs) if epoch in self._curve_epochs]
        if curves and places:
            for row, replica in enumerate(replicas):
                series = self._progress.curves.setdefault(replica, ReplicaCurves(epochs=[], values={}))
                series.epochs += [epochs[place] for place in places]
                for name in self._curve_names:
                    series.values.setdefault(name, []).extend(_plain(curves[name][row, places]))
        start = time.monotonic()
        if start >= self._next:
            self._write()
            end = time.monotonic()
            self._next = end + max(EVERY, (end - start) / SHARE)

    def _write(self) -> None:
        save_text(self._progress.model_dump_json(), self.path)


@contextmanager
def progress_file(
    name: str, what: What, epochs: int, replicas: int, together: int, curves: Collection[str]
) -> Iterator[ProgressFile]:
    """Yield an observer that writes the file of a training; the training starts now and ends with the context.

    Args:
        epochs: the number of epochs of each replica, without pre-training.
        replicas: the number of replicas.
        together: the number of replicas that train at a time.
        curves: the names of the curves to write, as in the record.
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
    """Read all progress files, by path, including those of dead processes; skip any other file."""
    files: dict[Path, Progress] = {}
    for path in sorted((root() / FOLDER).glob("*.json")):
        with suppress(OSError, ValidationError):  # the file has just been removed, or an earlier version wrote it
            files[path] = Progress.model_validate_json(path.read_bytes())
    return files


def remove(path: Path) -> None:
    """Remove the file; ignore errors."""
    with suppress(OSError):
        path.unlink()


def _plain(values: np.ndarray) -> list[float | None]:
    """Round the values to the digits of float32, as in the tables; None stands for NaN and infinite."""
    rounded = np.round(values.astype(np.float64), 7)
    return [value if np.isfinite(value) else None for value in rounded.tolist()]


def _started(pid: int) -> str:
    """Return the start time of a process, in any unit; empty if there is no such process, or only a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            state, *_, started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:20]
        except OSError:
            return ""
        return "" if state in "ZX" else started
    with suppress(OSError):
        listing = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return listing.stdout.strip()
    return ""
