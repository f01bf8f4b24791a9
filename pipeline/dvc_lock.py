"""Keep the last whole dvc.lock, and restore it where a kill or Ctrl-C cut the file while DVC wrote it.

DVC writes its lock in place after each stage, so an interruption leaves the beginning of the file. DVC rejects some of
these beginnings, and takes others for whole, without the stages that were cut off. `make repro` and `make studies` copy
each lock to FOLDER: when they start, whenever a stage begins, and when DVC has ended well. They restore the copy where

* DVC would reject the lock, or
* the last run was interrupted (the file MARK is there) and the lock has only the first of the copy's stages.

The user's own locks stay: one that is as git has it, one in a merge conflict, one that was removed, and one from which
a variant was taken on purpose. The replaced file stays beside the copy. Of two runs at once, only the first does this.

**A restored lock never makes DVC skip a stage wrongly.** Each entry of a lock is one finished run of a stage: hashes of
its command, parameters, dependencies and outputs. DVC skips the stage only if all of them are those of today's files.
So an entry that is too old costs a rerun or a restore from DVC's cache. DVC ignores the entry of a stage that is gone.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.foundations.files import replacing

LOCKS: Final = (Path("dvc.lock"), Path("studies/dvc.lock"))
FOLDER: Final = Path(".dvc/tmp/whole_locks")
MARK: Final = FOLDER / "running"  # there while DVC runs, and after a run that was killed


class _Stage(BaseModel):
    """What DVC wants of a stage, and what it writes of each file."""

    cmd: str | list[str]
    deps: list[dict[str, str | int | bool]] = []
    params: dict[str, dict[str, object]] = {}
    outs: list[dict[str, str | int | bool]] = []


class _Lock(BaseModel):
    version: Literal["2.0"] = Field(alias="schema")
    stages: dict[str, _Stage]


@contextmanager
def kept_whole() -> Iterator[Callable[[], None]]:
    """Restore what an interruption cut, before the context and after it. DVC may run within.

    Yields:
        A function that copies the locks. Call it while DVC writes neither, as when a stage has just begun.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    only = FileLock(FOLDER / "one_run.lock")
    try:
        only.acquire(blocking=False)
    except Timeout:  # the other run sees to it
        yield lambda: None
        return
    with only:
        _restore(was_interrupted=MARK.exists())
        MARK.touch()
        try:
            yield _keep
        except SystemExit:  # DVC has ended, by Ctrl-C or with an error
            _restore(was_interrupted=True)
            MARK.unlink()
            raise
        _restore(was_interrupted=False)
        MARK.unlink()


def _restore(was_interrupted: bool) -> None:
    """Restore each lock that was cut, and copy each that is whole."""
    for lock in LOCKS:
        copy = FOLDER / lock
        content, kept = _content(lock), _content(copy)
        if not _is_cut(content, kept, was_interrupted):
            _write(content, copy)
        elif (kept is not None or was_interrupted) and not _is_as_git_has_it(lock):
            aside = copy.with_suffix(".cut")
            _write(content, aside)
            _write(kept, lock)
            how = "removed, for there was none before" if kept is None else "restored as it was before"
            print(f"{lock}: an interruption cut it short: {how}; the cut file is {aside}", file=sys.stderr)


def _keep() -> None:
    """Copy each lock that is whole."""
    for lock in LOCKS:
        content, kept = _content(lock), _content(FOLDER / lock)
        if not _is_cut(content, kept, was_interrupted=True):
            _write(content, FOLDER / lock)


def _is_cut(content: bytes | None, kept: bytes | None, was_interrupted: bool) -> bool:
    """Whether only the beginning of a lock is left.

    Args:
        content: of the lock, None where there is none. kept: of its copy.
    """
    if content is None or content == kept:
        return False
    stages = _stages(content)
    if stages is None:
        return True
    before = (_stages(kept) if kept else None) or []
    return was_interrupted and len(stages) < len(before) and stages == before[: len(stages)]


def _stages(content: bytes) -> list[str] | None:
    """Return the names of a lock's stages in order. None where DVC rejects it, it is empty or its last line is cut."""
    if not content.endswith(b"\n"):
        return None
    try:
        return list(_Lock.model_validate(YAML(typ="safe").load(content)).stages)
    except (ValidationError, YAMLError, UnicodeDecodeError):
        return None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(content: bytes | None, path: Path) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif content != _content(path):
        with replacing(path) as temporary:
            temporary.write_bytes(content)


def _is_as_git_has_it(lock: Path) -> bool:
    """Whether the lock is git's own version, as after a checkout, or in a merge conflict. False outside git."""
    try:
        status = subprocess.run(
            ["git", "status", "--porcelain", "--", lock], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return not status or status[1] not in "M?"
