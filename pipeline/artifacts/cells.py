"""The store of finished cells of studies: a folder a cell, by the hash of all that its result depends on.

Not an output of a stage, for DVC deletes those before the stage runs; under the repository's root, so that DVC's
experiments, which run in temporary folders, share it.
"""

from pathlib import Path
from typing import Any

import xarray as xr

from pipeline.artifacts.arrays import load_arrays
from pipeline.artifacts.files import replacing, root, save_json
from pipeline.artifacts.runs import HISTORY
from pipeline.errors import UserError

CELLS = Path("cells")


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


def save(key: str, recipe: dict[str, Any], history: bytes) -> None:
    """A finished cell; `recipe` is for people, who would see no name otherwise."""
    save_json(recipe, folder(key) / "recipe.json")
    with replacing(folder(key) / "history.nc") as temporary:
        temporary.write_bytes(history)


def load(key: str) -> xr.Dataset:
    """A finished cell's history.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    return load_arrays(folder(key) / "history.nc", HISTORY)
