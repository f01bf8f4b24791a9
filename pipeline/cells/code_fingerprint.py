"""What code a cell's result depends on: the modules that training imports, by their bytes.

But for `params`, which hands values on: these are in a cell's key themselves.
"""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# A test compares these with what training really imports.
PACKAGES = ("models", "training")
MODULES = (
    *("data/samples.py", "data/tasks.py", "history/record.py"),
    *("foundations/errors.py", "foundations/seeds.py", "foundations/tensorflow.py"),
)
# Files in those packages that cannot change a result: progress bar, check before training, versions.
APART = tuple(f"training/{name}.py" for name in ("progress", "trainable", "versions"))
FIT = "training/fit"  # of networks of the user's own alone


def files(with_fit: bool = False) -> list[Path]:
    """All of them, relative to the package.

    Args:
        with_fit: whether a network of the user's own is trained.
    """
    modules = {path.relative_to(PACKAGE) for name in PACKAGES for path in (PACKAGE / name).rglob("*.py")}
    left_out = {path for path in modules if path.is_relative_to(FIT) and not with_fit}
    return sorted({*modules, *map(Path, MODULES)} - {*map(Path, APART), *left_out})


@cache
def fingerprint(with_fit: bool = False) -> str:
    """SHA-256 of names and bytes, of this process's own copy; taken once, for what is imported stays what it is."""
    total = hashlib.sha256()
    for path in files(with_fit):
        total.update(path.as_posix().encode() + hashlib.sha256((PACKAGE / path).read_bytes()).digest())
    return total.hexdigest()
