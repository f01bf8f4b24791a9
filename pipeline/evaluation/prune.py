"""Remove the outputs of variants that are no longer in params.yaml, so that nobody takes them for current results."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.evaluation import files as evaluations
from pipeline.foundations.files import replacing
from pipeline.history import files as runs

LOCK = Path("dvc.lock")


def prune(variants: Iterable[str]) -> list[str]:
    """Remove the outputs of variants that are not in params.yaml, and their entries in dvc.lock.

    DVC's cache keeps the outputs.

    Args:
        variants: the variants of params.yaml, whose outputs stay.

    Returns:
        The names of the removed variants.
    """
    folders = (*runs.RUNS.glob("*/"), *evaluations.EVALUATIONS.glob("*/"))
    names = {*(path.name for path in folders), *(path.stem for path in evaluations.METRICS.glob("*.json"))}
    others = sorted(names - set(variants))
    for name in others:
        for folder in (runs.folder(name), evaluations.folder(name)):
            shutil.rmtree(folder, ignore_errors=True)
        evaluations.metrics_path(name).unlink(missing_ok=True)
    if others:
        _remove_stages(
            {f"{stage}@{name}" for stage in ("train", "evaluate", "fit", "evaluate_network") for name in others}
        )
    return others


def _remove_stages(stages: set[str]) -> None:
    """Remove stages from dvc.lock, because DVC does not. A kill leaves either the old file or the new one.

    A damaged lock is left as it is: DVC reports it, and `make repro` restores it.
    """
    from dvc.utils.serialize import modify_yaml  # here, because it is rarely needed and takes a second to import

    if not LOCK.is_file():
        return
    try:
        with replacing(LOCK) as temporary:
            shutil.copyfile(LOCK, temporary)
            with modify_yaml(temporary) as document:
                for stage in stages:
                    document["stages"].pop(stage, None)
    except OSError:
        raise
    except Exception:  # DVC and its parser raise many types
        return
