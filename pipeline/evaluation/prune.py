"""Remove the outputs of what params.yaml no longer has, so that none of them passes for a result."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.evaluation import files as evaluations
from pipeline.foundations.files import replacing
from pipeline.history import files as runs

LOCK = Path("dvc.lock")


def prune(variants: Iterable[str]) -> list[str]:
    """Remove the outputs of all other variants, and what DVC's lock says of them; DVC's cache keeps the outputs.

    Returns:
        The names of those that were removed.
    """
    folders = (*runs.RUNS.glob("*/"), *evaluations.EVALUATIONS.glob("*/"))
    found = {*(path.name for path in folders), *(path.stem for path in evaluations.METRICS.glob("*.json"))}
    gone = sorted(found - set(variants))
    for name in gone:
        for folder in (runs.folder(name), evaluations.folder(name)):
            shutil.rmtree(folder, ignore_errors=True)
        evaluations.metrics_path(name).unlink(missing_ok=True)
    if gone:
        _forget({f"{stage}@{name}" for stage in ("train", "evaluate", "fit", "evaluate_network") for name in gone})
    return gone


def _forget(stages: set[str]) -> None:
    """Take stages out of DVC's lock, which DVC itself never does; as a whole, for a kill could cut it."""
    from dvc.utils.serialize import modify_yaml  # here, for it is seldom needed and takes a second to import

    if LOCK.is_file():
        with replacing(LOCK) as temporary:
            shutil.copyfile(LOCK, temporary)
            with modify_yaml(temporary) as document:
                for stage in stages:
                    document["stages"].pop(stage, None)
