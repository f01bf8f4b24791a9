"""Write files atomically (under another name, then moved into place); report each unreadable file in one line."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pipeline.foundations.errors import UserError, first_line

PROGRAM: Final = "why-deep-networks-"  # before the prefix of a folder in the system's folder for temporary files


def root() -> Path:
    """Return the repository's root: DVC_ROOT in DVC's experiments, which run in temporary workspaces."""
    return Path(os.environ.get("DVC_ROOT") or ".").resolve()


@contextmanager
def temporary_folder(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """Yield a new folder and remove it at the end, also after an error, Ctrl-C or SIGTERM.

    After SIGKILL the folder stays. So a process locks its folder, and the next call removes all folders of this prefix
    without a lock.

    Args:
        place: the parent folder; the system's folder for temporary files by default.
    """
    if place is None:  # all programs share the system's folder
        place, prefix = Path(tempfile.gettempdir()), PROGRAM + prefix
    with unwinding_on_sigterm():
        _remove_leftovers(place, prefix)
        folder, lock = _new_folder(place, prefix)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _new_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Return a new folder and the descriptor that locks it; the kernel unlocks it when this process ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(BlockingIOError, FileNotFoundError):  # another process took it for a leftover
            lock = _lock(folder)
            if folder.exists():
                return folder, lock
            if lock is not None:
                os.close(lock)


def _remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove the folders that killed processes left."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # a living process locks it, another one removes it, or another user owns it
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder and return the descriptor; None if the system or the file system cannot lock folders.

    Raises:
        BlockingIOError: another process has locked it.
        FileNotFoundError: another process has removed it.
    """
    try:
        import fcntl  # here, because Windows lacks it
    except ModuleNotFoundError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that open contexts clean up; keep a handler that is already installed."""
    is_default = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if is_default:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        if is_default:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; at the end move the file there to `path`, or remove it after an error.

    Raises:
        OSError: the file cannot be written; the error names `path`.
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".writing-", path.parent) as folder:
            temporary = folder / path.name
            yield temporary
            os.replace(temporary, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of the operating system name `path`: it names a temporary file, or none if the disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None or ".writing-" in str(error.filename):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder; at the end move it to `path`, and remove the folder that was there. See `replacing`."""
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".writing-", path.parent) as folder:
            temporary = folder / path.name
            temporary.mkdir()
            yield temporary
            if path.exists():  # `os.replace` cannot overwrite a folder that is not empty
                os.replace(path, folder / "before")
            os.replace(temporary, path)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Report any failure to read `path` as a `UserError`.

    Args:
        what: what the file must hold, for the message.

    Raises:
        UserError: the file is missing, truncated or of another format.
    """
    if not path.is_file():
        raise UserError(f"{path}: not found: `dvc repro` makes it")
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # three libraries read these files, and each raises types of its own
        reason = f"damaged ({first_line(error)})"
        if isinstance(error, MemoryError) or "out of memory" in str(error):  # a damaged header may name any size, too
            reason = f"damaged, or too large for the free memory ({first_line(error)})"
        raise UserError(f"{path}: {reason}: must be {what}; `dvc repro` makes it again") from None


def save_json(value: Any, path: Path) -> None:
    """Write a value as JSON. Keys keep their order.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not have.
    """
    save_text(json.dumps(value, indent=2, allow_nan=False) + "\n", path)


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or damaged.
    """
    with reading(path, "JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def save_text(text: str, path: Path) -> None:
    """Write text as UTF-8."""
    save_bytes(text.encode(), path)


def save_bytes(content: bytes, path: Path) -> None:
    """Write bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
