"""Note which files a script reads and writes: a kept run counts only while the files that it read are unchanged."""

import ast
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import source_from_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

State = tuple[int, int]  # size in bytes, and time of the last change in nanoseconds; (-1, -1) if there is no file
NO_FILE: Final = (-1, -1)
MOST_SEARCHED: Final = 5000  # files below the working folder; further ones are not looked at
LONGEST_NAME: Final = 200  # letters of a text in a script that may be the name of a file
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

    def __init__(self, named: Mapping[str, State], own: Path) -> None:
        self.own = f"{own.absolute()}{os.sep}"
        self.named: Mapping[str, State] = named
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
        if is_foreign(path) or path.startswith(self.own) or os.path.isdir(path):
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
def noting_files(own: Path, named: Mapping[str, State] = MappingProxyType({})) -> Iterator[FileLog]:
    """Note the files that the block uses.

    Args:
        own: the folder to which this package writes meanwhile.
        named: see `named_files`.
    """
    log = FileLog(named, own)
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
    named = {path: known for path, known in log.named.items() if path not in log.written | hidden}
    return FileUse(
        named | log.read,
        sorted(again | {each for each in hidden if UNIQUE not in each and not each.startswith(log.own)}),
    )


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
    return path.startswith(tuple(f"{folder}{os.sep}" for folder in (*_LIBRARIES, *_SYSTEM)))


def named_files(script: Path, folders: Sequence[Path]) -> dict[str, State]:
    """Return the states of existing files that a script names in its text, which C++ may open without Python.

    Args:
        folders: the folders that names are relative to. A folder that is named stands for all files below it.
    """
    try:
        nodes = ast.walk(ast.parse(script.read_bytes()))
    except (OSError, ValueError, SyntaxError):
        return {}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = [each for each in texts if 1 < len(each) < LONGEST_NAME and each.isprintable()]
    paths = {folder / name for folder in folders for name in names if name.strip("./\\")}
    files: dict[str, State] = {}
    for path in paths:
        if path.is_dir():
            files |= {each: state(each) for each in _changed_since(path, -1.0)}
        elif path.is_file():
            files[str(path.absolute())] = state(str(path))
    return {each: known for each, known in files.items() if not is_foreign(each)}


def _changed_since(folder: Path, start: float) -> Iterator[str]:
    count = 0
    for place, folders, names in os.walk(folder):
        if "pyvenv.cfg" in names:  # the libraries of a virtual environment
            folders.clear()
            continue
        folders[:] = [each for each in folders if not each.startswith(".") and each != "__pycache__"]
        for name in names:
            count += 1
            path = os.path.join(place, name)
            if count > MOST_SEARCHED:
                return
            if state(path)[1] > start * 1e9:
                yield path
