"""The two sides of a model: the scale of what it is given, and whether what it can give fits its loss and its targets.

Measured, not read from names: the signal that enters the first kernel is looked at on its way, and the outputs are
driven to their limits by the biases of the output layer. Only what a loss takes, labels, probabilities or logits, is
known by the loss's name. Nothing of the model changes: weights are replaced in a `StatelessScope` alone.
"""

import inspect
from collections.abc import Callable, Sequence
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

PAIRS: Final = 512  # of inputs and targets that are held against each other, evenly from first to last
ROWS: Final = 256  # of which the entering signal is measured
PUSHES: Final = (1e2, 1e4)  # that a float of 16 bits can hold; what the second one still moves far has no limit
CLOSE: Final = 1e-3
FAR: Final = 1e3  # times the targets' size, where outputs have no limit
# Losses that are others when their arguments change places; the second ones need several outputs.
ORDERED: Final = (keras.losses.binary_crossentropy, keras.losses.mean_absolute_percentage_error, keras.losses.poisson)
ORDERED_SHARES: Final = (keras.losses.categorical_crossentropy, keras.losses.kl_divergence)


def of_rows(inputs: Any, targets: Any) -> dict[str, float]:
    """Of all rows at hand: the share with a number that is not finite, and whether targets belong to inputs.

    Args:
        inputs, targets: arrays of [row, ...], or structures of them; None is passed over.
    """
    flat = [_flat(given) for given in (inputs, targets)]
    numbers = [leaf for leaves in flat for leaf in leaves if leaf.dtype.kind == "f"]
    broken = np.logical_or.reduce([~np.isfinite(leaf).all(axis=1) for leaf in numbers]) if numbers else np.zeros(1)
    found = {"nonfinite_share": float(broken.mean())}
    if all(flat) and all(leaf.dtype.kind in "biuf" for leaves in flat for leaf in leaves):
        some = np.unique(np.linspace(0, len(flat[0][0]) - 1, PAIRS).astype(int))
        return found | scales.of_pairs(*(np.concatenate([leaf[some] for leaf in leaves], axis=1) for leaves in flat))
    return found


def _flat(given: Any) -> list[np.ndarray]:
    """Each array as [row, number]."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(given) if leaf is not None]
    return [leaf.reshape(len(leaf), -1) for leaf in leaves if leaf.ndim]


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
    if misfit == "none":
        misfit = _misfit_of_own(model.loss, targets, (low, high), outputs.shape[2:])
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
    is_beside = loss in DISTANCES or (loss in CATEGORICAL and targets.ndim > 1 and targets.shape[-1] == units)
    if is_beside and sums_to_one and not _sum_to_one(targets, units):
        return "outputs that always sum to 1"
    if loss in DISTANCES and low == 0 and np.isinf(high) and set(np.unique(targets)) == {0, 1}:
        return "a rectified score"
    return "none"


def _misfit_of_own(loss: Any, targets: np.ndarray, limits: tuple[float, float], shape: tuple[int, ...]) -> str:
    """A name of MISFITS, for a function of the user's own that takes targets of the outputs' shape.

    Args:
        limits: of the outputs. shape: of the outputs for one row.
    """
    if not inspect.isroutine(loss) or prod(shape) * len(targets) != targets.size:
        return "none"
    given = targets.reshape(len(targets), *shape)

    def of(outputs: np.ndarray) -> float:
        return float(np.mean(loss(tf.constant(given, tf.float32), tf.constant(outputs, tf.float32))))

    try:
        if _is_swapped(of, given):
            return "a loss whose arguments are swapped"
        if _rewards_a_constant(of, given, limits):
            return "a loss that is no smaller where outputs are right"
    except Exception:  # a function for other numbers than these
        return "none"
    return "none"


def _is_swapped(of: Callable[[np.ndarray], float], targets: np.ndarray) -> bool:
    """Whether it gives what one of Keras's losses gives with targets and outputs in each other's place."""
    several = targets.ndim > 1 and targets.shape[-1] > 1
    some = np.random.default_rng(0).uniform(0.1, 0.9, targets.shape)
    guessed = (some / some.sum(axis=-1, keepdims=True) if several else some).astype(np.float32)
    found, given = of(guessed), targets.astype(np.float32)
    for known in (*ORDERED, *(ORDERED_SHARES if several else ())):
        right, swapped = float(np.mean(known(given, guessed))), float(np.mean(known(guessed, given)))
        if np.isclose(found, swapped, rtol=1e-3) and not np.isclose(found, right, rtol=1e-3):
            return True
    return False


def _rewards_a_constant(of: Callable[[np.ndarray], float], targets: np.ndarray, limits: tuple[float, float]) -> bool:
    """Whether one output for all rows, at a limit, costs no more than the targets themselves as outputs do."""
    if np.ptp(targets, axis=0).max() == 0:
        return False
    far = FAR * (1 + float(np.abs(targets).max()))
    low, high = np.clip(limits, -far, far)
    right = of(np.clip(targets, low, high))
    constants = [of(np.full_like(targets, each)) for each in (low, high)]
    return bool(np.isfinite(right)) and any(each <= right for each in constants if np.isfinite(each))


def _sum_to_one(targets: np.ndarray, units: int) -> bool:
    return targets.ndim > 1 and targets.shape[-1] == units and bool(np.allclose(targets.sum(axis=-1), 1, atol=CLOSE))
