"""The record of a variant's trainings: labelled arrays over replica, epoch and layer.

Epoch e is the state after e epochs; 0 is before the first step. Curves (accuracy, loss) exist at every `epoch`,
per-layer values at every `recorded_epoch`. Readable without TensorFlow, and not bound to stacks of equal layers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

CURVES: Final = {
    "train_loss": "binary cross-entropy on the whole training set, inference mode (nat)",
    "train_accuracy": "share of the training set that is classified correctly, inference mode",
    "test_loss": "binary cross-entropy on the whole test set, inference mode (nat)",
    "test_accuracy": "share of the test set that is classified correctly, inference mode",
}
LAYER_VALUES: Final = {
    "gradient_mean_abs": "mean over the epoch's batches of the kernel gradient's mean |g|, before each step",
    "gradient_norm": "mean over the epoch's batches of the kernel gradient's L2 norm, before each step",
    "gradient_zero_share": "mean over the epoch's batches of the share of kernel gradient entries that are exactly 0",
    "probe_gradient_mean_abs": "mean |g| of the kernel's gradient on the full training set at this state",
    "dead": "1 if on every training input every unit's activation and its derivative are 0",
    "dead_unit_share": "share of the units of which that is so",
    "weight_l1": "L1 norm of the kernel",
    "weight_change_l1": "L1 norm of the kernel's change over this epoch",
}

# Slopes, relative to the activation's greatest, below which a unit may be called saturated.
SLOPE_FRACTIONS: Final = (0.001, 0.003, 0.01, 0.03, 0.06, 0.1, 0.3)

# Edges between the bins of the histograms; the first and the last bin are open. A gradient's entries span decades on
# both sides of zero: two bins to a decade from 1e-12 to 100, and one between for what is zero, or as good as that.
_MAGNITUDES = [float(np.float32(10 ** (half / 2))) for half in range(-24, 5)]
GRADIENT_EDGES: Final = (*(-magnitude for magnitude in reversed(_MAGNITUDES)), *_MAGNITUDES)
WEIGHT_EDGES: Final = tuple(quarter / 4 for quarter in range(-24, 25))
HISTOGRAMS: Final = {
    "gradient_histogram": ("gradient_bin", GRADIENT_EDGES, "entries of the probe gradient of the kernel in each bin"),
    "weight_histogram": ("weight_bin", WEIGHT_EDGES, "entries of the kernel in each bin"),
}


class Architecture(NamedTuple):
    """What a history says of the network. units: of each layer, the output's included; bypassed: of each layer,
    whether a path from the inputs to the output goes around it."""

    units: Sequence[int]
    bypassed: Sequence[bool]


def assemble(
    replicas: Sequence[int],
    recorded_epochs: Sequence[int],
    curves: Mapping[str, np.ndarray],
    layer_values: Mapping[str, np.ndarray],
    architecture: Architecture,
    constant_loss: float,
) -> xr.Dataset:
    """A history from plain arrays.

    Args:
        curves: for each name in CURVES, [replica, epoch].
        layer_values: for each name in LAYER_VALUES, [replica, recorded epoch, layer], NaN where there is none; for
            `saturated_share`, [replica, recorded epoch, layer, fraction of SLOPE_FRACTIONS]; and for all names in
            HISTOGRAMS or none of them, [replica, recorded epoch, layer, bin].
        constant_loss: of the best constant prediction on the training set (nat), which a loss can be held against.

    Where pre-training came first, the attribute `extra_epochs` says how many epochs it took, over all layers.
    """
    dims: dict[str, Any] = {
        "replica": np.asarray(replicas, np.int32),
        "epoch": np.arange(curves["train_loss"].shape[1], dtype=np.int32),
        "recorded_epoch": np.asarray(recorded_epochs, np.int32),
        "layer": np.arange(1, len(architecture.units) + 1, dtype=np.int32),
    }
    variables: dict[str, Any] = {
        name: (("replica", "epoch"), np.ascontiguousarray(curves[name], np.float32), {"long_name": text})
        for name, text in CURVES.items()
    }
    by_layer = ("replica", "recorded_epoch", "layer")
    for name, text in LAYER_VALUES.items():
        kind = np.int8 if name == "dead" else np.float32
        variables[name] = (by_layer, np.ascontiguousarray(layer_values[name], kind), {"long_name": text})
    text = "share of (input, unit) pairs with |f'| below the fraction of its greatest, units that are off left out"
    dims["slope_fraction"] = np.asarray(SLOPE_FRACTIONS, np.float32)
    shares = np.ascontiguousarray(layer_values["saturated_share"], np.float32)
    variables["saturated_share"] = ((*by_layer, "slope_fraction"), shares, {"long_name": text})
    for name in (name for name in HISTOGRAMS if name in layer_values):
        bins, edges, text = HISTOGRAMS[name]
        lower = np.asarray([-np.inf, *edges], np.float32)
        dims[bins] = xr.Variable(bins, lower, {"long_name": "where the bin begins; it ends where the next one does"})
        variables[name] = ((*by_layer, bins), np.ascontiguousarray(layer_values[name]), {"long_name": text})
    variables["units"] = (("layer",), np.asarray(architecture.units, np.int32), {"long_name": "units of the layer"})
    around = {"long_name": "1 if a path from the inputs to the output goes around the layer"}
    variables["bypassed"] = (("layer",), np.asarray(architecture.bypassed, np.int8), around)
    return xr.Dataset(variables, coords=dims, attrs={"constant_loss": float(constant_loss)})


def count_type(entries: int) -> type[np.signedinteger]:
    """The smallest whole number of NetCDF 3 that holds a histogram's count: at most a kernel's number of entries."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if entries <= np.iinfo(kind).max)


def assemble_pretraining(replicas: Sequence[int], kind: str, loss: np.ndarray) -> xr.Dataset:
    """The record of a greedy pre-training, in which the hidden layers are trained one by one.

    Args:
        kind: `layer_wise` or `autoencoder`.
        loss: [replica, layer, epoch] on the whole training set, inference mode; epoch 0 is before the layer's first.
    """
    what = "mean squared error of the layer's inputs" if kind == "autoencoder" else "binary cross-entropy (nat)"
    _, layers, epochs = loss.shape
    dims = {
        "replica": np.asarray(replicas, np.int32),
        "layer": np.arange(1, layers + 1, dtype=np.int32),
        "pretraining_epoch": np.arange(epochs, dtype=np.int32),
    }
    named = {"long_name": f"{what} of the layer and its head on the whole training set, inference mode"}
    attributes = {"pretraining": kind, "extra_epochs": layers * (epochs - 1)}
    return xr.Dataset({"loss": (tuple(dims), loss.astype(np.float32), named)}, coords=dims, attrs=attributes)


def diverged(history: xr.Dataset) -> xr.DataArray:
    """bool [replica]: a loss was infinite or not a number at some epoch."""
    return ~(np.isfinite(history.train_loss) & np.isfinite(history.test_loss)).all("epoch")


def final_test_accuracy(history: xr.Dataset) -> np.ndarray:
    """float32 [replica]."""
    return history.test_accuracy.isel(epoch=-1).values


def by_test_accuracy(history: xr.Dataset) -> np.ndarray:
    """Positions of the replicas from the worst to the best final test accuracy; ties by the lower index first."""
    return np.argsort(final_test_accuracy(history), kind="stable")


def median_replica(history: xr.Dataset) -> int:
    """Position of the lower median by final test accuracy, ties to the lowest index."""
    accuracy = final_test_accuracy(history)
    lower_median = accuracy[by_test_accuracy(history)[(len(accuracy) - 1) // 2]]
    return int(np.flatnonzero(accuracy == lower_median)[0])


def best_replica(history: xr.Dataset) -> int:
    """Position of the highest final test accuracy, ties to the lowest index."""
    return int(np.argmax(final_test_accuracy(history)))


def hidden(history: xr.Dataset) -> xr.Dataset:
    """All layers but the output's, whose activation of exactly 0 is a certain answer and stops no gradient."""
    return history.isel(layer=slice(None, -1))


def blocking(history: xr.Dataset) -> xr.DataArray:
    """bool [replica, recorded_epoch, layer], of the hidden layers: dead, and no path bypasses it, so nothing passes."""
    layers = hidden(history)
    return (layers.dead == 1) & (layers.bypassed == 0)


def living(history: xr.Dataset) -> xr.DataArray:
    """bool [replica, recorded_epoch]: no hidden layer is dead, but for those that a path bypasses."""
    return ~blocking(history).any("layer")
