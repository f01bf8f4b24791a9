"""Keep the last complete dvc.lock, and restore it if a kill or Ctrl-C truncated the file while DVC wrote it.

DVC overwrites its lock after each stage, so after an interruption only the beginning of the file may be left. DVC
rejects some of these beginnings; it accepts others as complete, and misses the stages that are cut off. Therefore
`make repro` and `make studies` copy each lock to FOLDER: when they start, whenever a stage begins, and when DVC has
succeeded. They restore the copy if

* DVC would reject the lock, or
* the last run was interrupted (the file MARK exists) and the lock has only the first of the copy's stages.

They leave the user's own changes alone: a lock as it is in git, a lock in a merge conflict, a removed lock, and a lock
from which the user took a variant. The truncated file is kept beside the copy. If two runs overlap, only the first
copies and restores locks.

**A restored lock never makes DVC skip a stage wrongly.** An entry of a lock describes one finished run of a stage by
the hashes of its command, parameters, dependencies and outputs. DVC skips the stage only if all hashes match today's
files. An outdated entry therefore costs a rerun or a restore from DVC's cache, and DVC ignores entries of stages that
no longer exist.

This module stands beside its only user and not in `foundations/`, because an edit there makes several stages stale.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field
from ruamel.yaml import YAML

from pipeline.foundations.files import save_bytes

LOCKS: Final = (Path("dvc.lock"), Path("studies/dvc.lock"))
FOLDER: Final = Path(".dvc/tmp/whole_locks")
MARK: Final = FOLDER / "running"  # exists while DVC runs, and after a run that was killed


class _Stage(BaseModel):
    """A stage's entry in a lock: the parts that DVC validates."""

    cmd: str | list[str]
    deps: list[dict[str, str | int | bool]] = []
    params: dict[str, dict[str, object]] = {}
    outs: list[dict[str, str | int | bool]] = []


class _Lock(BaseModel):
    version: Literal["2.0"] = Field(alias="schema")
    stages: dict[str, _Stage]


@contextmanager
def kept_whole() -> Iterator[Callable[[], None]]:
    """Restore truncated locks before and after the context, in which DVC runs.

    Yields:
        A function that copies the locks. Call it while DVC writes no lock, such as when a stage has just begun.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    one_run = FileLock(FOLDER / "one_run.lock")
    try:
        one_run.acquire(blocking=False)
    except Timeout:  # another run keeps the locks
        yield lambda: None
        return
    with one_run:
        _restore(was_interrupted=MARK.exists())
        MARK.touch()
        try:
            yield _copy_locks
        except SystemExit:  # DVC has ended, by Ctrl-C or with an error
            _restore(was_interrupted=True)
            MARK.unlink()
            raise
        _restore(was_interrupted=False)
        MARK.unlink()


def _restore(was_interrupted: bool) -> None:
    """Restore each truncated lock, and copy each complete one."""
    for lock in LOCKS:
        copy = FOLDER / lock
        content, backup = _content(lock), _content(copy)
        if not _is_truncated(content, backup, was_interrupted):
            _write(content, copy)
        elif (backup is not None or was_interrupted) and not _is_as_git_has_it(lock):
            truncated = copy.with_suffix(".cut")
            _write(content, truncated)
            _write(backup, lock)
            how = "removed, because there was none before" if backup is None else "restored from the last complete copy"
            print(f"{lock}: truncated by an interruption: {how}; the truncated file is {truncated}", file=sys.stderr)


def _copy_locks() -> None:
    """Copy each complete lock."""
    for lock in LOCKS:
        content, backup = _content(lock), _content(FOLDER / lock)
        if not _is_truncated(content, backup, was_interrupted=True):
            _write(content, FOLDER / lock)


def _is_truncated(content: bytes | None, backup: bytes | None, was_interrupted: bool) -> bool:
    """Return whether only the beginning of a lock is left.

    Args:
        content: the lock's bytes; None if there is no lock.
        backup: the bytes of its copy; None if there is no copy.
    """
    if content is None or content == backup:
        return False
    stages = _stages(content)
    if stages is None:
        return True
    before = (_stages(backup) if backup else None) or []
    return was_interrupted and len(stages) < len(before) and stages == before[: len(stages)]


def _stages(content: bytes) -> list[str] | None:
    """Return the stages of a lock, in order; None if DVC would reject it, or its last line is cut off or missing."""
    if not content.endswith(b"\n"):
        return None
    try:
        return list(_Lock.model_validate(YAML(typ="safe").load(content)).stages)
    except Exception:  # YAML's tags call converters, which raise many types, and deep lists end in a RecursionError
        return None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(content: bytes | None, path: Path) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif content != _content(path):
        save_bytes(content, path)


def _is_as_git_has_it(lock: Path) -> bool:
    """Return whether the lock equals the one in git, or is in a merge conflict; False outside git."""
    try:
        status = subprocess.run(
            # Without optional locks, because a killed git would leave its lock, and no later command could write.
            ["git", "--no-optional-locks", "status", "--porcelain", "--", lock],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return not status or status[1] not in "M?"
