"""Note which files a script reads and writes: a kept run counts only while the files that it read are unchanged."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import source_from_cache
from pathlib import Path
from typing import Final

State = tuple[int, int]  # size in bytes, and time of the last change in nanoseconds; (-1, -1) if there is no file
NO_FILE: Final = (-1, -1)
MOST_SEARCHED: Final = 5000  # files below the working folder; further ones are not looked at
UNIQUE: Final = "events.out.tfevents"  # in names of TensorBoard's files, which no two runs share
# Files of Python and its libraries, which other parts of a run's key stand for; and files of the system.
_LIBRARIES = tuple(
    {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    | {sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2])}
)
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr")


@dataclass(frozen=True)
class FileUse:
    """The files that a script used.

    read: each file that it read and did not write before, and the file's state at that time.
    shared: files that it wrote and also read, or wrote without Python's knowledge; two runs at once would mix them up.
    """

    read: Mapping[str, State] = field(default_factory=dict)
    shared: Sequence[str] = ()


class FileLog:
    """Notes each file that Python opens; files that C++ opens are found by the time of their last change."""

    def __init__(self) -> None:
        self.read: dict[str, State] = {}
        self.written: set[str] = set()
        self.read_again: set[str] = set()
        self.is_on = False

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note an audit event of Python."""
        if not self.is_on or event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.endswith(".pyc"):  # an imported module, whose source Python does not open
            with suppress(ValueError):
                path = source_from_cache(path)
        if is_foreign(path):
            return
        if _is_writing(arguments[1], arguments[2]):
            self.written.add(path)
        elif path in self.written:
            self.read_again.add(path)
        else:
            self.read.setdefault(path, state(path))


_LOGS: list[FileLog] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    for log in _LOGS:
        log.note(event, arguments)


@contextmanager
def noting_files() -> Iterator[FileLog]:
    """Note the files that the block uses."""
    log = FileLog()
    if not _LOGS:  # Python cannot remove a hook
        sys.addaudithook(_note)
    _LOGS.append(log)
    log.is_on = True
    try:
        yield log
    finally:
        log.is_on = False


def use(log: FileLog, folders: Sequence[Path], start: float) -> FileUse:
    """Return the files that a block used.

    Args:
        folders: where to look for files that C++ wrote.
        start: when the block began, in seconds since 1970.
    """
    hidden = {each for folder in folders for each in _changed_since(folder, start)} - log.written
    temporary = tempfile.gettempdir() + os.sep
    inside = tuple(f"{folder}{os.sep}" for folder in folders)
    again = {each for each in log.read_again if each.startswith(inside) or not each.startswith(temporary)}
    return FileUse(log.read, sorted(again | {each for each in hidden if UNIQUE not in each}))


def state(path: str) -> State:
    """Return a file's state; a folder's time changes with the names in it."""
    try:
        info = os.stat(path)
    except OSError:
        return NO_FILE
    return info.st_size, info.st_mtime_ns


def _is_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def is_foreign(path: str) -> bool:
    """Return whether a file belongs to Python, a library, this package or the system."""
    return path.startswith((*_LIBRARIES, *_SYSTEM))


def _changed_since(folder: Path, start: float) -> Iterator[str]:
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".") and each != "__pycache__"]
        for name in names:
            count += 1
            path = os.path.join(place, name)
            if count > MOST_SEARCHED:
                return
            if state(path)[1] > start * 1e9:
                yield path
