"""The two sides of a model: the scale of what it is given, and whether what it can give fits its loss and its targets.

Measured, not read from names: the signal that enters the first kernel is looked at on its way, and the outputs are
driven to their limits by the biases of the output layer. Only what a loss takes, labels, probabilities or logits, is
known by the loss's name. Nothing of the model changes: weights are replaced in a `StatelessScope` alone.
"""

import inspect
from collections.abc import Sequence
from math import prod
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.history.record import MISFITS, OUTPUT
from pipeline.training import scales
from pipeline.training.fit.layers import BESIDE, Row
from pipeline.training.fit.objective import CATEGORICAL, CLASSES, DISTANCES, TWO_CLASSES, loss_of
from pipeline.training.fit.probe import Probe, Rows
from pipeline.training.fit.replaced import replaced

ROWS: Final = 256  # of which the entering signal is measured
PUSHES: Final = (1e2, 1e4)  # that a float of 16 bits can hold; what the second one still moves far has no limit
CLOSE: Final = 1e-3
# Losses that are others when their arguments change places; the second ones need several outputs.
ORDERED: Final = (keras.losses.binary_crossentropy, keras.losses.mean_absolute_percentage_error, keras.losses.poisson)
ORDERED_SHARES: Final = (keras.losses.categorical_crossentropy, keras.losses.kl_divergence)


def of_rows(inputs: Any, targets: Any) -> dict[str, float]:
    """Of all rows at hand: the share with a number that is not finite.

    Args:
        inputs, targets: arrays of [row, ...], or structures of them; None is passed over.
    """
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten((inputs, targets)) if leaf is not None]
    numbers = [leaf.reshape(len(leaf), -1) for leaf in leaves if leaf.ndim and leaf.dtype.kind == "f"]
    if not numbers:
        return {"nonfinite_share": 0.0}
    broken = np.logical_or.reduce([~np.isfinite(leaf).all(axis=1) for leaf in numbers])
    return {"nonfinite_share": float(broken.mean())}


def of_inputs(model: keras.Model, rows: Sequence[Row], data: Rows) -> dict[str, float]:
    """`input_scale` and `input_decades` of what enters the first kernel; nothing where a layer that learns comes first,
    as an embedding or a normalisation does."""
    entered: list[np.ndarray] = []
    first: list[Any] = []
    owners = {id(row.owner): row for row in rows}

    def looking(row: Row) -> Any:
        call = row.owner.call

        def looked(signal: Any, *args: Any, **kwargs: Any) -> Any:
            if not first:
                first.append(row)
            if first[0] is row and row.role != BESIDE and tf.is_tensor(signal) and signal.dtype.is_floating:
                entered.append(np.asarray(signal, np.float64))
            return call(signal, *args, **kwargs)

        return looked

    with replaced([(row.owner, "call", looking(row)) for row in owners.values()]), keras.StatelessScope():
        mode = {"training": False} if getattr(model, "_call_has_training_arg", True) else {}
        model(data.some(0, ROWS).inputs, **mode)
    if not entered:
        return {}
    return scales.of_inputs(np.concatenate([each.reshape(-1, each.shape[-1]) for each in entered]))


def of_outputs(model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows) -> dict[str, float]:
    """The range of the targets and of the outputs, and whether they fit each other and the loss; nothing of a model
    that has not one output and one target."""
    found = keras.tree.flatten(data.targets)
    if len(found) != 1 or found[0] is None:
        return {}
    targets = np.asarray(found[0], np.float64)
    facts = scales.of_targets(targets)
    if not facts:
        return {}
    finite = targets[np.isfinite(targets)]
    pushed = _pushed(rows, probe, data)
    if pushed is None:
        return facts
    outputs, losses = pushed
    low, high = _limits(outputs)
    margin = CLOSE * (1 + np.abs(finite))
    loss, from_logits = loss_of(model)
    facts |= {"output_low": low, "output_high": high}
    compared = loss in DISTANCES
    facts["targets_beyond"] = float(((finite < low - margin) | (finite > high + margin)).mean()) if compared else 0.0
    misfit = _misfit(loss, from_logits, outputs, losses, (low, high), targets)
    if misfit == "none" and _is_swapped(model.loss, targets, outputs.shape[2:]):
        misfit = "a loss whose arguments are swapped"
    return facts | {"output_misfit": float(MISFITS.index(misfit))}


def _pushed(rows: Sequence[Row], probe: Probe, data: Rows) -> tuple[np.ndarray, np.ndarray] | None:
    """Outputs [push, row, ..., unit] and losses [push] with the output layer's biases driven to either side and its
    kernel at 0; both sides, all units alike and the first against the others. Rows whose signals are not finite, which
    a kernel of 0 does not silence, are left out."""
    last = [row for row in rows if row.role == OUTPUT]
    owner = last[-1].owner if last else None
    bias = getattr(owner, "bias", None)
    if bias is None or len({id(row.owner) for row in last}) != 1:
        return None
    first = np.zeros(bias.shape, np.float32)
    first.flat[0] = 1.0
    some = data.some(0, ROWS)
    outputs, losses = [], []
    for size in PUSHES:
        for direction in (np.ones_like(first), -np.ones_like(first), 2 * first - 1, 1 - 2 * first):
            seen = probe.with_weights({id(bias): size * direction, id(last[-1].variable): 0.0}, some)
            given = keras.tree.flatten(seen.outputs)
            if len(given) != 1:
                return None
            outputs.append(np.asarray(given[0], np.float64))
            losses.append(seen.loss)
    pushed = np.stack(outputs)
    known = ~np.isnan(pushed).any(axis=(0, *range(2, pushed.ndim)))
    return (pushed[:, known], np.array(losses)) if known.any() else None


def _limits(outputs: np.ndarray) -> tuple[float, float]:
    """The least and the greatest; infinite where the stronger push moves it in proportion."""
    weak, strong = np.split(outputs, 2)
    low, high = float(strong.min()), float(strong.max())
    ratio = PUSHES[1] / PUSHES[0] / 10
    low = -np.inf if low < 0 and low < ratio * min(weak.min(), -CLOSE) else low
    return low, np.inf if high > 0 and high > ratio * max(weak.max(), CLOSE) else high


def _misfit(
    loss: str,
    from_logits: bool,
    outputs: np.ndarray,
    losses: np.ndarray,
    limits: tuple[float, float],
    targets: np.ndarray,
) -> str:
    """A name of MISFITS."""
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
    if loss in DISTANCES and sums_to_one and not _sum_to_one(targets, units):
        return "outputs that always sum to 1"
    if loss in DISTANCES and low == 0 and np.isinf(high) and set(np.unique(targets)) == {0, 1}:
        return "a rectified score"
    return "none"


def _is_swapped(loss: Any, targets: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a function of the user's own gives what one of Keras's losses gives with targets and outputs in each
    other's place.

    Args:
        shape: of the outputs for one row.
    """
    if not inspect.isroutine(loss) or prod(shape) * len(targets) != targets.size:
        return False
    several = bool(shape) and shape[-1] > 1
    some = np.random.default_rng(0).uniform(0.1, 0.9, (len(targets), *shape))
    given = tf.constant(targets.reshape(some.shape), tf.float32)
    guessed = tf.constant(some / some.sum(axis=-1, keepdims=True) if several else some, tf.float32)
    try:
        found = float(np.mean(loss(given, guessed)))
    except Exception:  # a function for other numbers than these
        return False
    for known in (*ORDERED, *(ORDERED_SHARES if several else ())):
        right, swapped = float(np.mean(known(given, guessed))), float(np.mean(known(guessed, given)))
        if np.isclose(found, swapped, rtol=1e-3) and not np.isclose(found, right, rtol=1e-3):
            return True
    return False


def _sum_to_one(targets: np.ndarray, units: int) -> bool:
    return targets.ndim > 1 and targets.shape[-1] == units and bool(np.allclose(targets.sum(axis=-1), 1, atol=CLOSE))
