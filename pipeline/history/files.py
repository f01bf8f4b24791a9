"""What `train` leaves of a variant: history, all final weights, all predictions, and the recipe."""

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
PRETRAINING = {"loss": ("replica", "layer", "pretraining_epoch")}
PREDICTIONS = {f"{part}_prediction": ("replica", f"{part}_sample", "output") for part in ("train", "test")}


def folder(variant: str) -> Path:
    """All that training leaves of a variant."""
    return RUNS / variant


def history_path(variant: str) -> Path:
    """The history (NetCDF)."""
    return folder(variant) / "history.nc"


def pretraining_path(variant: str) -> Path:
    """The history of the pre-training, where there was any (NetCDF)."""
    return folder(variant) / "pretraining.nc"


def predictions_path(variant: str) -> Path:
    """The predictions (NetCDF)."""
    return folder(variant) / "predictions.nc"


def weights_path(variant: str) -> Path:
    """The final weights of all replicas (NumPy's npz)."""
    return folder(variant) / "weights.npz"


def recipe_path(variant: str) -> Path:
    """What the variant was trained with (JSON)."""
    return folder(variant) / "recipe.json"


def files(variant: str) -> list[Path]:
    """All files that training leaves of the variant.

    Raises:
        UserError: there are none.
    """
    found = sorted(folder(variant).glob("*.*"))
    if not found:
        raise UserError(f"{folder(variant)}: not found: `dvc repro` makes it")
    return found


def save_run(variant: str, history: xr.Dataset, predictions: xr.Dataset, weights: dict[str, np.ndarray]) -> None:
    """History, predictions and weights of all replicas."""
    save_arrays(history, history_path(variant))
    save_arrays(predictions, predictions_path(variant))
    save_npz(weights, weights_path(variant))


def save_pretraining(variant: str, pretraining: xr.Dataset | None) -> None:
    """Its history; where there was none, none is left of another training."""
    if pretraining is None:
        pretraining_path(variant).unlink(missing_ok=True)
    else:
        save_arrays(pretraining, pretraining_path(variant))


def save_recipe(variant: str, recipe: Recipe) -> None:
    """As JSON."""
    save_text(recipe.model_dump_json(indent=2) + "\n", recipe_path(variant))


def load_recipe(variant: str) -> Recipe:
    """What the variant was trained with.

    Raises:
        UserError: missing, damaged or of an earlier version.
    """
    if not folder(variant).is_dir():
        raise UserError(f"{folder(variant)}: not found: `dvc repro` makes it, if params.yaml has a variant {variant}")
    with reading(recipe_path(variant), "a recipe as `train` writes it"):
        return Recipe.model_validate_json(recipe_path(variant).read_bytes())


def expect_recipe(variant: str, params: Params) -> None:
    """Raises: UserError: the variant was trained with something else, so its results are not this recipe's.

    Args:
        params: params.yaml as it is now.
    """
    trained = load_recipe(variant).model_dump(mode="json")
    others = [key for key, value in params.trained_with(variant).items() if trained[key] != value]
    if others:
        raise UserError(
            f"{folder(variant)}: trained with other parameters ({', '.join(others)}) than params.yaml says now: "
            "`dvc repro` first"
        )


def versions(variants: Iterable[str]) -> dict[str, list[str]]:
    """Of what the variants were trained with: for each package all that occur.

    Raises:
        UserError: a recipe is missing or damaged.
    """
    found: dict[str, set[str]] = {}
    for variant in variants:
        for name, version in load_recipe(variant).versions.items():
            found.setdefault(name, set()).add(version)
    return {name: sorted(each) for name, each in found.items()}


def load_history(variant: str) -> xr.Dataset:
    """Raises: UserError: missing, damaged, or of another shape."""
    return load_whole(history_path(variant))


def load_whole(path: Path) -> xr.Dataset:
    """A history as training writes it.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    history = load_arrays(path, REQUIRED, OPTIONAL)
    with reading(path, "a history as training writes it"):
        expect_whole(history)
    return history


def load_run(variant: str, split: Split) -> tuple[Recipe, xr.Dataset, xr.Dataset]:
    """Recipe, history and predictions, which belong together.

    Args:
        split: what it was trained on.

    Raises:
        UserError: one is missing, damaged, or of another training than those beside it.
    """
    recipe, history, predictions = load_recipe(variant), load_history(variant), load_predictions(variant)
    weights = load_weights(variant)
    with reading(history_path(variant), f"the history of {variant}'s training"):
        expect_trained(history, recipe, split, weights)
    with reading(predictions_path(variant), f"the predictions of {variant}'s replicas"):
        expect_predictions(predictions, history, split)
    return recipe, history, predictions


def load_pretraining(variant: str) -> xr.Dataset:
    """Raises: UserError: missing, damaged, or of another shape."""
    return load_arrays(pretraining_path(variant), PRETRAINING)


def load_predictions(variant: str) -> xr.Dataset:
    """Raises: UserError: missing, damaged, or of another shape."""
    return load_arrays(predictions_path(variant), PREDICTIONS)


def load_weights(variant: str) -> dict[str, np.ndarray]:
    """Every variable by path, float32 [replica, *shape].

    Raises:
        UserError: missing or damaged.
    """
    return load_npz(weights_path(variant), "the weights of all replicas")
