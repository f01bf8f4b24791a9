"""Hash the code that a cell's result depends on: the modules that training imports.

`params` is left out because a cell's key contains the values that it passes on. The modules for errors and for files
are left out as in dvc.yaml.
"""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# Patterns of files; a test compares them with the modules that training imports.
OF_VARIANTS = (
    *("data/split/samples.py", "data/split/tasks.py", "foundations/seeds.py", "foundations/tensorflow.py"),
    *("history/record.py", "history/recorded_epochs.py", "history/scales.py"),
    *("models/initial*.py", "models/keras_objects.py", "models/layout.py", "models/network.py"),
    *("models/preprocessing.py", "models/uniform.py"),
    *("training/common/*.py", "training/compiled/*.py", "training/stacked/*.py"),
)
OF_NETWORKS = (
    *(*OF_VARIANTS, "foundations/untyped.py", "history/thinning.py", "history/time_profiles.py"),
    *("models/*.py", "recorder/*.py", "training/networks/*.py"),
)
OF_REMEDIES = (*OF_NETWORKS, "remedies/on_keras/*.py", "remedies/remedy.py", "remedies/remedy_registry.py")
# Files of these patterns that cannot change a result: progress bars, checks before training, versions, export.
WITHOUT_EFFECT = (
    *(f"training/common/{name}.py" for name in ("progress_bars", "trainable", "versions", "warm_up")),
    "training/networks/trained_model.py",
)


def files(patterns: tuple[str, ...] = OF_VARIANTS) -> list[Path]:
    """Return the files that a result depends on, relative to the package.

    Args:
        patterns: OF_VARIANTS, OF_NETWORKS, or OF_REMEDIES for a network with a remedy.
    """
    matches = {path.relative_to(PACKAGE) for pattern in patterns for path in PACKAGE.glob(pattern)}
    return sorted(matches - {*map(Path, WITHOUT_EFFECT)})


@cache
def fingerprint(patterns: tuple[str, ...] = OF_VARIANTS) -> str:
    """Return the SHA-256 of the files' names and bytes; it is computed once, because imported code does not change."""
    digest = hashlib.sha256()
    for path in files(patterns):
        digest.update(path.as_posix().encode() + hashlib.sha256((PACKAGE / path).read_bytes()).digest())
    return digest.hexdigest()
