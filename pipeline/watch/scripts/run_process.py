"""Run a script once in a process of its own, and wait for its records."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.foundations.errors import ESCAPE_CODES
from pipeline.watch.scripts.run_request import RunRequest
from pipeline.watch.scripts.with_parent import VARIABLE

PATIENCE: Final = 5.0  # seconds that a process has to end by itself
ERRORS: Final = "stderr.txt"
# Variables that set how many threads a library uses.
THREADS: Final = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class RunProcess:
    """A run of a script in a process of its own.

    folder: the folder of its records.
    place: the folder where they will be kept.
    """

    def __init__(self, request: RunRequest, seed: int, folder: Path, place: Path, at_once: int) -> None:
        """Start the process.

        Args:
            at_once: how many such processes share the machine.
        """
        self.folder, self.place = folder, place
        self._start = time.monotonic()
        self._end: float | None = None
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ERRORS).open("wb") as errors:
            self._process = subprocess.Popen(
                command(request, seed, folder),
                env=_environment(seed, at_once),
                stdin=subprocess.PIPE,  # closes when this process ends, even by SIGKILL: see `with_parent`
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches this process only, which then stops all others
            )

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        code = self._process.poll()
        if code is not None and self._end is None:
            self._end = time.monotonic()
            self._close_input()
        return code

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return (self._end or time.monotonic()) - self._start

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / ERRORS).read_text(encoding="utf-8", errors="replace")

    @property
    def last_error(self) -> str:
        """The last line that it wrote to standard error, in short."""
        lines = [line for line in self.errors.splitlines() if line.strip()]
        return ESCAPE_CODES.sub("", lines[-1]).strip()[:120] if lines else ""

    def stop(self) -> None:
        """End the process and all that it has started."""
        for way in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, way)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
                break
        self._close_input()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


def command(request: RunRequest, seed: int, folder: Path) -> list[str]:
    """Return the command of a run."""
    parts = [sys.executable, "-m", "pipeline.watch", "--seed", str(seed), "--into", str(folder)]
    parts += ["--learned", json.dumps(request.learned)] if request.learned is not None else []
    parts += [part for name in request.remedies for part in ("--remedy", name)] + ["--fit", str(request.fit + 1)]
    parts += ["--checks"] if request.has_checks and seed == 0 else []  # the result is the same for all seeds
    return [*parts, str(request.script), *request.arguments]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_megabytes() -> float:
    """Return the memory that is free for further processes; infinite if the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable"))
    return float("inf")


def _environment(seed: int, at_once: int) -> dict[str, str]:
    here = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    # No windows, in which a plot at the end of the script would wait to be closed.
    usual = {"MPLBACKEND": "Agg"}
    if at_once > 1:
        usual |= dict.fromkeys(THREADS, str(max(1, usable_cores() // at_once)))
    return {**usual, **os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": str(seed), VARIABLE: "1"}
