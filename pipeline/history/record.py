"""The record of a network's trainings: labelled arrays over replica, epoch and layer.

Epoch e is the state after e epochs; epoch 0 is before the first step. Curves (loss and scores) have a value for every
`epoch`, layer values for every `recorded_epoch`. A layer is anything with a kernel; the layer table describes it.
Layers need be neither equal nor dense, and the last layer need not be the output. A trainer leaves out the values that
it cannot measure. Values of recurrent layers through time have a dimension `time` after `layer`. Reading a record needs
no TensorFlow.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from pipeline.data.split.tasks import Task
from pipeline.params.evaluation_params import FIT_SCORES, SCORES

_Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]  # dimensions, values, attributes

PARTS: Final = {"train": "training", "validation": "validation", "test": "test"}
BY_LAYER: Final = ("replica", "recorded_epoch", "layer")
# This is the only definition of the quantities of a layer. Three engines compute them: the compiled loops
# (training/compiled/measures.py), the stacked engine (training/stacked/quantities.py) and the recorder of `fit`
# (recorder/activity.py, probe.py, step_gradients.py). tests/test_watch_record.py compares all three on one network.
#
# Let W be a layer's kernel with N entries, g_b the gradient of batch b's mean loss with respect to W, taken before the
# step on b, and B the number of batches of the epoch:
#
#   gradient_mean_abs        1/B sum_b 1/N sum |g_b|
#   gradient_norm            1/B sum_b sqrt(sum g_b^2)
#   gradient_zero_share      1/B sum_b (number of entries of g_b that are exactly 0) / N
#   probe_gradient_mean_abs  1/N sum |g|, with g the gradient of the mean loss on the whole training set at this state
#   weight_l1                sum |W|
#   weight_change_l1         sum |W - W before the epoch|
#
# Let f be the layer's elementwise activation and z a unit's pre-activation for one input. The unit is *off* for the
# input if f(z) = 0 and f'(z) = 0. Value and slope decide, never the activation's name: tanh at z = 0 has slope 1 and is
# not off; a ReLU with z < 0 is off.
#
#   dead_unit_share          (units that are off for every training input) / units
#   dead                     1 if dead_unit_share = 1
#   saturated_share          for each fraction q of SLOPE_FRACTIONS: the share of all pairs (input, unit) that are not
#                            off and have |f'(z)| < q max |f'|, the maximum taken over SLOPE_GRID
#
# How to read them: a mean |g| that falls layer by layer toward the input is a vanishing gradient. If it is exactly 0 in
# all layers, and only the output's bias gets a gradient, a layer is dead and the gradient is blocked, not vanishing.
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
LOGGED_LOSS: Final = "log_loss"  # the loss as `fit` logged it in training mode; only for users' own networks
LOSS_IS_KNOWN: Final = "loss_is_known"  # an attribute; 0 if the training loss of a user's own network is unknown
UNIT_SPREAD: Final = "unit_spread"  # only for users' own networks
UNIT_SPREAD_TEXT: Final = "greatest difference between two units' weights from one input, over the greatest |weight|"
SATURATED_TEXT: Final = "share of (input, unit) pairs with |f'| below the fraction of its greatest, units off left out"
# One value per replica: the scale of inputs, targets and outputs, and whether these fit together. Variants of
# params.yaml have only `input_scale`, `input_decades`, `target_low`, `target_high` and `target_scale`.
REPLICA_VALUES: Final = {
    "input_scale": "root mean square of the first kernel's inputs before the first step",
    "input_decades": "powers of ten between the standard deviation of a typical input column (the median one, of two "
    "middle ones the lower) and the greatest",
    "nonfinite_share": "share of the training rows with a NaN or infinite input or target",
    "targets_told": "how much more alike the targets of similar rows are than shuffled targets, in standard deviations",
    "target_low": "smallest training target",
    "target_high": "greatest training target",
    "target_scale": "root mean square of the training targets",
    "output_low": "smallest output that the model can give, with any weights",
    "output_high": "greatest output that the model can give, with any weights",
    "targets_beyond": "share of the training targets outside the range of possible outputs",
    "output_misfit": "how the outputs fail to fit loss and targets, by its place in MISFITS",
    "input_kind": "kind of the inputs, by its place in INPUT_KINDS",
    "has_modes": "1 if a layer works differently in training mode, such as dropout or batch normalisation",
    "logged_alike": "1 if `fit` logs the loss of the same rows as the training loss, shuffled and each with weight 1",
}
# Attributes of a watched fit, as JSON: how it is judged (`data.reference.yardstick`), the scores of quick models on the
# same rows, and the outputs of a model with several.
YARDSTICK: Final = "yardstick"
REFERENCE: Final = "reference"
OUTPUTS: Final = "outputs"
PERFECT_LOSS: Final = "perfect_loss"  # `train_perfect_loss`: loss of outputs that equal the targets, if not 0
BASELINE_IS_KNOWN: Final = "baseline_is_known"  # an attribute; 1 if the baseline loss is known without a known task
UNJUDGED: Final = "unjudged"  # an attribute: why nothing can judge the fit, in words
FIT_FACT: Final = "fit_fact"  # numbers about what happens around the model; defined in `diagnosis.fit_facts`
FACT: Final = "fact"  # the dimension over their names
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
    "bypassed": "1 if a skip connection leads around the layer",
    "has_activation": "1 if an elementwise activation follows, of which value and slope are measured",
}
HIDDEN: Final = "hidden"
OUTPUT: Final = "output"
BESIDE: Final = "beside"  # an embedding's table, a normalisation's scale and the like: recorded, but no rule reads them

# `saturated_share` is recorded for each of these limits of |f'| / max |f'|, so that a new threshold needs no training.
SLOPE_FRACTIONS: Final = (0.001, 0.003, 0.01, 0.03, 0.06, 0.1, 0.3)
# The search for max |f'| tries these pre-activations, which include 0. They lie around 0, where initialisers put units,
# because the slope of an exponential has no maximum.
SLOPE_GRID: Final = tuple(np.linspace(-1, 1, 41).tolist())

# The edges between the bins of the histograms; the first and the last bin are open-ended. Gradient entries span many
# powers of ten on both sides of zero: two bins per power from 1e-12 to 100, and one bin around zero.
_MAGNITUDES = [float(np.float32(10 ** (half / 2))) for half in range(-24, 5)]
GRADIENT_EDGES: Final = (*(-magnitude for magnitude in reversed(_MAGNITUDES)), *_MAGNITUDES)
WEIGHT_EDGES: Final = tuple(quarter / 4 for quarter in range(-24, 25))
HISTOGRAMS: Final = {
    "gradient_histogram": ("gradient_bin", GRADIENT_EDGES, "entries of the probe gradient of the kernel in each bin"),
    "weight_histogram": ("weight_bin", WEIGHT_EDGES, "entries of the kernel in each bin"),
}
# The variables that a history file must have, and the variables that it may have, each with its dimensions.
REQUIRED: Final = {"train_loss": ("replica", "epoch"), **dict.fromkeys(LAYER_TABLE, ("layer",))}
OPTIONAL: Final = {
    **{f"{part}_{name}": ("replica", "epoch") for part in PARTS for name in ("loss", *SCORES, *FIT_SCORES)},
    **dict.fromkeys(LAYER_VALUES, BY_LAYER),
    LOGGED_LOSS: ("replica", "epoch"),
    UNIT_SPREAD: BY_LAYER,
    **dict.fromkeys(REPLICA_VALUES, ("replica",)),
    FIT_FACT: ("replica", FACT),
    SATURATED: (*BY_LAYER, "slope_fraction"),
    **{name: (*BY_LAYER, bins) for name, (bins, _, _) in HISTOGRAMS.items()},
}


@dataclass(frozen=True)
class Layer:
    """A row of the layer table; see LAYER_TABLE."""

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
    replica_values: Mapping[str, np.ndarray] | None = None,
) -> xr.Dataset:
    """Make a history from plain arrays.

    A training with pre-training adds the attribute `extra_epochs`: its epochs of pre-training, over all layers.

    Args:
        replicas: the numbers of the replicas.
        recorded_epochs: the epochs that have layer values.
        curves: [replica, epoch], by names such as `train_loss` and `test_accuracy`: a part of PARTS, then the loss or a
            score of the task.
        layer_values: [replica, recorded epoch, layer], by the names of LAYER_VALUES; NaN where there is no value.
            `saturated_share` has a further axis over SLOPE_FRACTIONS, each of HISTOGRAMS one over its bins.
        layers: the rows of the layer table.
        constant_losses: the baseline loss of each part: the loss of the best constant prediction.
        replica_values: [replica], by the names of REPLICA_VALUES.
    """
    coordinates: dict[str, np.ndarray | xr.Variable] = {
        "replica": np.asarray(replicas, np.int32),
        "epoch": np.arange(curves["train_loss"].shape[1], dtype=np.int32),
        "recorded_epoch": np.asarray(recorded_epochs, np.int32),
        "layer": np.arange(1, len(layers) + 1, dtype=np.int32),
    }
    if SATURATED in layer_values:
        coordinates["slope_fraction"] = np.asarray(SLOPE_FRACTIONS, np.float32)
    for name in (name for name in HISTOGRAMS if name in layer_values):
        bins, edges, _ = HISTOGRAMS[name]
        lower = np.asarray([-np.inf, *edges], np.float32)
        coordinates[bins] = xr.Variable(bins, lower, {"long_name": "lower edge of the bin"})
    variables: dict[str, _Variable] = {
        name: (("replica", "epoch"), np.ascontiguousarray(values, np.float32), {"long_name": curve_text(name, task)})
        for name, values in curves.items()
    }
    attributes: dict[str, str | float] = {"task": json.dumps(task.plain)}
    attributes |= {f"{part}_constant_loss": float(loss) for part, loss in constant_losses.items()}
    variables |= {
        name: (("replica",), np.ascontiguousarray(values, np.float32), {"long_name": REPLICA_VALUES[name]})
        for name, values in (replica_values or {}).items()
    }
    variables |= {**_by_layer(layer_values), **_table(layers)}
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _by_layer(layer_values: Mapping[str, np.ndarray]) -> dict[str, _Variable]:
    """Return the layer values as variables, in the types of the file."""
    variables: dict[str, _Variable] = {}
    for name, text in {**LAYER_VALUES, UNIT_SPREAD: UNIT_SPREAD_TEXT, SATURATED: SATURATED_TEXT}.items():
        if name in layer_values:
            number = np.int8 if name == "dead" else np.float32
            values = np.ascontiguousarray(layer_values[name], number)
            variables[name] = (OPTIONAL[name], values, {"long_name": text})
    for name, (_, _, text) in HISTOGRAMS.items():
        if name in layer_values:
            variables[name] = (OPTIONAL[name], np.ascontiguousarray(layer_values[name]), {"long_name": text})
    return variables


def _table(layers: Sequence[Layer]) -> dict[str, _Variable]:
    """Return the columns of the layer table as variables."""
    variables: dict[str, _Variable] = {}
    for name, text in LAYER_TABLE.items():
        column = np.asarray([getattr(layer, name) for layer in layers])
        if column.dtype.kind in "bi":
            column = column.astype(np.int8 if column.dtype.kind == "b" else np.int32)
        variables[name] = (("layer",), column, {"long_name": text})
    return variables


def with_fit_facts(history: xr.Dataset, facts: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return the history with facts of the fit: numbers about what happens around the model.

    Args:
        facts: [replica], by name; NaN where a number is unknown.
    """
    if not facts:
        return history
    names = sorted(facts)
    values = np.stack([np.asarray(facts[name], np.float32) for name in names], axis=1)
    text = {"long_name": "what happens around the model; one number for each fact"}
    return history.assign_coords({FACT: names}).assign({FIT_FACT: (OPTIONAL[FIT_FACT], values, text)})


def fit_facts(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the facts of the fit by name, [replica], NaN where unknown; empty for a record without them."""
    if FIT_FACT not in history:
        return {}
    values = history[FIT_FACT].values.astype(np.float64)
    return {str(name): values[:, place] for place, name in enumerate(history[FACT].values)}


def curve_text(name: str, task: Task) -> str:
    """Describe a curve, such as `train_loss` or `test_accuracy`, in words."""
    part, _, quantity = name.partition("_")
    text = task.of_kind.loss_name if quantity == "loss" else {**SCORES, **FIT_SCORES}[quantity]
    return f"{text}; on the whole {PARTS[part]} set, inference mode"


def count_type(entries: int) -> type[np.signedinteger]:
    """Return the smallest integer type of NetCDF 3 for the counts of a histogram of `entries` numbers."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if entries <= np.iinfo(kind).max)


def assemble_pretraining(replicas: Sequence[int], loss_name: str, kind: str, loss: np.ndarray) -> xr.Dataset:
    """Make the record of a greedy pre-training, in which the hidden layers are trained one by one.

    Args:
        loss_name: the loss in words.
        kind: `layer_wise` or `autoencoder`.
        loss: [replica, layer, epoch] on the whole training set, inference mode; epoch 0 is before the first step.
    """
    _, layers, epochs = loss.shape
    coordinates = {
        "replica": np.asarray(replicas, np.int32),
        "layer": np.arange(1, layers + 1, dtype=np.int32),
        "pretraining_epoch": np.arange(epochs, dtype=np.int32),
    }
    text = {"long_name": f"{loss_name} of the layer and its head on the whole training set, inference mode"}
    attributes = {"pretraining": kind, "extra_epochs": layers * (epochs - 1)}
    variables = {"loss": (tuple(coordinates), loss.astype(np.float32), text)}
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def task_of(history: xr.Dataset) -> Task:
    """Return the task of a history."""
    return Task.of(json.loads(history.attrs["task"]))


def parts_of(history: xr.Dataset) -> list[str]:
    """Return the parts of the data that have curves, in the order of PARTS."""
    return [part for part in PARTS if f"{part}_loss" in history]


def judged_part(history: xr.Dataset) -> str:
    """Return the part that judges replicas: the test set if it has curves, else the validation set or training set."""
    return parts_of(history)[-1]


def choosing_part(history: xr.Dataset) -> str:
    """Return the part by which the best replica is chosen: the validation set, or else the part that judges replicas.

    The validation set comes first, because replicas chosen by their test score look better than they are.
    """
    return "validation" if "validation" in parts_of(history) else judged_part(history)


def is_loss_known(history: xr.Dataset) -> bool:
    """Return whether the training loss was measured or logged; if not (a user's own model), its curve is NaN."""
    return bool(history.attrs.get(LOSS_IS_KNOWN, 1))


def is_baseline_known(history: xr.Dataset) -> bool:
    """Return whether the baseline loss is that of the best constant outputs; if not, it is the loss at the start."""
    return bool(history.attrs.get(BASELINE_IS_KNOWN, history.attrs.get("task_is_known", 1)))


def diverged(history: xr.Dataset) -> xr.DataArray:
    """Return bool [replica]: whether a loss was NaN or infinite at some epoch."""
    return ~finite_losses(history).all("epoch")


def finite_losses(history: xr.Dataset) -> xr.DataArray:
    """Return bool [replica, epoch]: whether the loss is finite on every part where it is known."""
    finite = [np.isfinite(history[f"{part}_loss"].values) for part in parts_of(history)]
    if not is_loss_known(history):
        finite[0] = np.ones_like(finite[0])
    return history.train_loss.copy(data=np.logical_and.reduce(finite))


def hidden(history: xr.Dataset) -> xr.Dataset:
    """Return the history of the hidden layers alone, because an output of exactly 0 blocks no gradient."""
    return history.isel(layer=np.flatnonzero(history.role.values == HIDDEN))


def output(history: xr.Dataset) -> xr.Dataset:
    """Return the history of the output layers."""
    return history.isel(layer=np.flatnonzero(history.role.values == OUTPUT))


def has_seen_units(history: xr.Dataset) -> bool:
    """Return whether the activation of any hidden layer was measured; otherwise nothing is known about dead units."""
    return bool((history.has_activation.values[history.role.values == HIDDEN] == 1).any())


def blocking(history: xr.Dataset) -> xr.DataArray:
    """Return bool [replica, recorded_epoch, layer]: whether a hidden layer is dead and has no skip connection."""
    layers = hidden(history)
    if "dead" not in layers:
        sizes = {name: layers.sizes[name] for name in BY_LAYER}
        return xr.DataArray(np.zeros(tuple(sizes.values()), bool), {name: layers[name] for name in sizes}, tuple(sizes))
    return (layers.dead == 1) & (layers.bypassed == 0)


def living(history: xr.Dataset) -> xr.DataArray:
    """Return bool [replica, recorded_epoch]: whether no hidden layer blocks the gradient; see `blocking`."""
    return ~blocking(history).any("layer")
