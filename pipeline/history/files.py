"""Write and read the files of a variant's training: history, final weights, predictions and recipe."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, save_text
from pipeline.foundations.formats import load_arrays, load_npz, save_arrays, save_npz
from pipeline.history.agreement import expect_predictions, expect_trained, expect_whole
from pipeline.history.recipe import Recipe
from pipeline.history.record import OPTIONAL, REQUIRED
from pipeline.params.params import Params

RUNS = Path("runs")
WEIGHTS = "the weights of all replicas"
PRETRAINING = {"loss": ("replica", "layer", "pretraining_epoch")}
PREDICTIONS = {f"{part}_prediction": ("replica", f"{part}_sample", "output") for part in ("train", "test")}


def folder(variant: str) -> Path:
    """Return the folder of a variant's training."""
    return RUNS / variant


def history_path(variant: str) -> Path:
    """Return the file of the history (NetCDF)."""
    return folder(variant) / "history.nc"


def pretraining_path(variant: str) -> Path:
    """Return the file of the pre-training's history (NetCDF), which exists only if there was pre-training."""
    return folder(variant) / "pretraining.nc"


def predictions_path(variant: str) -> Path:
    """Return the file of the predictions (NetCDF)."""
    return folder(variant) / "predictions.nc"


def weights_path(variant: str) -> Path:
    """Return the file of all replicas' final weights (npz)."""
    return folder(variant) / "weights.npz"


def recipe_path(variant: str) -> Path:
    """Return the file of the recipe (JSON)."""
    return folder(variant) / "recipe.json"


def files(variant: str) -> list[Path]:
    """Return all files of the variant's training.

    Raises:
        UserError: there are no files.
    """
    paths = sorted(folder(variant).glob("*.*"))
    if not paths:
        raise UserError(f"{folder(variant)}: not found: `dvc repro` makes it")
    return paths


def save_run(variant: str, history: xr.Dataset, predictions: xr.Dataset, weights: dict[str, np.ndarray]) -> None:
    """Write the history, predictions and weights of all replicas."""
    save_arrays(history, history_path(variant))
    save_arrays(predictions, predictions_path(variant))
    save_npz(weights, weights_path(variant))


def save_pretraining(variant: str, pretraining: xr.Dataset | None) -> None:
    """Write the pre-training's history; if there is none, remove the file of an earlier training."""
    if pretraining is None:
        pretraining_path(variant).unlink(missing_ok=True)
    else:
        save_arrays(pretraining, pretraining_path(variant))


def save_recipe(variant: str, recipe: Recipe) -> None:
    """Write the recipe as JSON."""
    save_text(recipe.model_dump_json(indent=2) + "\n", recipe_path(variant))


def load_recipe(variant: str) -> Recipe:
    """Read the recipe of the variant's training.

    Raises:
        UserError: the file is missing, damaged or of an earlier version.
    """
    if not folder(variant).is_dir():
        raise UserError(f"{folder(variant)}: not found: `dvc repro` makes it, if params.yaml has a variant {variant}")
    with reading(recipe_path(variant), "a recipe as `train` writes it"):
        return Recipe.model_validate_json(recipe_path(variant).read_bytes())


def expect_recipe(variant: str, params: Params) -> None:
    """Check that the variant was trained with today's parameters.

    Args:
        params: params.yaml as it is now.

    Raises:
        UserError: the variant was trained with other parameters.
    """
    recipe = load_recipe(variant).model_dump(mode="json")
    changed = [key for key, value in params.trained_with(variant).items() if recipe[key] != value]
    if changed:
        raise UserError(
            f"{folder(variant)}: trained with other parameters ({', '.join(changed)}) than params.yaml says now: run "
            "`dvc repro` first"
        )


def versions(variants: Iterable[str]) -> dict[str, list[str]]:
    """Return for each package all versions with which the variants were trained.

    Raises:
        UserError: a recipe is missing or damaged.
    """
    by_package: dict[str, set[str]] = {}
    for variant in variants:
        for name, version in load_recipe(variant).versions.items():
            by_package.setdefault(name, set()).add(version)
    return {name: sorted(each) for name, each in by_package.items()}


def load_history(variant: str) -> xr.Dataset:
    """Read and check a variant's history; see `load_whole`."""
    return load_whole(history_path(variant))


def load_whole(path: Path) -> xr.Dataset:
    """Read and check a history.

    Raises:
        UserError: the file is missing, damaged, or not a history as training writes it.
    """
    history = load_arrays(path, REQUIRED, OPTIONAL)
    with reading(path, "a history as training writes it"):
        expect_whole(history)
    return history


def load_run(variant: str, split: Split) -> tuple[Recipe, xr.Dataset, xr.Dataset]:
    """Read a variant's recipe, history and predictions, and check that they belong together.

    Args:
        split: the data of the training.

    Raises:
        UserError: a file is missing or damaged, or belongs to another training.
    """
    recipe, history, predictions = load_recipe(variant), load_history(variant), load_predictions(variant)
    with reading(history_path(variant), f"the history of {variant}'s training"):
        expect_trained(history, recipe, split, load_weights(variant))
    with reading(predictions_path(variant), f"the predictions of {variant}'s replicas"):
        expect_predictions(predictions, history, split)
    return recipe, history, predictions


def load_pretraining(variant: str) -> xr.Dataset:
    """Read the pre-training's history.

    Raises:
        UserError: the file is missing, damaged, or has other dimensions.
    """
    return load_arrays(pretraining_path(variant), PRETRAINING)


def load_predictions(variant: str) -> xr.Dataset:
    """Read the predictions.

    Raises:
        UserError: the file is missing, damaged, or has other dimensions.
    """
    return load_arrays(predictions_path(variant), PREDICTIONS)


def load_weights(variant: str) -> dict[str, np.ndarray]:
    """Read the final weights: every variable by path, float32 [replica, *shape].

    Raises:
        UserError: the file is missing or damaged.
    """
    path = weights_path(variant)
    weights = load_npz(path, WEIGHTS)
    with reading(path, WEIGHTS):
        for name, stack in weights.items():
            if stack.dtype.kind not in "biuf":
                raise ValueError(f"{name} has the type {stack.dtype}")
        if len({len(stack) for stack in weights.values()}) != 1:
            raise ValueError("no weights, or of different numbers of replicas")
    return weights
