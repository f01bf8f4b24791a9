"""The record of a network's trainings: labelled arrays over replica, epoch and layer.

Epoch e is the state after e epochs; 0 is before the first step. Curves (loss and scores) are over every `epoch`, values
by layer over every `recorded_epoch`. A layer is what has a kernel; the layer table says what it is, and nothing assumes
that layers are equal, dense, or that the last one is the output. Which curves and values there are may differ: what a
trainer cannot measure is left out. Values through time, of recurrent layers, have a dimension `time` after `layer`.
Readable without TensorFlow.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from pipeline.data.split.tasks import SCORES, Task

PARTS: Final = {"train": "training", "validation": "validation", "test": "test"}
BY_LAYER: Final = ("replica", "recorded_epoch", "layer")
LAYER_VALUES: Final = {
    "gradient_mean_abs": "mean over the epoch's batches of the kernel gradient's mean |g|, before each step",
    "gradient_norm": "mean over the epoch's batches of the kernel gradient's L2 norm, before each step",
    "gradient_zero_share": "mean over the epoch's batches of the share of kernel gradient entries that are exactly 0",
    "probe_gradient_mean_abs": "mean |g| of the kernel's gradient on the full training set at this state",
    "dead": "1 if on every training input every unit's activation and its derivative are 0",
    "dead_unit_share": "share of the units that are dead: off on every training input",
    "weight_l1": "L1 norm of the kernel",
    "weight_change_l1": "L1 norm of the kernel's change over this epoch",
}
SATURATED: Final = "saturated_share"
LOGGED_LOSS: Final = "log_loss"  # as `fit` logged it, in training mode; of a network of the user's own
LOSS_IS_KNOWN: Final = "loss_is_known"  # an attribute of a record whose training loss may be unknown
UNIT_SPREAD: Final = "unit_spread"  # of a network of the user's own
UNIT_SPREAD_TEXT: Final = "greatest difference between two units' weights from one input, over the greatest |weight|"
SATURATED_TEXT: Final = "share of (input, unit) pairs with |f'| below the fraction of its greatest, units off left out"
# Of a network of the user's own, by replica: what it is given and what it can give, on the rows of the probe.
SIDES: Final = {
    "input_scale": "root mean square of the inputs of the first kernel before the first step",
    "input_decades": "decades from the median standard deviation of these inputs' columns, of two middle ones the "
    "lower, to the greatest",
    "nonfinite_share": "share of the training rows with a NaN or infinite input or target",
    "targets_told": "standard deviations by which similar rows have more similar targets than with shuffled targets",
    "target_low": "least training target",
    "target_high": "greatest training target",
    "target_scale": "root mean square of the training targets",
    "output_low": "least output that the model can give, whatever it learns",
    "output_high": "greatest output that the model can give, whatever it learns",
    "targets_beyond": "share of the training targets that lie outside what the model can give",
    "output_misfit": "how the outputs do not fit loss and targets, by its place in MISFITS",
    "input_kind": "what the inputs are, by its place in INPUT_KINDS",
    "has_modes": "1 if a layer works differently in training mode, such as dropout or batch normalisation",
    "logged_alike": "1 if `fit` logs its loss of the rows of the training loss, shuffled and each with the weight 1",
}
INPUT_KINDS: Final = ("other", "table", "pictures", "sequences", "ids")
MISFITS: Final = (
    "none",
    "constant output",
    "constant loss",
    "outputs that are no probabilities",
    "probabilities where the loss takes logits",
    "outputs that do not sum to 1",
    "outputs that always sum to 1",
    "a rectified score",
    "labels beyond the outputs",
    "a loss whose arguments are swapped",
    "a loss that is no smaller where outputs are right",
    "a loss that holds each output against all targets",
)
LAYER_TABLE: Final = {
    "path": "the layer's path in the model",
    "kind": "the layer's class",
    "role": "hidden or output",
    "units": "units of the layer",
    "trainable": "1 if its kernel is trained",
    "bypassed": "1 if a path from the inputs to the output goes around the layer",
    "has_activation": "1 if an elementwise activation follows, of which value and slope are measured",
}
HIDDEN: Final = "hidden"
OUTPUT: Final = "output"
BESIDE: Final = "beside"  # an embedding's table, a normalisation's scale: recorded and shown, judged by no rule

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
# What a history file must hold, and over which dimensions; and over which what it may hold besides.
REQUIRED: Final = {"train_loss": ("replica", "epoch"), **dict.fromkeys(LAYER_TABLE, ("layer",))}
OPTIONAL: Final = {
    **{f"{part}_{name}": ("replica", "epoch") for part in PARTS for name in ("loss", *SCORES)},
    **dict.fromkeys(LAYER_VALUES, BY_LAYER),
    LOGGED_LOSS: ("replica", "epoch"),
    UNIT_SPREAD: BY_LAYER,
    **dict.fromkeys(SIDES, ("replica",)),
    SATURATED: (*BY_LAYER, "slope_fraction"),
    **{name: (*BY_LAYER, bins) for name, (bins, _, _) in HISTOGRAMS.items()},
}


@dataclass(frozen=True)
class Layer:
    """A row of the layer table, see LAYER_TABLE."""

    path: str
    kind: str
    role: str
    units: int
    trainable: bool = True
    bypassed: bool = False
    has_activation: bool = True


def assemble(
    replicas: Sequence[int],
    recorded_epochs: Sequence[int],
    curves: Mapping[str, np.ndarray],
    layer_values: Mapping[str, np.ndarray],
    layers: Sequence[Layer],
    task: Task,
    constant_losses: Mapping[str, float],
    sides: Mapping[str, np.ndarray] | None = None,
) -> xr.Dataset:
    """A history from plain arrays.

    Args:
        curves: [replica, epoch], by names such as `train_loss` and `test_accuracy`: a part of PARTS, and the loss or a
            score of the task.
        layer_values: by names of LAYER_VALUES, [replica, recorded epoch, layer], NaN where there is none;
            `saturated_share` has the axis of SLOPE_FRACTIONS more, those of HISTOGRAMS have the axis of their bins.
        constant_losses: of the best constant prediction, by part: a loss can be compared with it.
        sides: by names of SIDES, [replica].

    Where pre-training came first, the attribute `extra_epochs` says how many epochs it took, over all layers.
    """
    dims: dict[str, Any] = {
        "replica": np.asarray(replicas, np.int32),
        "epoch": np.arange(curves["train_loss"].shape[1], dtype=np.int32),
        "recorded_epoch": np.asarray(recorded_epochs, np.int32),
        "layer": np.arange(1, len(layers) + 1, dtype=np.int32),
    }
    if SATURATED in layer_values:
        dims["slope_fraction"] = np.asarray(SLOPE_FRACTIONS, np.float32)
    for name in (name for name in HISTOGRAMS if name in layer_values):
        bins, edges, _ = HISTOGRAMS[name]
        lower = np.asarray([-np.inf, *edges], np.float32)
        dims[bins] = xr.Variable(bins, lower, {"long_name": "where the bin begins; it ends where the next one does"})
    variables: dict[str, Any] = {
        name: (("replica", "epoch"), np.ascontiguousarray(values, np.float32), {"long_name": curve_text(name, task)})
        for name, values in curves.items()
    }
    attributes: dict[str, Any] = {"task": json.dumps(task.plain)}
    attributes |= {f"{part}_constant_loss": float(loss) for part, loss in constant_losses.items()}
    variables |= {
        name: (("replica",), np.ascontiguousarray(values, np.float32), {"long_name": SIDES[name]})
        for name, values in (sides or {}).items()
    }
    variables |= {**_by_layer(layer_values), **_table(layers)}
    return xr.Dataset(variables, coords=dims, attrs=attributes)


def _by_layer(layer_values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Variables over (replica, recorded epoch, layer), in the types of the file: those that are given."""
    found: dict[str, Any] = {}
    for name, text in {**LAYER_VALUES, UNIT_SPREAD: UNIT_SPREAD_TEXT, SATURATED: SATURATED_TEXT}.items():
        if name in layer_values:
            number = np.int8 if name == "dead" else np.float32
            found[name] = (OPTIONAL[name], np.ascontiguousarray(layer_values[name], number), {"long_name": text})
    for name, (_, _, text) in HISTOGRAMS.items():
        if name in layer_values:
            found[name] = (OPTIONAL[name], np.ascontiguousarray(layer_values[name]), {"long_name": text})
    return found


def _table(layers: Sequence[Layer]) -> dict[str, Any]:
    """The layer table's columns as variables over the layers."""
    found = {}
    for name, text in LAYER_TABLE.items():
        column = np.asarray([getattr(layer, name) for layer in layers])
        if column.dtype.kind in "bi":
            column = column.astype(np.int8 if column.dtype.kind == "b" else np.int32)
        found[name] = (("layer",), column, {"long_name": text})
    return found


def curve_text(name: str, task: Task) -> str:
    """What a curve is, in words: of `train_loss`, `test_accuracy` and their like."""
    part, _, what = name.partition("_")
    said = task.of_kind.loss_name if what == "loss" else SCORES[what]
    return f"{said}; on the whole {PARTS[part]} set, inference mode"


def count_type(entries: int) -> type[np.signedinteger]:
    """The smallest whole number of NetCDF 3 that holds a histogram's count: at most a kernel's number of entries."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if entries <= np.iinfo(kind).max)


def assemble_pretraining(replicas: Sequence[int], what: str, kind: str, loss: np.ndarray) -> xr.Dataset:
    """The record of a greedy pre-training, in which the hidden layers are trained one by one.

    Args:
        what: the loss, in words. kind: `layer_wise` or `autoencoder`.
        loss: [replica, layer, epoch] on the whole training set, inference mode; epoch 0 is before the layer's first.
    """
    _, layers, epochs = loss.shape
    dims = {
        "replica": np.asarray(replicas, np.int32),
        "layer": np.arange(1, layers + 1, dtype=np.int32),
        "pretraining_epoch": np.arange(epochs, dtype=np.int32),
    }
    named = {"long_name": f"{what} of the layer and its head on the whole training set, inference mode"}
    attributes = {"pretraining": kind, "extra_epochs": layers * (epochs - 1)}
    return xr.Dataset({"loss": (tuple(dims), loss.astype(np.float32), named)}, coords=dims, attrs=attributes)


def task_of(history: xr.Dataset) -> Task:
    """What the network was to do."""
    return Task.of(json.loads(history.attrs["task"]))


def parts_of(history: xr.Dataset) -> list[str]:
    """The parts of the data of which there are curves, in the order of PARTS."""
    return [part for part in PARTS if f"{part}_loss" in history]


def judged_part(history: xr.Dataset) -> str:
    """The part on which a replica is judged: the test set; without one the validation set, else the training set."""
    return parts_of(history)[-1]


def choosing_part(history: xr.Dataset) -> str:
    """The part on which replicas are chosen: the validation set, for the judged one must not see a choice; where there
    is none, the judged one all the same."""
    return "validation" if "validation" in parts_of(history) else judged_part(history)


def is_loss_known(history: xr.Dataset) -> bool:
    """Whether the training loss was measured or logged; a model of the user's own may give none, and then it is NaN."""
    return bool(history.attrs.get(LOSS_IS_KNOWN, 1))


def diverged(history: xr.Dataset) -> xr.DataArray:
    """bool [replica]: a loss was infinite or not a number at some epoch."""
    return ~finite_losses(history).all("epoch")


def finite_losses(history: xr.Dataset) -> xr.DataArray:
    """bool [replica, epoch]: the loss is a finite number on every part."""
    finite = [np.isfinite(history[f"{part}_loss"].values) for part in parts_of(history)]
    if not is_loss_known(history):
        finite[0] = np.ones_like(finite[0])
    return history.train_loss.copy(data=np.logical_and.reduce(finite))


def hidden(history: xr.Dataset) -> xr.Dataset:
    """The hidden layers alone: an output's activation of exactly 0 is a certain answer and stops no gradient."""
    return history.isel(layer=np.flatnonzero(history.role.values == HIDDEN))


def output(history: xr.Dataset) -> xr.Dataset:
    """The output layers alone."""
    return history.isel(layer=np.flatnonzero(history.role.values == OUTPUT))


def has_seen_units(history: xr.Dataset) -> bool:
    """Whether the activation of any hidden layer was measured: without one nothing is known of dead units."""
    return bool((hidden(history).has_activation.values == 1).any())


def blocking(history: xr.Dataset) -> xr.DataArray:
    """bool [replica, recorded_epoch, layer], of the hidden layers: dead, and no path bypasses it, so nothing passes."""
    layers = hidden(history)
    if "dead" not in layers:
        sizes = {name: layers.sizes[name] for name in BY_LAYER}
        return xr.DataArray(np.zeros(tuple(sizes.values()), bool), {name: layers[name] for name in sizes}, tuple(sizes))
    return (layers.dead == 1) & (layers.bypassed == 0)


def living(history: xr.Dataset) -> xr.DataArray:
    """bool [replica, recorded_epoch]: no hidden layer is dead, but for those that a path bypasses."""
    return ~blocking(history).any("layer")
