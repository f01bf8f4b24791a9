"""Run commands on bad inputs, each in a forked child, and judge how each ends.

A command must succeed, or end with exit code 1 and one to three lines on stderr that name the place. There is no
traceback. A command that fails changes no file; one that succeeds changes its outputs alone. No temporary file is left,
and nothing that the input brings is executed.
"""

import gc
import importlib
import os
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from preloaded import BEFORE, PLACE

SECONDS, LONGEST = 30, 600  # of the processor's time and of the clock; the machine may be busy
BYTES, LINES = 24 * 2**30, 3
# Stages that may run for very long, because a changed file may ask for it: after so many seconds this is a success.
LONG_SECONDS = 8
LONG = ("generate", "split", "train", "evaluate", "cells")
MODULES = {
    "check": "pipeline.check",
    "export": "pipeline.export",
    "tensorboard": "pipeline.tracking.tensorboard.open_tensorboard",
    "ui": "pipeline.tracking.ui.serve",
}
# What each command writes.
EVALUATED = ("evaluations/", "metrics/")
OUTPUTS = {
    "check": (),
    "generate": ("data/raw/",),
    "split": ("data/split/",),
    "reference": ("data/reference/",),
    "train": ("runs/",),
    "fit": ("runs/", "cells/"),
    "evaluate": EVALUATED,
    "compare": ("reports/", "runs/", *EVALUATED, "dvc.lock"),  # it removes outputs of variants that params.yaml lacks
    "cells": (),
    "study": ("studies/", "cells/"),
    "track": ("mlruns/", "runs/", *EVALUATED, "dvc.lock"),
    "track_study": ("mlruns/", "studies/"),
    "export": ("exported.keras",),
    "tensorboard": ("events/",),
    "ui": ("mlruns/",),
    "look": ("mlruns/", "progress/"),
    "read_events": (),
}
# Folders that a failing command may leave or complete: MLflow's store is a database, and what was published stays.
KEPT_WHEN_FAILING = ("mlruns/", "cells/", "progress/follower.lock")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    code: the exit code; None if it took too long and was ended.
    output: what it printed on stderr.
    printed: what it printed on stdout.
    """

    code: int | None
    output: str
    printed: str = ""


@dataclass
class Ground:
    """A folder with the results of a small study, in which commands run.

    folder: the folder, always at the same path, because MLflow's store has absolute paths.
    canaries: a folder in which each payload of a bad input would create a file.
    special: commands that are functions of this campaign, by name.
    """

    folder: Path
    canaries: Path
    special: Mapping[str, Callable[..., None]] = field(default_factory=dict)

    def command(self, name: str, *arguments: str, seconds: float = SECONDS) -> Ended:
        """Run a command."""
        output = self.folder.parent / "stderr"
        child = os.fork()
        if child == 0:
            self._become(name, arguments, output)
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return Ended(os.waitstatus_to_exitcode(status), *_texts(output))
            if _processor_seconds(child) > seconds:
                break
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return Ended(None, *_texts(output))

    def _become(self, name: str, arguments: tuple[str, ...], output: Path) -> None:
        """Run the command in this process; never return."""
        code = 1
        try:
            with open(output, "wb") as errors, output.with_name("stdout").open("wb") as printed:
                os.dup2(errors.fileno(), 2)
                os.dup2(printed.fileno(), 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            os.chdir(self.folder)
            sys.argv = [name, *arguments]
            if PLACE in os.environ:  # processes that a command starts are forked from one that has their imports
                sys.executable = f"{os.environ[PLACE]}/python3"
            module = MODULES.get(name, f"pipeline.stages.{name}")
            sys.modules.pop(module, None)  # otherwise runpy would warn
            try:
                if name in self.special:
                    self.special[name](*arguments)
                else:
                    runpy.run_module(module, run_name="__main__")
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
                if isinstance(ended.code, str):
                    print(ended.code, file=sys.stderr)
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def files(self) -> dict[str, tuple[int, int]]:
        """Return the time and the size of each file, by its path in the folder."""
        found = {}
        for place, _, names in os.walk(self.folder):
            for name in names:
                stat = os.lstat(path := os.path.join(place, name))
                found[os.path.relpath(path, self.folder)] = (stat.st_mtime_ns, stat.st_size)
        return found

    def restore(self, clean: Path, before: Mapping[str, tuple[int, int]]) -> None:
        """Make the folder as it is in `clean`, whose files are `before`."""
        now = self.files()
        for name in now:
            if name not in before:
                (self.folder / name).unlink()
        for name, stat in before.items():
            if now.get(name) != stat:
                path = self.folder / name
                if path.is_dir():
                    shutil.rmtree(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(clean / name, path)
        for place, _, _ in os.walk(self.folder, topdown=False):
            if not (clean / Path(place).relative_to(self.folder)).is_dir():
                shutil.rmtree(place)


def _texts(output: Path) -> tuple[str, str]:
    return output.read_text(errors="replace"), output.with_name("stdout").read_text(errors="replace")


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # not Linux, or it has just ended
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # its own and its children's


def offence(ground: Ground, command: Sequence[str], places: Sequence[str]) -> tuple[str | None, bool]:
    """Run a command; return what is wrong with how it ended (None if nothing is), and whether it did its work.

    Args:
        places: the texts of which a rejection must have one, because the user must find the place.
    """
    before = ground.files()
    ended = ground.command(*command, seconds=LONG_SECONDS if command[0] in LONG else SECONDS)
    after = ground.files()
    changed = sorted(path for path in {**before, **after} if before.get(path) != after.get(path))
    executed = sorted(path.name for path in ground.canaries.iterdir())
    for path in ground.canaries.iterdir():
        path.unlink()
    text = ended.output.replace(str(ground.folder), "").replace(str(ground.folder.parent), "")
    if executed:
        return f"executed: {', '.join(executed)}\n{text}", False
    if "Traceback (most recent" in ended.output + ended.printed:
        return text or ended.printed, False
    left = [path for path in changed if ".writing-" in path]
    if left and ended.code is not None:
        return f"left: {', '.join(left[:5])}\n{text}", False
    if ended.code is None:
        return (None if command[0] in LONG else f"not done within {SECONDS} s\n{text}"), False
    if ended.code < 0:
        return f"killed by signal {-ended.code}\n{text}", False
    allowed = OUTPUTS[command[0]] if ended.code == 0 else KEPT_WHEN_FAILING
    if command[0] in ("tensorboard", "ui"):  # which end in a line even if all is well; see `taken_port`
        allowed = (*allowed, *OUTPUTS[command[0]])
    others = [path for path in changed if not path.startswith(allowed or ("\0",))]
    if others:
        return f"files changed: {', '.join(others[:5])}\n{text}", False
    if ended.code == 0:
        return None, True
    lines = [line for line in ended.output.splitlines() if line.strip()]
    if not 1 <= len(lines) <= LINES:
        return f"{len(lines)} lines\n{text}", False
    if not any(place in ended.output for place in places):
        return f"names no place\n{text}", False
    return None, False


def import_what_commands_need() -> None:
    """Import the modules of the commands once for all children.

    TensorFlow is imported and not used, because a fork would lose its threads. Only children import the door to it,
    `foundations.tensorflow`, which starts them.
    """
    os.environ.update(BEFORE)
    with warnings.catch_warnings(), _silent():
        warnings.simplefilter("ignore")
        # Dask before the stages, which hide it only where it is not imported yet.
        for name in ("dask.array", "tensorflow", "keras", "matplotlib.backends.backend_agg", "pyarrow.pandas_compat"):
            importlib.import_module(name)
        for name in ("sklearn.datasets", "sklearn.ensemble", "sklearn.linear_model", "sklearn.preprocessing"):
            importlib.import_module(name)
        for name in ("generate", "split", "reference", "train", "evaluate", "compare", "track", "track_study"):
            importlib.import_module(f"pipeline.stages.{name}")
        for name in MODULES.values():
            if name != "pipeline.export":  # which imports that door
                importlib.import_module(name)
        importlib.import_module("pipeline.tracking.publish")
        importlib.import_module("pipeline.tracking.live_runs")
        importlib.import_module("pipeline.training.compiled.dense_trainer")
        importlib.import_module("pipeline.studies.work")
    gc.collect()
    gc.freeze()  # or each child copies memory when it looks for garbage
    assert "pipeline.foundations.tensorflow" not in sys.modules


@contextmanager
def _silent() -> Iterator[None]:
    """Hide what TensorFlow's C++ code writes to stderr."""
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


@contextmanager
def variables(**values: str) -> Iterator[None]:
    """Set variables of the environment within the context."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
