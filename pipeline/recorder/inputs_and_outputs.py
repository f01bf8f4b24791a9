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

from pipeline.history import scales
from pipeline.history.record import INPUT_KINDS, MISFITS, OUTPUT
from pipeline.models.objective import CATEGORICAL, CLASSES, DISTANCES, TWO_CLASSES, loss_of
from pipeline.recorder.layers import BESIDE, Row, every_layer
from pipeline.recorder.probe import Probe, Rows
from pipeline.recorder.replaced_attributes import replaced

PAIRS: Final = 512  # of inputs and targets that are held against each other, evenly from first to last
# Whole numbers from 0 on whose greatest lies in this range are pixels, where a row has as many as a small picture.
PIXELS: Final = (128, 255)
SMALL_PICTURE: Final = 8 * 8
OF_PICTURES: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.MaxPooling2D)
OF_SEQUENCES: Final = (keras.layers.RNN, keras.layers.Conv1D, keras.layers.MultiHeadAttention)
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


def of_inputs(model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows) -> dict[str, float]:
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
        for some in probe.pieces(probe.few(data, ROWS)):
            model(some.inputs, **mode)
    if not entered:
        return {}
    return scales.of_inputs(np.concatenate([each.reshape(-1, each.shape[-1]) for each in entered]))


def of_kind(model: keras.Model, data: Rows) -> dict[str, float]:
    """`input_kind`: by the shape and the numbers of the inputs, and the layers that take them."""
    layers = every_layer(model)
    are_ids = any(isinstance(layer, keras.layers.Embedding) for layer in layers)
    kinds = {_kind_of(np.asarray(leaf), layers, are_ids) for leaf in keras.tree.flatten(data.inputs)}
    return {"input_kind": float(INPUT_KINDS.index(kinds.pop() if len(kinds) == 1 else "other"))}


def _kind_of(values: np.ndarray, layers: Sequence[Any], are_ids: bool) -> str:
    """A name of INPUT_KINDS."""
    if values.dtype.kind not in "biuf":
        return "other"
    are_whole = bool((values == np.round(values)).all())
    if are_whole and are_ids:
        return "ids"
    low, high = PIXELS
    are_many = prod(values.shape[1:]) >= SMALL_PICTURE
    are_pixels = are_whole and are_many and values.min() >= 0 and low <= values.max() <= high
    if are_pixels or any(isinstance(layer, OF_PICTURES) for layer in layers):
        return "pictures"
    if any(isinstance(layer, OF_SEQUENCES) for layer in layers):
        return "sequences"
    return "table" if values.ndim <= 2 else "other"


def of_outputs(
    model: keras.Model, rows: Sequence[Row], probe: Probe, data: Rows, has_all_pairs: bool = False
) -> dict[str, float]:
    """The range of the targets and of the outputs, and whether they fit each other and the loss; nothing of a model
    that has not one output and one target.

    Args:
        has_all_pairs: whether the training step takes differences (n, n) of numbers (n,) and (n, 1); it counts where
            the step is the user's own, whose loss nobody else can call.
    """
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
        misfit = _misfit_of_own(model, probe, data, (low, high), outputs.shape[2:])
    has_own_step = type(model).train_step is not keras.Model.train_step
    if misfit == "none" and has_own_step and has_all_pairs and targets.ndim == 1 and outputs.shape[2:] == (1,):
        misfit = "a loss that holds each output against all targets"
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
    some = probe.few(data, ROWS)
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


def _misfit_of_own(
    model: keras.Model, probe: Probe, data: Rows, limits: tuple[float, float], shape: tuple[int, ...]
) -> str:
    """A name of MISFITS, for a loss of the user's own that takes targets of the outputs' shape, or of one that lacks a
    last dimension of 1: a function, a `Loss` or a `compute_loss`.

    Args:
        limits: of the outputs. shape: of the outputs for one row.
    """
    (targets,) = keras.tree.flatten(data.targets)
    as_given = np.asarray(targets, np.float32)
    if not _is_own(model) or prod(shape) * len(as_given) != as_given.size:
        return "none"
    right = as_given.reshape(len(as_given), *shape)

    def of(targets: np.ndarray) -> Callable[[np.ndarray], float]:
        rows = Rows(data.inputs, keras.tree.pack_sequence_as(data.targets, [tf.constant(targets)]), None)
        return lambda outputs: probe.loss_of(rows, tf.constant(outputs, tf.float32))

    try:
        if _is_swapped(of(as_given), right):
            return "a loss whose arguments are swapped"
        # Squares of all differences between n outputs and n targets are least where all outputs are the targets' mean.
        mean = [np.broadcast_to(right.mean(axis=0), right.shape)]
        is_spread = as_given.ndim != right.ndim and _rewards_a_constant(of(as_given), right, right, mean)
        if is_spread and not _rewards_a_constant(of(right), right, right, mean):
            return "a loss that holds each output against all targets"
        far = FAR * (1 + float(np.abs(right).max()))
        low, high = np.clip(limits, -far, far)
        ends = [np.full_like(right, each) for each in (low, high)]
        if _rewards_a_constant(of(as_given), right, np.clip(right, low, high), ends):
            return "a loss that is no smaller where outputs are right"
    except Exception:  # a loss for other numbers than these
        return "none"
    return "none"


def _is_own(model: keras.Model) -> bool:
    """Whether the loss is none of Keras's: by the module that defines it."""
    if type(model).compute_loss is not keras.Model.compute_loss:
        return True
    loss = model.loss
    made_by = loss if inspect.isroutine(loss) else type(loss)
    return callable(loss) and not str(getattr(made_by, "__module__", "")).startswith("keras.")


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


def _rewards_a_constant(
    of: Callable[[np.ndarray], float], targets: np.ndarray, right: np.ndarray, constants: Sequence[np.ndarray]
) -> bool:
    """Whether one output for all rows costs no more than outputs that are right."""
    if np.ptp(targets, axis=0).max() == 0:
        return False
    least, costs = of(right), [of(each) for each in constants]
    return bool(np.isfinite(least)) and any(each <= least for each in costs if np.isfinite(each))


def _sum_to_one(targets: np.ndarray, units: int) -> bool:
    return targets.ndim > 1 and targets.shape[-1] == units and bool(np.allclose(targets.sum(axis=-1), 1, atol=CLOSE))
