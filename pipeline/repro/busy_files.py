"""Remove DVC's list of busy files if no process that it names still runs.

DVC lists in FILE which process uses which file. A killed DVC leaves its entries. The next DVC ignores them only if no
process has the number. But the number may be another process's by now, as after the restart of a container, or the
killed process may still be a zombie, because its parent does not ask for its exit code. Then every file would stay
busy. A kill can also cut the list off, and DVC rejects what is left.
"""

import json
from pathlib import Path
from typing import Final

import psutil

FILE: Final = Path(".dvc/tmp/rwlock")


def remove_if_abandoned() -> None:
    """Remove the list unless a process that it names still runs."""
    try:
        written = FILE.stat().st_mtime
        numbers = _processes(FILE.read_bytes())
    except OSError:
        return
    if not any(_is_running(number, written) for number in numbers):
        FILE.unlink(missing_ok=True)


def _processes(content: bytes) -> set[int]:
    """Return the numbers of the processes; of a list that DVC would reject, none."""
    try:
        busy = json.loads(content)
        readers = [entry for entries in busy["read"].values() for entry in entries]
        return {int(entry["pid"]) for entry in [*readers, *busy["write"].values()]}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()


def _is_running(number: int, written: float) -> bool:
    """Return whether a process has this number, is older than the list and has not ended."""
    try:
        process = psutil.Process(number)
        # A process that is ending has no command line any more, shortly before it is a zombie.
        return process.create_time() <= written and bool(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's process, on macOS
        return True
