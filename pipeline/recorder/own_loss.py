"""Check whether a user's own loss is lowest for right outputs, by trying outputs known to be right or wrong."""

import inspect
from collections.abc import Callable, Sequence
from math import prod
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.recorder.probe import Probe, Rows

CLOSE: Final = 1e-4  # relative difference of two losses that is rounding
FAR: Final = 1e3  # limits of outputs are clipped at this multiple of 1 + the largest |target|
# Keras's losses that change if targets and outputs are swapped; ASYMMETRIC_ON_SHARES need several outputs.
ASYMMETRIC: Final = (
    keras.losses.binary_crossentropy,
    keras.losses.mean_absolute_percentage_error,
    keras.losses.poisson,
)
ASYMMETRIC_ON_SHARES: Final = (keras.losses.categorical_crossentropy, keras.losses.kl_divergence)
LossOf = Callable[[Array], float]  # takes outputs


def misfit_of_own_loss(
    model: keras.Model, probe: Probe, data: Rows, limits: tuple[float, float], shape: tuple[int, ...]
) -> str:
    """Return a name of MISFITS; "none" for Keras's own losses, or if targets and outputs differ in shape.

    The user's loss may be a function, a `Loss` or a `compute_loss`. Targets may lack a last dimension of 1.

    Args:
        limits: the least and the greatest output.
        shape: the shape of the outputs for one row.
    """
    (targets,) = keras.tree.flatten(data.targets)
    original_targets = np.asarray(targets, np.float32)
    if not _is_own(model) or prod(shape) * len(original_targets) != original_targets.size:
        return "none"
    right = original_targets.reshape(len(original_targets), *shape)

    def loss_for(targets: Array) -> LossOf:
        rows = Rows(data.inputs, keras.tree.pack_sequence_as(data.targets, [tf.constant(targets)]), None)
        return lambda outputs: probe.loss_of(rows, tf.constant(outputs, tf.float32))

    try:
        if _is_swapped(loss_for(original_targets), right):
            return "a loss whose arguments are swapped"
        # The sum of all n x n squared differences is lowest if every output is the targets' mean.
        mean = [np.broadcast_to(right.mean(axis=0), right.shape)]
        has_all_pairs = original_targets.ndim != right.ndim and _rewards_a_constant(
            loss_for(original_targets), right, right, mean
        )
        if has_all_pairs and not _rewards_a_constant(loss_for(right), right, right, mean):
            return "a loss that holds each output against all targets"
        if _rewards_a_constant(loss_for(original_targets), right, right, mean):
            of_others = loss_for(original_targets)(np.roll(right, 1, axis=0))
            if np.isclose(of_others, loss_for(original_targets)(right), rtol=CLOSE):
                return "a loss that holds each output against all targets"
            return "a loss that is no smaller where outputs are right"
        far = FAR * (1 + float(np.abs(right).max()))
        low, high = np.clip(limits, -far, far)
        ends = [np.full_like(right, each) for each in (low, high)]
        if _rewards_a_constant(loss_for(original_targets), right, np.clip(right, low, high), ends):
            return "a loss that is no smaller where outputs are right"
    except Exception:  # the loss does not take these outputs
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
    """Return whether the loss equals one of Keras's losses with targets and outputs swapped."""
    has_several = targets.ndim > 1 and targets.shape[-1] > 1
    random_values = np.random.default_rng(0).uniform(0.1, 0.9, targets.shape)
    outputs = (random_values / random_values.sum(axis=-1, keepdims=True) if has_several else random_values).astype(
        np.float32
    )
    loss, targets = loss_of(outputs), targets.astype(np.float32)
    for known in (*ASYMMETRIC, *(ASYMMETRIC_ON_SHARES if has_several else ())):
        right, swapped = float(np.mean(known(targets, outputs))), float(np.mean(known(outputs, targets)))
        if np.isclose(loss, swapped, rtol=1e-3) and not np.isclose(loss, right, rtol=1e-3):
            return True
    return False


def _rewards_a_constant(loss_of: LossOf, targets: Array, right: Array, constants: Sequence[Array]) -> bool:
    """Return whether some constant output has no higher loss than the right outputs."""
    if np.ptp(targets, axis=0).max() == 0:
        return False
    right_loss, constant_losses = loss_of(right), [loss_of(each) for each in constants]
    return bool(np.isfinite(right_loss)) and any(each <= right_loss for each in constant_losses if np.isfinite(each))
