"""Keras models of single replicas, as `.keras` files whose bytes depend on nothing but the model."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts.files import reading, replacing
from pipeline.backend import keras
from pipeline.errors import UserError


def save_model(model: keras.Model, weights: dict[str, np.ndarray], path: Path) -> None:
    """Save `model` with `weights`, one value for the path of each of its variables.

    A `.keras` file holds the time at which it was saved and, as ids of shared objects, addresses in memory: the first
    is taken out, the others are numbered anew.

    Raises:
        UserError: the weights do not fit the model.
    """
    for variable in model.variables:
        value = weights.get(variable.path)
        if value is None or value.shape != tuple(variable.shape):
            found = "missing" if value is None else f"of shape {value.shape}"
            raise UserError(f"{path}: weights of {variable.path} are {found}: must be of shape {tuple(variable.shape)}")
        variable.assign(value)
    with replacing(path) as temporary:
        model.save(temporary)
        _make_reproducible(temporary)


def load_model(path: Path) -> keras.Model:
    """Raises: UserError: missing or damaged."""
    with reading(path, "a .keras file"):
        return keras.models.load_model(path)


def _make_reproducible(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(entries["metadata.json"])
    metadata.pop("date_saved", None)
    entries["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[int, int] = {}

    def renumbered(item: dict[str, Any]) -> dict[str, Any]:
        if "shared_object_id" in item:
            item["shared_object_id"] = numbers.setdefault(item["shared_object_id"], len(numbers) + 1)
        return item

    entries["config.json"] = json.dumps(json.loads(entries["config.json"], object_hook=renumbered)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
