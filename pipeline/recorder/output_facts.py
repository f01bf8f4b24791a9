"""Measure the range of a model's possible outputs, and whether outputs, targets and loss fit together.

Extreme biases of the output layer drive the outputs to their limits. They are set in a `StatelessScope`, so the model
does not change. The loss's name tells whether it takes labels, probabilities or logits.
"""

from collections.abc import Sequence
from math import prod
from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Array
from pipeline.history import scales
from pipeline.history.record import MISFITS, OUTPUT
from pipeline.models.loss_names import CATEGORICAL, CLASSES, DISTANCES, TWO_CLASSES, loss_of
from pipeline.recorder.layers import Row, batch_size, every_layer
from pipeline.recorder.own_loss import misfit_of_own_loss
from pipeline.recorder.probe import Probe, Rows

# Sizes of biases, both within float16. An output has no limit if it grows in proportion to the bias.
PUSHES: Final = (1e2, 1e4)
PUSHED_ROWS: Final = 64  # with a kernel of 0, nearly all models give all rows the same outputs
CLOSE: Final = 1e-3  # relative to 1 + |target|: far above the rounding of float32, far below any useful error
# Faults that are newer than the record's MISFITS; their places follow on. `rules.model_rules` has the same names.
LATER_MISFITS: Final = ("probabilities that cannot come near 0 or 1", "outputs that depend on the other rows")
NARROW: Final = 0.25  # of one sigmoid unit; no probability comes nearer to 0 or to 1
MIXED: Final = 0.01  # relative difference of the outputs of a row among different others; rounding is below 0.0001
FEW_ROWS: Final = 4  # whose outputs are compared, with as many other rows in the batch


def of_outputs(
    model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows, has_all_pairs: bool = False
) -> dict[str, float]:
    """Return range and misfit of targets and outputs; only the targets' range if that of the outputs is unknown.

    Without finite targets, empty. For several targets, only the scale of the largest targets that are numbers.

    Args:
        has_all_pairs: whether the training step subtracts shapes (n, 1) and (n,) from each other. It is used only for a
            user's own training step, because the loss in such a step cannot be called.
    """
    leaves = keras.tree.flatten(data.targets)
    if len(leaves) > 1:
        return _largest_scale(leaves, probe, data)
    if leaves[0] is None:
        return {}
    targets = np.asarray(leaves[0], np.float64)
    facts = scales.of_targets(targets)
    if not facts:
        return {}
    pushed = _pushed(rows, probe, data)
    if pushed is None:
        return facts
    outputs, losses = pushed
    low, high = _limits(outputs)
    loss, from_logits = loss_of(model)
    facts |= {"output_low": low, "output_high": high, "targets_beyond": 0.0}
    if loss in DISTANCES:
        finite = targets[np.isfinite(targets)]
        margin = CLOSE * (1 + np.abs(finite))
        facts["targets_beyond"] = float(((finite < low - margin) | (finite > high + margin)).mean())
    misfit = _misfit(loss, from_logits, outputs, losses, (low, high), targets)
    takes_probabilities = loss in (*TWO_CLASSES, *CLASSES) and not from_logits
    has_unit_per_output = [row.units for row in rows if row.role == OUTPUT][-1] == outputs.shape[-1]
    if misfit == "none" and takes_probabilities and has_unit_per_output and _is_narrow(outputs, (low, high)):
        misfit = "probabilities that cannot come near 0 or 1"
    if misfit == "none":
        misfit = misfit_of_own_loss(model, probe, data, (low, high), outputs.shape[2:])
    has_own_step = type(model).train_step is not keras.Model.train_step
    if misfit == "none" and has_own_step and has_all_pairs and targets.ndim == 1 and outputs.shape[2:] == (1,):
        misfit = "a loss that holds each output against all targets"
    if misfit in ("none", "constant output") and _mixes_rows(model, probe, data):
        misfit = "outputs that depend on the other rows"
    return facts | {"output_misfit": float((*MISFITS, *LATER_MISFITS).index(misfit))}


def _largest_scale(targets: Sequence[Array | None], probe: Probe, data: Rows) -> dict[str, float]:
    """Return `target_scale` of the output with the largest targets, among outputs whose targets are numbers."""
    outputs = keras.tree.flatten(probe.evaluate(probe.state(), probe.few(data, 1)).outputs)
    if len(outputs) != len(targets):
        return {}
    scales_of_outputs = []
    for target, output in zip(targets, outputs, strict=True):
        values = None if target is None else np.asarray(target)
        if values is None or values.dtype.kind not in "biuf" or len(np.unique(values)) <= 2:
            continue  # two values are labels
        if values.shape[1:] in (np.shape(output)[1:], np.shape(output)[1:-1]) and values.size == len(values) * prod(
            np.shape(output)[1:]
        ):
            scales_of_outputs.append(scales.of_targets(values.astype(np.float64)).get("target_scale", 0.0))
    return {"target_scale": max(scales_of_outputs)} if scales_of_outputs else {}


# Batch normalisation that always works in training mode mixes rows, too; `batch_statistics` is its cause. Both batches
# have the same size, so layers that draw random numbers draw the same ones for both.
def _mixes_rows(model: keras.Model, probe: Probe, data: Rows) -> bool:
    """Return whether the outputs of some rows change with the other rows of the batch, in inference mode."""
    if batch_size(model) is not None or data.size < 3 * FEW_ROWS:
        return False
    if any(isinstance(each, keras.layers.BatchNormalization) for each in every_layer(model)):
        return False
    few = np.arange(FEW_ROWS)
    first, again, other = (
        _outputs_of(probe, data, np.concatenate([few, few + shift * FEW_ROWS])) for shift in (1, 1, 2)
    )
    if len(first) != 2 * FEW_ROWS or not np.array_equal(first, again):
        return False
    return bool(np.abs(first - other)[:FEW_ROWS].max() > MIXED * np.abs(first).max())


def _outputs_of(probe: Probe, data: Rows, places: Array) -> Array:
    """Return the first output for some rows."""
    rows = Rows(*keras.tree.map_structure(lambda leaf: None if leaf is None else np.asarray(leaf)[places], tuple(data)))
    return np.asarray(keras.tree.flatten(probe.evaluate(probe.state(), Rows.of(*rows)).outputs)[0], np.float64)


def _pushed(rows: Sequence[Row], probe: Probe, data: Rows) -> tuple[Array, Array] | None:
    """Return outputs [push, row, ..., unit] and losses [push] with extreme biases of the output layer.

    The layer's kernel is 0. Its biases are pushed up and down: all units together, the first against the others, and
    the first alone, down.
    Rows with NaN outputs are left out, because 0 times NaN is NaN. Returns None if the output layer has no bias, or if
    there are several outputs.
    """
    output_rows = [row for row in rows if row.role == OUTPUT]
    owner = output_rows[-1].owner if output_rows else None
    bias = getattr(owner, "bias", None)
    if bias is None or len({id(row.owner) for row in output_rows}) != 1:
        return None
    first = np.zeros(bias.shape, np.float32)
    first.flat[0] = 1.0
    few = probe.few(data, PUSHED_ROWS)
    outputs, losses = [], []
    for size in PUSHES:
        for direction in (np.ones_like(first), -np.ones_like(first), 2 * first - 1, 1 - 2 * first, -first):
            forward = probe.with_weights({id(bias): size * direction, id(output_rows[-1].variable): 0.0}, few)
            leaves = keras.tree.flatten(forward.outputs)
            if len(leaves) != 1:
                return None
            outputs.append(np.asarray(leaves[0], np.float64))
            losses.append(forward.loss)
    pushed = np.stack(outputs)
    has_no_nan = ~np.isnan(pushed).any(axis=(0, *range(2, pushed.ndim)))
    return (pushed[:, has_no_nan], np.array(losses)) if has_no_nan.any() else None


def _limits(outputs: Array) -> tuple[float, float]:
    """Return the least and the greatest output; infinite if it grows in proportion to the push."""
    weak, strong = np.split(outputs, 2)
    low, high = float(strong.min()), float(strong.max())
    ratio = PUSHES[1] / PUSHES[0] / 10
    low = -np.inf if low < 0 and low < ratio * min(weak.min(), -CLOSE) else low
    return low, np.inf if high > 0 and high > ratio * max(weak.max(), CLOSE) else high


def _misfit(
    loss: str, from_logits: bool, outputs: Array, losses: Array, limits: tuple[float, float], targets: Array
) -> str:
    """Return a name of MISFITS for one of Keras's losses."""
    low, high = limits
    units = outputs.shape[-1]
    takes_probabilities = loss in (*TWO_CLASSES, *CLASSES)
    are_probabilities = low >= -CLOSE and high <= 1 + CLOSE
    sums_to_one = units > 1 and bool(np.allclose(outputs.sum(axis=-1), 1, atol=CLOSE))
    if high - low < CLOSE:
        return "constant output"
    if takes_probabilities and np.isfinite(losses).all() and np.ptp(losses) == 0:
        return "constant loss"
    most = 1 if loss in (*TWO_CLASSES, *CATEGORICAL) else units - 1
    if takes_probabilities and (targets.max() > most or targets.min() < 0):
        return "labels beyond the outputs"
    if takes_probabilities and not from_logits and not are_probabilities:
        return "outputs that are no probabilities"
    if takes_probabilities and from_logits and are_probabilities:
        return "probabilities where the loss takes logits"
    if loss in CLASSES and not from_logits and units > 1 and not sums_to_one:
        return "outputs that do not sum to 1"
    compares_each_unit = loss in DISTANCES or (
        loss in (*TWO_CLASSES, *CATEGORICAL) and targets.ndim > 1 and targets.shape[-1] == units
    )
    if compares_each_unit and sums_to_one and not _sum_to_one(targets, units):
        return "outputs that always sum to 1"
    if loss in DISTANCES and low == 0 and np.isinf(high) and set(np.unique(targets)) == {0, 1}:
        return "a rectified score"
    return "none"


def _is_narrow(outputs: Array, limits: tuple[float, float]) -> bool:
    """Return whether no bias makes a class nearly impossible, as behind two softmax layers, or behind `relu`.

    Args:
        outputs: the outputs by push; the last push of each size is the first unit alone, down.
    """
    units = outputs.shape[-1]
    if units > 1:
        sums_to_one = np.allclose(outputs.sum(axis=-1), 1, atol=CLOSE)
        return bool(sums_to_one and outputs[-1][..., 0].min() > 0.5 / units)
    low, high = limits
    return low > NARROW or high < 1 - NARROW


def _sum_to_one(targets: Array, units: int) -> bool:
    return targets.ndim > 1 and targets.shape[-1] == units and bool(np.allclose(targets.sum(axis=-1), 1, atol=CLOSE))
