"""Summarise kernels, their changes and their gradients, as one number or histogram for each.

Imports TensorFlow with the user's own settings.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipeline.history.record import GRADIENT_EDGES, WEIGHT_EDGES


def kernel_summary(
    gradients: Sequence[tf.Tensor], now: Sequence[tf.Tensor], before: Sequence[tf.Tensor], has_histograms: bool
) -> dict[str, tf.Tensor]:
    """Return values [kernel] and histograms [kernel, bin], by names of the record.

    Args:
        gradients: the gradient of each kernel; empty without gradients, whose values are then left out.
        now: the kernels.
        before: the kernels one epoch ago.
        has_histograms: whether to add histograms.
    """
    flat, flat_gradients = (
        [tf.reshape(tf.cast(each, tf.float32), [-1]) for each in tensors] for tensors in (now, gradients)
    )
    values = {"weight_l1": tf.stack([tf.reduce_sum(tf.abs(each)) for each in flat])}
    values["unit_spread"] = tf.stack([_unit_spread(tf.cast(each, tf.float32)) for each in now])
    earlier = [tf.reshape(tf.cast(each, tf.float32), [-1]) for each in before]
    changes = [tf.reduce_sum(tf.abs(after - kernel)) for after, kernel in zip(flat, earlier, strict=True)]
    values["weight_change_l1"] = tf.stack(changes)
    if gradients:
        values["probe_gradient_mean_abs"] = tf.stack([tf.reduce_mean(tf.abs(each)) for each in flat_gradients])
    if has_histograms:
        values["weight_histogram"] = tf.stack([_counts(each, WEIGHT_EDGES) for each in flat])
        if gradients:
            values["gradient_histogram"] = tf.stack([_counts(each, GRADIENT_EDGES) for each in flat_gradients])
    return values


def _unit_spread(kernel: tf.Tensor) -> tf.Tensor:
    """Return the largest difference between units over the largest |weight|: 0 if all are equal, NaN for one unit."""
    if kernel.shape.rank < 2 or kernel.shape[-1] == 1:
        return tf.constant(np.nan, tf.float32)
    by_unit = tf.reshape(kernel, [-1, kernel.shape[-1]])
    greatest = tf.reduce_max(tf.reduce_max(by_unit, axis=1) - tf.reduce_min(by_unit, axis=1))
    return tf.math.divide_no_nan(greatest, tf.reduce_max(tf.abs(kernel)))


def _counts(flat: tf.Tensor, edges: Sequence[float]) -> tf.Tensor:
    """Return how many entries x are in each bin b, edges[b - 1] <= x < edges[b]; NaN is in no bin."""
    bins = tf.raw_ops.Bucketize(input=flat, boundaries=list(edges))
    bins = tf.where(tf.math.is_nan(flat), -1, bins)
    return tf.math.unsorted_segment_sum(tf.ones_like(bins), bins, len(edges) + 1)
