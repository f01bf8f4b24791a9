"""Whether a user's own loss is least where outputs are right, tried on outputs that are known to be right or wrong."""

import inspect
from collections.abc import Callable, Sequence
from math import prod
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.recorder.probe import Probe, Rows

FAR: Final = 1e3  # times the targets' size, where outputs have no limit
# Losses that change when their arguments change places; those of the second line need several outputs.
ORDERED: Final = (keras.losses.binary_crossentropy, keras.losses.mean_absolute_percentage_error, keras.losses.poisson)
ORDERED_SHARES: Final = (keras.losses.categorical_crossentropy, keras.losses.kl_divergence)
LossOf = Callable[[Array], float]  # takes outputs


def misfit_of_own_loss(
    model: keras.Model, probe: Probe, data: Rows, limits: tuple[float, float], shape: tuple[int, ...]
) -> str:
    """Return a name of MISFITS: "none" for a loss of Keras's, or for targets of another shape than the outputs'.

    The loss may be a function, a `Loss` or a `compute_loss`. Targets may lack a last dimension of 1.

    Args:
        limits: least and greatest output. shape: of the outputs for one row.
    """
    (targets,) = keras.tree.flatten(data.targets)
    as_given = np.asarray(targets, np.float32)
    if not _is_own(model) or prod(shape) * len(as_given) != as_given.size:
        return "none"
    right = as_given.reshape(len(as_given), *shape)

    def loss_for(targets: Array) -> LossOf:
        rows = Rows(data.inputs, keras.tree.pack_sequence_as(data.targets, [tf.constant(targets)]), None)
        return lambda outputs: probe.loss_of(rows, tf.constant(outputs, tf.float32))

    try:
        if _is_swapped(loss_for(as_given), right):
            return "a loss whose arguments are swapped"
        # Squares of all n x n differences are least where all outputs are the targets' mean.
        mean = [np.broadcast_to(right.mean(axis=0), right.shape)]
        is_spread = as_given.ndim != right.ndim and _rewards_a_constant(loss_for(as_given), right, right, mean)
        if is_spread and not _rewards_a_constant(loss_for(right), right, right, mean):
            return "a loss that holds each output against all targets"
        far = FAR * (1 + float(np.abs(right).max()))
        low, high = np.clip(limits, -far, far)
        ends = [np.full_like(right, each) for each in (low, high)]
        if _rewards_a_constant(loss_for(as_given), right, np.clip(right, low, high), ends):
            return "a loss that is no smaller where outputs are right"
    except Exception:  # a loss for other numbers than these
        return "none"
    return "none"


def _is_own(model: keras.Model) -> bool:
    """Return whether the loss is defined outside Keras."""
    if type(model).compute_loss is not keras.Model.compute_loss:
        return True
    loss = model.loss
    definition = loss if inspect.isroutine(loss) else type(loss)
    return callable(loss) and not str(getattr(definition, "__module__", "")).startswith("keras.")


def _is_swapped(loss_of: LossOf, targets: Array) -> bool:
    """Return whether the loss is one of Keras's with targets and outputs in each other's place."""
    has_several = targets.ndim > 1 and targets.shape[-1] > 1
    some = np.random.default_rng(0).uniform(0.1, 0.9, targets.shape)
    outputs = (some / some.sum(axis=-1, keepdims=True) if has_several else some).astype(np.float32)
    loss, targets = loss_of(outputs), targets.astype(np.float32)
    for known in (*ORDERED, *(ORDERED_SHARES if has_several else ())):
        right, swapped = float(np.mean(known(targets, outputs))), float(np.mean(known(outputs, targets)))
        if np.isclose(loss, swapped, rtol=1e-3) and not np.isclose(loss, right, rtol=1e-3):
            return True
    return False


def _rewards_a_constant(loss_of: LossOf, targets: Array, right: Array, constants: Sequence[Array]) -> bool:
    """Return whether one output for all rows costs no more than outputs that are right."""
    if np.ptp(targets, axis=0).max() == 0:
        return False
    least, costs = loss_of(right), [loss_of(each) for each in constants]
    return bool(np.isfinite(least)) and any(each <= least for each in costs if np.isfinite(each))
