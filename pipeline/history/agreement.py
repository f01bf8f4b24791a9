"""Check that a history is complete and that the files of a training belong together.

This finds a damaged or misplaced file before anything is computed from it.
"""

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.history.recipe import Recipe
from pipeline.history.record import BESIDE, FACT, HIDDEN, HISTOGRAMS, OPTIONAL, OUTPUT, REQUIRED, parts_of, task_of
from pipeline.params.variant_params import VariantParams

TEXTS = ("path", "kind", "role")
# The variables of whole numbers, each with its smallest and largest possible value.
WHOLE_NUMBERS = {
    "units": (1, np.inf),
    **dict.fromkeys(("trainable", "bypassed", "has_activation", "dead"), (0, 1)),
    **dict.fromkeys(HISTOGRAMS, (0, np.inf)),
}
FIRST_VALUES = {"epoch": 0, "layer": 1}  # of the axes that count up by one
# The relative tolerance between a kernel's L1 norm in the history (summed in float32) and the sum here (in float64).
ROUNDING = 1e-3


def expect_whole(history: xr.Dataset) -> None:
    """Check the names, types, coordinates, layer table and task of a history.

    Raises:
        ValueError: one of these differs from what `record.assemble` writes.
    """
    variables = {**REQUIRED, **OPTIONAL}
    axes = {axis for dims in variables.values() for axis in dims}
    for name, values in history.data_vars.items():
        if name not in variables:
            if set(values.dims) <= axes:  # the name is damaged: each other variable of a recorder has its own dimension
                raise ValueError(f"{name} is not a variable of a history")
            continue
        kinds = "OUS" if name in TEXTS else "iu" if name in WHOLE_NUMBERS else "f"
        if values.dtype.kind not in kinds:
            raise ValueError(f"{name} has the type {values.dtype}")
    for axis, size in history.sizes.items():
        places = history[axis].values
        if axis in axes and axis != FACT and places.dtype.kind not in "iuf":
            raise ValueError(f"{axis} has the type {places.dtype}")
        if not size or not (places[1:] > places[:-1]).all():
            raise ValueError(f"{axis} does not increase")
        if axis in FIRST_VALUES and not np.array_equal(places, FIRST_VALUES[axis] + np.arange(size)):
            raise ValueError(f"{axis} does not count from {FIRST_VALUES[axis]}")
    if not np.isin(history.recorded_epoch.values, history.epoch.values).all():
        raise ValueError("a recorded epoch is not among the epochs")
    if not set(history.role.values) <= {HIDDEN, OUTPUT, BESIDE}:
        raise ValueError(f"the role of a layer is not one of {HIDDEN}, {OUTPUT}, {BESIDE}")
    for name, (smallest, largest) in WHOLE_NUMBERS.items():
        if name in history and not ((history[name] >= smallest) & (history[name] <= largest)).all():
            raise ValueError(f"{name} has a value below {smallest} or above {largest}")
    _expect_curves(history)


def _expect_curves(history: xr.Dataset) -> None:
    task = task_of(history)
    for part in parts_of(history):
        missing = [name for name in task.of_kind.scores if f"{part}_{name}" not in history]
        if missing:
            raise ValueError(f"{part}_{missing[0]} is missing")
        float(history.attrs[f"{part}_constant_loss"])  # raises if the baseline loss is not a number; NaN is one


def expect_trained(history: xr.Dataset, recipe: Recipe, split: Split, weights: dict[str, np.ndarray]) -> None:
    """Check that a history belongs to the training of this recipe, these data and these weights.

    Raises:
        ValueError: it belongs to another training.
    """
    sizes = {"replica": recipe.training.replicas, "epoch": recipe.training.epochs + 1}
    for axis, size in sizes.items():
        if history.sizes[axis] != size:
            raise ValueError(f"{history.sizes[axis]} values along {axis}, but the recipe beside it has {size}")
    for task, owner in ((recipe.task, "the recipe beside it"), (split.task, "the data")):
        if task_of(history) != task:
            raise ValueError(f"the task differs from the task of {owner}")
    missing = [part for part in split.parts if part not in parts_of(history)]
    if missing:
        raise ValueError(f"no curves of the {missing[0]} set")
    if isinstance(recipe.variant, VariantParams):
        units = [*recipe.variant.widths, recipe.task.outputs]
        if history.units.values.tolist() != units:
            raise ValueError("the units of the layers differ from the recipe beside it")
        _expect_weights(history, weights)


def _expect_weights(history: xr.Dataset, weights: dict[str, np.ndarray]) -> None:
    """Check that each kernel has the norm that the history recorded after the last epoch.

    This does not hold for users' own networks, because their optimizers may replace the weights by averages at the end.
    """
    if "weight_l1" not in history:
        return
    for place, path in enumerate(history.path.values):
        kernels = weights.get(f"{path}/kernel")
        if kernels is None:  # a layer of another kind
            continue
        norms = np.abs(kernels.reshape(len(kernels), -1).astype(np.float64)).sum(axis=1)
        recorded = history.weight_l1.values[:, -1, place].astype(np.float64)
        if norms.shape != recorded.shape:
            raise ValueError(f"the weights beside it have {len(norms)} replicas, not {len(recorded)}")
        is_finite = np.isfinite(norms) & np.isfinite(recorded)
        if not np.allclose(norms[is_finite], recorded[is_finite], rtol=ROUNDING, atol=1e-30):
            raise ValueError(f"the weights beside it belong to another training: the norms of layer {path} differ")


def expect_predictions(predictions: xr.Dataset, history: xr.Dataset, split: Split) -> None:
    """Check that each replica has a prediction for each row.

    Raises:
        ValueError: a prediction is missing, or the predictions have a wrong shape or type.
    """
    if not np.array_equal(predictions.replica.values, history.replica.values):
        raise ValueError("the replicas differ from the replicas of the history beside it")
    for part, samples in split.parts.items():
        values = predictions[f"{part}_prediction"]
        shape = (history.sizes["replica"], len(samples), split.task.outputs)
        if values.shape != shape:
            raise ValueError(f"{part}_prediction has the shape {values.shape}, not {shape}")
        if values.dtype.kind != "f":
            raise ValueError(f"{part}_prediction has the type {values.dtype}")
    for axis in ("x1", "x2") if "surface" in predictions else ():
        if axis not in predictions.coords or predictions.sizes[axis] < 2:
            raise ValueError(f"the surface has no two values of {axis}")
