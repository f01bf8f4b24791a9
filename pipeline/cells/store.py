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
from pipeline.foundations.formats import load_arrays
from pipeline.history.files import PRETRAINING
from pipeline.history.record import OPTIONAL, REQUIRED

CELLS = Path("cells")
HISTORIES = ("pretraining", "history")  # in the order in which they are written


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


def save(key: str, recipe: dict[str, Any], histories: Mapping[str, bytes]) -> None:
    """A finished cell; `recipe` is for people, who would see no name otherwise.

    Args:
        histories: the files of `HISTORIES` that there are, by name. The last one makes the cell a finished one.
    """
    save_json(recipe, folder(key) / "recipe.json")
    for name in HISTORIES:
        if name in histories:
            with replacing(folder(key) / f"{name}.nc") as temporary:
                temporary.write_bytes(histories[name])


def load(key: str) -> xr.Dataset:
    """A finished cell's history.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    return load_arrays(folder(key) / "history.nc", REQUIRED, OPTIONAL)


def load_pretraining(key: str) -> xr.Dataset | None:
    """The history of a finished cell's pre-training, if there was any.

    Raises:
        UserError: damaged, or of another shape.
    """
    path = folder(key) / "pretraining.nc"
    return load_arrays(path, PRETRAINING) if path.exists() else None
