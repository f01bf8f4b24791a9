"""Summarise kernels, their changes and their gradients, as one number or histogram for each.

NumPy computes the numbers: a compiled function would take longer to trace than most trainings take to measure.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.history.record import GRADIENT_EDGES, WEIGHT_EDGES


def kernel_summary(
    gradients: Sequence[tf.Tensor], now: Sequence[tf.Tensor], before: Sequence[tf.Tensor] | None, has_histograms: bool
) -> dict[str, Array]:
    """Return values [kernel] and histograms [kernel, bin], by names of the record.

    Args:
        gradients: the gradient of each kernel; empty without gradients, whose values are then left out.
        now: the kernels.
        before: the kernels one epoch ago; None if unknown, then their change is left out.
        has_histograms: whether to add histograms.
    """
    kernels, kernel_gradients = _arrays(now), _arrays(gradients)
    values: dict[str, Array] = {
        "weight_l1": np.array([np.abs(each).sum() for each in kernels], np.float32),
        "unit_spread": np.array([_unit_spread(each) for each in kernels], np.float32),
    }
    if before is not None:
        changes = [np.abs(after - kernel).sum() for after, kernel in zip(kernels, _arrays(before), strict=True)]
        values["weight_change_l1"] = np.array(changes, np.float32)
    if kernel_gradients:
        values["probe_gradient_mean_abs"] = np.array([np.abs(each).mean() for each in kernel_gradients], np.float32)
    if has_histograms:
        values["weight_histogram"] = np.stack([_counts(each, WEIGHT_EDGES) for each in kernels])
        if kernel_gradients:
            values["gradient_histogram"] = np.stack([_counts(each, GRADIENT_EDGES) for each in kernel_gradients])
    return values


def _arrays(tensors: Sequence[tf.Tensor]) -> list[Array]:
    return [np.asarray(each).astype(np.float32, copy=False) for each in tensors]


def _unit_spread(kernel: Array) -> float:
    """Return the largest difference between units over the largest |weight|: 0 if all are equal, NaN for one unit."""
    if kernel.ndim < 2 or kernel.shape[-1] == 1 or not kernel.size:
        return np.nan
    by_unit = kernel.reshape(-1, kernel.shape[-1])
    largest = np.abs(kernel).max()
    return float(np.ptp(by_unit, axis=1).max() / largest) if largest else 0.0


def _counts(values: Array, edges: Sequence[float]) -> Array:
    """Return how many entries x are in each bin b, edges[b - 1] <= x < edges[b]; NaN is in no bin."""
    flat = values.reshape(-1)
    bins = np.asarray(tf.raw_ops.Bucketize(input=flat, boundaries=list(edges)))  # NumPy takes five times as long
    return np.bincount(bins[~np.isnan(flat)], minlength=len(edges) + 1)
