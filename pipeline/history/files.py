"""What `train` leaves of a variant: history, all final weights, all predictions, and the recipe."""

import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pipeline.data.points import Scaling
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import load_json, reading, replacing, save_json
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.history.record import CURVES, HISTOGRAMS, LAYER_VALUES

RUNS = Path("runs")
HISTORY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CURVES, ("replica", "epoch")),
    **dict.fromkeys(LAYER_VALUES, ("replica", "recorded_epoch", "layer")),
    "bypassed": ("layer",),
}
HISTOGRAMS_WHERE_RECORDED = {
    name: ("replica", "recorded_epoch", "layer", bins) for name, (bins, _, _) in HISTOGRAMS.items()
}
PRETRAINING = {"loss": ("replica", "layer", "pretraining_epoch")}
PREDICTIONS = {f"{part}_probability": ("replica", f"{part}_sample") for part in ("train", "test")}


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
    # As np.savez does, whose bytes depend on Python's patch version.
    with replacing(weights_path(variant)) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path, stack in weights.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(stack), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{path}.npy"), content.getvalue())


def save_pretraining(variant: str, pretraining: xr.Dataset | None) -> None:
    """Its history; where there was none, none is left of another training."""
    if pretraining is None:
        pretraining_path(variant).unlink(missing_ok=True)
    else:
        save_arrays(pretraining, pretraining_path(variant))


def save_recipe(variant: str, recipe: dict[str, Any]) -> None:
    """The resolved variant, the training parameters, where the points come from and the versions of what trained, as
    plain values: with the weights all that a replica's model follows from."""
    save_json(recipe, recipe_path(variant))


def load_recipe(variant: str) -> dict[str, Any]:
    """What `save_recipe` saved.

    Raises:
        UserError: missing or damaged.
    """
    found = load_json(recipe_path(variant))
    for name, kind in (("variant", dict), ("inputs", list)):
        if not isinstance(found, dict) or not isinstance(found.get(name), kind):
            raise UserError(f"{recipe_path(variant)}: no {name}: must have it; `dvc repro` makes it anew")
    return found


def load_scaling(variant: str) -> Scaling:
    """Of the raw inputs, when the variant was trained.

    Raises:
        UserError: missing or damaged.
    """
    with reading(recipe_path(variant), "a recipe with name, offset and factor of each of the inputs"):
        inputs = load_recipe(variant)["inputs"]
        offset, factor = (np.array([each[name] for each in inputs], np.float64) for name in ("offset", "factor"))
        return Scaling(tuple(each["name"] for each in inputs), offset, factor)


def load_variant(variant: str) -> dict[str, Any]:
    """The resolved variant, as it was trained; its values were checked then.

    Raises:
        UserError: missing or damaged.
    """
    if not folder(variant).is_dir():
        raise UserError(f"{folder(variant)}: not found: `dvc repro` makes it, if params.yaml has a variant {variant}")
    return load_recipe(variant)["variant"]


def expect_recipe(variant: str, recipe: dict[str, Any]) -> None:
    """Raises: UserError: the variant was trained with something else, so its results are not this recipe's.

    Args:
        recipe: what params.yaml says now, by section: `variant`, `training`, `data`, `split`.
    """
    trained = load_recipe(variant)
    others = [key for key in recipe if trained.get(key) != recipe[key]]
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
        for name, version in load_recipe(variant).get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return {name: sorted(each) for name, each in found.items()}


def load_history(variant: str) -> xr.Dataset:
    """Raises: UserError: missing, damaged, or of another shape."""
    return load_arrays(history_path(variant), HISTORY, HISTOGRAMS_WHERE_RECORDED)


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
    path = weights_path(variant)
    with reading(path, "the weights of all replicas"):
        return dict(np.load(BytesIO(path.read_bytes())))
