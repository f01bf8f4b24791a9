"""The store of finished cells of studies: a folder a cell, by the hash of all that its result depends on.

Not an output of a stage, for DVC deletes those before the stage runs; under the repository's root, so that DVC's
experiments, which run in temporary folders, share it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing, root, save_json
from pipeline.foundations.formats import load_arrays, load_npz
from pipeline.history.files import PREDICTIONS, PRETRAINING, load_whole
from pipeline.training.common.train_replicas import Trained

CELLS = Path("cells")
HISTORY = "history.nc"


def folder(key: str) -> Path:
    """Where the cell lies, finished or not."""
    return root() / CELLS / key[:16]


def holds(key: str) -> bool:
    """Whether the cell is finished and whole; a damaged one is as good as none."""
    try:
        load(key)
    except UserError:
        return False
    return True


def save(key: str, recipe: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """A finished cell; `recipe` is for people, who would see no name otherwise.

    Args:
        files: by name; the history comes last and makes the cell a finished one.
    """
    save_json(recipe, folder(key) / "recipe.json")
    for name in sorted(files, key=lambda name: name == HISTORY):
        with replacing(folder(key) / name) as temporary:
            temporary.write_bytes(files[name])


def load(key: str) -> xr.Dataset:
    """A finished cell's history.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    return load_whole(folder(key) / HISTORY)


def load_replica(key: str) -> Trained:
    """A finished replica of a network.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    predictions = load_arrays(folder(key) / "predictions.nc", PREDICTIONS)
    weights = load_npz(folder(key) / "weights.npz", "the weights of a replica")
    return Trained(load(key), weights, predictions, None)


def load_pretraining(key: str) -> xr.Dataset | None:
    """The history of a finished cell's pre-training, if there was any.

    Raises:
        UserError: damaged, or of another shape.
    """
    path = folder(key) / "pretraining.nc"
    return load_arrays(path, PRETRAINING) if path.exists() else None
