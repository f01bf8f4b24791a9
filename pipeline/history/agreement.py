"""Whether a history is whole, and whether what training left belongs together: a damaged or misplaced file is found
before anything is computed from it.
"""

import numpy as np
import xarray as xr

from pipeline.data.split.samples import Split
from pipeline.history.recipe import Recipe
from pipeline.history.record import BESIDE, HIDDEN, HISTOGRAMS, OPTIONAL, OUTPUT, REQUIRED, parts_of, task_of
from pipeline.params.variant_params import VariantParams

TEXTS = ("path", "kind", "role")
# What holds whole numbers, with the least and the greatest of them.
COUNTS = {
    "units": (1, np.inf),
    **dict.fromkeys(("trainable", "bypassed", "has_activation", "dead"), (0, 1)),
    **dict.fromkeys(HISTOGRAMS, (0, np.inf)),
}
FIRST = {"epoch": 0, "layer": 1}  # of what is counted
# Of a kernel's L1 norm as training summed it in float32, and as it is summed here.
ROUNDED = 1e-3


def expect_whole(history: xr.Dataset) -> None:
    """Check names, types, coordinates, the layer table and the task of a history.

    Raises:
        ValueError: one is not as `record.assemble` makes it.
    """
    known = {**REQUIRED, **OPTIONAL}
    axes = {axis for dims in known.values() for axis in dims}
    for name, values in history.data_vars.items():
        if name not in known:
            if set(values.dims) <= axes:  # a damaged name; what a recorder adds has a dimension of its own
                raise ValueError(f"{name} is no quantity of a history")
            continue
        kinds = "OUS" if name in TEXTS else "iu" if name in COUNTS else "f"
        if values.dtype.kind not in kinds:
            raise ValueError(f"{name} has values of the type {values.dtype}")
    for axis, size in history.sizes.items():
        places = history[axis].values
        if not size or not (np.diff(places) > 0).all():
            raise ValueError(f"{axis} does not increase")
        if axis in FIRST and not np.array_equal(places, np.arange(FIRST[axis], FIRST[axis] + size)):
            raise ValueError(f"{axis} does not count from {FIRST[axis]}")
    if not np.isin(history.recorded_epoch.values, history.epoch.values).all():
        raise ValueError("a recorded epoch is none of the epochs")
    if not set(history.role.values) <= {HIDDEN, OUTPUT, BESIDE}:
        raise ValueError(f"a layer is none of {HIDDEN}, {OUTPUT}, {BESIDE}")
    for name, (least, most) in COUNTS.items():
        if name in history and not ((history[name] >= least) & (history[name] <= most)).all():
            raise ValueError(f"{name} has a value below {least} or above {most}")
    _expect_curves(history)


def _expect_curves(history: xr.Dataset) -> None:
    task = task_of(history)
    for part in parts_of(history):
        missing = [name for name in task.of_kind.scores if f"{part}_{name}" not in history]
        if missing:
            raise ValueError(f"{part}_{missing[0]} is missing")
        float(history.attrs[f"{part}_constant_loss"])  # NaN where a user's own loss has none


def expect_trained(history: xr.Dataset, recipe: Recipe, split: Split, weights: dict[str, np.ndarray]) -> None:
    """Check that a history is of the training that the recipe, the data and the weights are of.

    Raises:
        ValueError: it is of another one.
    """
    sizes = {"replica": recipe.training.replicas, "epoch": recipe.training.epochs + 1}
    for axis, size in sizes.items():
        if history.sizes[axis] != size:
            raise ValueError(f"{history.sizes[axis]} values by {axis}, and the recipe beside it says {size}")
    for task, of in ((recipe.task, "the recipe beside it"), (split.task, "the data")):
        if task_of(history) != task:
            raise ValueError(f"another task than that of {of}")
    missing = [part for part in split.parts if part not in parts_of(history)]
    if missing:
        raise ValueError(f"no curves on the {missing[0]} set")
    if isinstance(recipe.variant, VariantParams):
        units = [*recipe.variant.widths, recipe.task.outputs]
        if history.units.values.tolist() != units:
            raise ValueError("layers of other units than the recipe beside it says")
        _expect_weights(history, weights)


def _expect_weights(history: xr.Dataset, weights: dict[str, np.ndarray]) -> None:
    """The norm of each kernel after the last epoch is that of the weights, which no other training has.

    Not so of a network of the user's own, whose optimizer may replace its weights by averages when training ends.
    """
    if "weight_l1" not in history:
        return
    for place, path in enumerate(history.path.values):
        kernels = weights.get(f"{path}/kernel")
        if kernels is None:  # of a layer of another kind
            continue
        norms = np.abs(kernels.reshape(len(kernels), -1).astype(np.float64)).sum(axis=1)
        recorded = history.weight_l1.values[:, -1, place].astype(np.float64)
        if norms.shape != recorded.shape:
            raise ValueError(f"weights of {len(norms)} replicas lie beside it")
        both = np.isfinite(norms) & np.isfinite(recorded)
        if not np.allclose(norms[both], recorded[both], rtol=ROUNDED, atol=1e-30):
            raise ValueError(f"the weights beside it are of another training: layer {path} has other norms")


def expect_predictions(predictions: xr.Dataset, history: xr.Dataset, split: Split) -> None:
    """Check that there is a prediction of each replica for each row.

    Raises:
        ValueError: there is not.
    """
    if not np.array_equal(predictions.replica.values, history.replica.values):
        raise ValueError("of other replicas than the history beside it")
    for part, samples in split.parts.items():
        values = predictions[f"{part}_prediction"]
        shape = (history.sizes["replica"], len(samples), split.task.outputs)
        if values.shape != shape:
            raise ValueError(f"{part}_prediction is of shape {values.shape}, not {shape}")
        if values.dtype.kind != "f":
            raise ValueError(f"{part}_prediction has values of the type {values.dtype}")
