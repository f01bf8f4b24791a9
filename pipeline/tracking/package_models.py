"""The subprocess that packages Keras models: its stdin is {variant: {folder: replica, ...}, ...} in JSON."""

import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline.export import replica_models
from pipeline.foundations.errors import reported_in_one_line
from pipeline.foundations.tensorflow import keras
from pipeline.history.files import load_recipe
from pipeline.tracking import store  # noqa: F401 -- sets MLflow's environment before MLflow is imported

import mlflow.keras  # isort: skip
from mlflow.models import Model, ModelSignature  # isort: skip
from mlflow.models.model import MLMODEL_FILE_NAME  # isort: skip
from mlflow.types import ColSpec, Schema, TensorSpec  # isort: skip

# Named, or MLflow spends 9 s a model on guessing them.
REQUIREMENTS = [f"{package}=={version(package)}" for package in ("tensorflow", "keras", "numpy")]


def package(model: keras.Model, columns: Sequence[str], folder: Path) -> None:
    """One model, with the signature of what it takes, a table with these columns, and of what it gives.

    `mlflow.keras.save_model` takes no signature with named columns, though the model that it saves takes tables.
    """
    mlflow.keras.save_model(model, str(folder), pip_requirements=REQUIREMENTS)
    saved = Model.load(str(folder))
    saved.signature = ModelSignature(
        Schema([ColSpec("double", name) for name in columns]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, *model.output_shape[1:]))]),
    )
    saved.save(str(folder / MLMODEL_FILE_NAME))


if __name__ == "__main__":
    with reported_in_one_line():
        for variant, replicas in json.load(sys.stdin).items():
            columns = [each.name for each in load_recipe(variant).columns]
            for folder, model in zip(replicas, replica_models(variant, list(replicas.values())), strict=True):
                package(model, columns, Path(folder))
    os._exit(0)  # TensorFlow takes more than a second to take itself down, and somebody waits
