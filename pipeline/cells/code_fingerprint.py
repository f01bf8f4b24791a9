"""What code a cell's result depends on: the modules that training imports, by their bytes.

But for `params`, which hands values on: these are in a cell's key themselves.
"""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# A test compares these with what training really imports.
DESCRIBED = ("models", "training")  # of described variants
OWN = (*DESCRIBED, "fit")  # of networks of the user's own
MODULES = (
    *("data/samples.py", "data/tasks.py", "history/record.py"),
    *("foundations/errors.py", "foundations/seeds.py", "foundations/tensorflow.py"),
)
# Files in those packages that cannot change a result: progress bar, check before training, versions, warm-up.
APART = tuple(f"training/{name}.py" for name in ("progress", "trainable", "versions", "warm_up"))


def files(packages: tuple[str, ...] = DESCRIBED) -> list[Path]:
    """All of them, relative to the package."""
    modules = (path.relative_to(PACKAGE) for name in packages for path in (PACKAGE / name).rglob("*.py"))
    return sorted({*modules, *map(Path, MODULES)} - set(map(Path, APART)))


@cache
def fingerprint(packages: tuple[str, ...] = DESCRIBED) -> str:
    """SHA-256 of names and bytes, of this process's own copy; taken once, for what is imported stays what it is."""
    total = hashlib.sha256()
    for path in files(packages):
        total.update(path.as_posix().encode() + hashlib.sha256((PACKAGE / path).read_bytes()).digest())
    return total.hexdigest()
