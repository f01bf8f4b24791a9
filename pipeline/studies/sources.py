"""What code a cell's result depends on: the modules that training imports, by their bytes.

But for `params`, which hands values on: these are in a cell's key themselves.
"""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# A test compares these with what training really imports.
ROOMS = ("model", "probes", "records", "training")
MODULES = ("backend.py", "foundations/errors.py", "randomness.py")
# In those rooms, and without an effect on a result: a bar, and what refuses before a training.
APART = ("training/progress.py", "training/trainable.py")


def files() -> list[Path]:
    """All of them, relative to the package."""
    rooms = (path.relative_to(PACKAGE) for room in ROOMS for path in (PACKAGE / room).rglob("*.py"))
    return sorted({*rooms, *map(Path, MODULES)} - set(map(Path, APART)))


@cache
def fingerprint() -> str:
    """SHA-256 of names and bytes, of this process's own copy; taken once, for what is imported stays what it is."""
    total = hashlib.sha256()
    for path in files():
        total.update(path.as_posix().encode() + hashlib.sha256((PACKAGE / path).read_bytes()).digest())
    return total.hexdigest()
