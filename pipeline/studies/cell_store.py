"""Store the finished cells of studies: one folder per cell, named by a hash of everything that its result depends on.

The store is not an output of a stage, because DVC deletes outputs before a stage runs. It lies under the repository's
root, so that DVC's experiments share it, although they run in temporary folders.
"""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import root, save_bytes, save_json
from pipeline.foundations.formats import load_arrays, load_npz
from pipeline.history.files import PREDICTIONS, PRETRAINING, load_whole
from pipeline.params.file import Plain
from pipeline.training.common.train_replicas import Trained

CELLS = Path("cells")
HISTORY = "history.nc"


def folder(key: str) -> Path:
    """Return the folder of a cell, finished or not."""
    return root() / CELLS / key[:16]


def holds(key: str) -> bool:
    """Return whether the cell is finished and can be read; a damaged cell counts as missing."""
    try:
        load(key)
    except UserError:
        return False
    return True


def save(key: str, recipe: Mapping[str, Plain], files: Mapping[str, bytes]) -> None:
    """Write a finished cell.

    Args:
        recipe: the cell's parameters, for people who read the folder, whose name is only a hash.
        files: the content of each file, by file name. The history is written last: it marks the cell as finished.
    """
    save_json(recipe, folder(key) / "recipe.json")
    for name in sorted(files, key=lambda name: name == HISTORY):
        save_bytes(files[name], folder(key) / name)


def load(key: str) -> xr.Dataset:
    """Read a finished cell's history.

    Raises:
        UserError: the file is missing, damaged, or has other dimensions.
    """
    return load_whole(folder(key) / HISTORY)


def load_replica(key: str) -> Trained:
    """Read a finished replica of a network.

    Raises:
        UserError: a file is missing, damaged, or has other dimensions.
    """
    predictions = load_arrays(folder(key) / "predictions.nc", PREDICTIONS)
    weights = load_npz(folder(key) / "weights.npz", "the weights of a replica")
    return Trained(load(key), weights, predictions, None)


def load_pretraining(key: str) -> xr.Dataset | None:
    """Read the history of a finished cell's pre-training; None if there was none.

    Raises:
        UserError: the file is damaged or has other dimensions.
    """
    path = folder(key) / "pretraining.nc"
    return load_arrays(path, PRETRAINING) if path.exists() else None
