"""What all artifacts share: written under another name and moved into place, read with one line for every fault."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.foundations.errors import UserError


def root() -> Path:
    """The repository's root: DVC's experiments run in temporary workspaces and name their parent in DVC_ROOT."""
    return Path(os.environ.get("DVC_ROOT") or ".").resolve()


@contextmanager
def temporary_folder(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """A folder that is removed at the end, also on an error, Ctrl-C or SIGTERM.

    Args:
        place: where; in the system's folder of temporary files by default.
    """
    with _unwinding_on_sigterm():
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit, so that what stands open is cleaned up; where nobody else handles the signal."""
    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if is_ours:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, same suffix, which takes its place at the end and vanishes on any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(".writing-", path.parent) as folder:
        temporary = folder / path.name
        yield temporary
        os.replace(temporary, path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder as a whole: nothing of what it held before is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(".writing-", path.parent) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        if path.exists():  # a folder that is not empty cannot be replaced in one step
            os.replace(path, folder / "before")
        os.replace(temporary, path)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn every way in which reading `path` can fail into one line.

    Args:
        what: what the file must hold, for the message.

    Raises:
        UserError: the file is missing, truncated or not of the format.
    """
    if not path.is_file():
        raise UserError(f"{path}: not found: `dvc repro` makes it")
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the readers of three libraries fail in their own ways on damaged bytes
        reason = str(error).strip().splitlines()
        found = reason[0] if reason else type(error).__name__
        raise UserError(f"{path}: damaged ({found}): must be {what}; `dvc repro` makes it anew") from None


def save_json(value: Any, path: Path) -> None:
    """Keys keep the order of `value`. NaN is refused, for JSON has none."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def load_json(path: Path) -> Any:
    """Raises: UserError: missing or damaged."""
    with reading(path, "JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def save_text(text: str, path: Path) -> None:
    """UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
