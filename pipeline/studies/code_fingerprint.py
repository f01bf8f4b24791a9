"""Hash the code that a cell's result depends on: the modules that training imports.

`params` is left out because it only passes values on, and these are in a cell's key. Errors and the writing of files
are left out as in dvc.yaml.
"""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# A test compares these lists with what training imports.
OF_VARIANTS = ("models", "training/common", "training/compiled", "training/stacked")
OF_NETWORKS = (*OF_VARIANTS, "recorder", "training/networks")
OF_REMEDIES = (*OF_NETWORKS, "remedies")
MODULES = (
    *("data/split/samples.py", "data/split/tasks.py", "history/record.py", "history/recorded_epochs.py"),
    *("history/scales.py", "foundations/seeds.py", "foundations/tensorflow.py"),
)
# Files in those packages that cannot change a result: progress bars, checks before training, versions, export.
WITHOUT_EFFECT = (
    *(f"training/common/{name}.py" for name in ("progress_bars", "trainable", "versions", "warm_up")),
    *("training/networks/trained_model.py", "remedies/combined.py", "remedies/measured.py"),
    "remedies/recipe_changes.py",
)


def files(packages: tuple[str, ...] = OF_VARIANTS) -> list[Path]:
    """Return the files that a result depends on, relative to the package.

    Args:
        packages: OF_VARIANTS, OF_NETWORKS, or OF_REMEDIES for a network with a remedy.
    """
    modules = {path.relative_to(PACKAGE) for name in packages for path in (PACKAGE / name).rglob("*.py")}
    return sorted({*modules, *map(Path, MODULES)} - {*map(Path, WITHOUT_EFFECT)})


@cache
def fingerprint(packages: tuple[str, ...] = OF_VARIANTS) -> str:
    """Return the SHA-256 of the names and bytes of these files; taken once, because imported code does not change."""
    total = hashlib.sha256()
    for path in files(packages):
        total.update(path.as_posix().encode() + hashlib.sha256((PACKAGE / path).read_bytes()).digest())
    return total.hexdigest()
