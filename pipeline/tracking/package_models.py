"""Package Keras models in a subprocess, which reads {variant: {folder: replica, ...}, ...} as JSON from stdin."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline.data.sources import is_file
from pipeline.data.split.samples import InputColumn, Origin
from pipeline.foundations.errors import reported_in_one_line
from pipeline.foundations.files import temporary_folder
from pipeline.foundations.tensorflow import keras
from pipeline.history.files import load_recipe
from pipeline.history.recipe import Recipe
from pipeline.models.preprocessing import input_names, missing_text
from pipeline.params.network_params import FILE, NetworkRecipe, file
from pipeline.tracking import store  # noqa: F401 -- sets MLflow's environment before MLflow is imported
from pipeline.tracking.answer import answer
from pipeline.training.networks.trained_model import replica_models, save_model

import mlflow.pyfunc  # isort: skip
from mlflow.models import Model, ModelSignature  # isort: skip
from mlflow.models.model import MLMODEL_FILE_NAME  # isort: skip
from mlflow.types import ColSpec, Schema, TensorSpec  # isort: skip
from mlflow.types.schema import AnyType  # isort: skip

# Stated here, because MLflow would need 9 s for each model to infer them.
REQUIREMENTS = [f"{package}=={version(package)}" for package in ("tensorflow", "keras", "numpy")]
RAW_ROWS = Path(__file__).with_name("raw_rows.py")


@dataclass(frozen=True)
class Code:
    """A user's own code that a model needs.

    folder: the folder with the code.
    classes: the module of each class, by the class's name.
    """

    folder: Path
    classes: Mapping[str, str]

    @property
    def paths(self) -> list[str]:
        """The files and folders to package."""
        return sorted(str(path) for path in self.folder.iterdir() if path.name != "__pycache__")


def package(model: keras.Model, origin: Origin, folder: Path, code: Code | None = None) -> None:
    """Package a model, with a signature that describes its inputs (raw rows) and its answer.

    Args:
        code: the user's own code, or None if the model has no classes from it.
    """
    outputs = Schema([ColSpec(type_, name) for name, type_ in answer(origin.task).items()])
    if len(origin.shape) > 1:
        inputs = Schema([TensorSpec(np.dtype(np.float32), (-1, *origin.shape))])
    else:
        inputs = Schema([_input_type(column, origin) for column in origin.columns])
    _package(model, origin, ModelSignature(inputs, outputs), folder, code)


def code_of(name: str, recipe: Recipe) -> Code | None:
    """Return the code that a user's own network needs, or None if the network uses no classes of the user."""
    if not isinstance(recipe.variant, NetworkRecipe):
        return None
    from pipeline.training.networks.builder import build  # here, because variants of params.yaml do not need it

    classes = build(name, recipe.variant, recipe.shape, recipe.task).classes
    main = f"network_{name}"  # the builder's name for the network's own file
    modules = {each: class_.__module__ for each, class_ in classes.items()}
    modules = {each: FILE[:-3] if module == main else module for each, module in modules.items()}
    return Code(file(name).parent, modules) if modules else None


def _package(model: keras.Model, origin: Origin, signature: ModelSignature, folder: Path, code: Code | None) -> None:
    """Write a package that contains `raw_rows.py` as its script and the Keras model as MLflow's Keras flavor.

    The flavor is for users who want the Keras model itself. The script is needed because MLflow's own code would give
    the model one array instead of a map of columns, would not know the user's classes, and would return numbers without
    names. The package contains no pickle.
    """
    columns = [
        {
            "name": column.name,
            "input": name,
            "kind": column.kind,
            "optional": column.fill is not None,
            "missing": missing_text(column),
        }
        for name, column in zip(input_names(origin), origin.columns, strict=True)
    ]
    with temporary_folder("model-") as temporary:
        path = temporary / "model.keras"
        save_model(model, path)
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(RAW_ROWS),
            artifacts={"model": str(path)},
            model_config={
                "columns": columns,
                "code": {} if code is None else dict(code.classes),
                "answer": list(answer(origin.task)),
                "classes": list(origin.task.names) if origin.task.is_classification else [],
            },
            code_paths=None if code is None else code.paths,
            signature=signature,
            pip_requirements=[*REQUIREMENTS, f"pandas=={version('pandas')}"],
        )
    saved = Model.load(str(folder))
    flavor = saved.flavors["python_function"]  # without the paths of this machine
    flavor["model_code_path"], flavor["artifacts"]["model"]["uri"] = RAW_ROWS.name, path.name
    saved.add_flavor(
        "keras",
        data=str(Path(flavor["artifacts"]["model"]["path"]).parent),
        save_exported_model=False,
        keras_version=keras.__version__,
        keras_backend=keras.backend.backend(),
    )
    saved.save(str(folder / MLMODEL_FILE_NAME))


def _input_type(column: InputColumn, origin: Origin) -> ColSpec:
    """Return the type that MLflow checks a column for, or AnyType where that check would reject or change valid values.

    MLflow rejects whole numbers in a column of doubles, which files may have, and reads missing booleans as false.
    """
    optional = column.fill is not None
    if column.kind == "category":
        return ColSpec("string", column.name, required=not optional)
    if column.kind == "boolean" and not optional:
        return ColSpec("boolean", column.name)
    return ColSpec(AnyType() if is_file(origin.data) else "double", column.name, required=not optional)


if __name__ == "__main__":
    with reported_in_one_line():
        for variant, replicas in json.load(sys.stdin).items():
            recipe = load_recipe(variant)
            code = code_of(variant, recipe)
            for folder, model in zip(replicas, replica_models(variant, list(replicas.values())), strict=True):
                package(model, recipe, Path(folder), code)
    os._exit(0)  # TensorFlow would take more than a second to shut down while the publisher waits
