"""Compute the layer values of stacked replicas, as `history.record` defines them above LAYER_VALUES.

`compiled.measures` computes the same values for one replica, independently; the tests compare the two.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.foundations.tensorflow import tf
from pipeline.history.record import SLOPE_FRACTIONS, count_type


def is_off(value: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Return whether each unit is off for each sample, bool [replica, sample, unit]."""
    return tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0))


def dead_unit_share(value: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Return `dead_unit_share`, [replica].

    Args:
        value: the activation, [replica, sample, unit].
        slope: the derivative of the activation, [replica, sample, unit].

    Source: keras-contrib's DeadReluDetector, which also uses the whole training set. Here the derivative must be 0 too,
    so that the rule holds for other activations.
    """
    return tf.reduce_mean(tf.cast(tf.reduce_all(is_off(value, slope), axis=1), tf.float32), axis=1)


def saturated_shares(value: tf.Tensor, slope: tf.Tensor, greatest: tf.Tensor) -> tf.Tensor:
    """Return `saturated_share`, [replica, fraction].

    A unit that is off for a sample does not count as saturated there: a good ReLU is off for half of its inputs. For
    tanh, a fraction of 0.06 means |f(z)| > 0.97.

    Args:
        value: the activation, [replica, sample, unit].
        slope: the derivative of the activation, [replica, sample, unit].
        greatest: the greatest |f'| on `record.SLOPE_GRID`, [replica, unit].
    """
    relative = tf.where(is_off(value, slope), tf.ones_like(slope), tf.abs(slope) / greatest[:, None])
    shares = [tf.reduce_mean(tf.cast(relative < fraction, tf.float32), axis=(1, 2)) for fraction in SLOPE_FRACTIONS]
    return tf.stack(shares, axis=1)


def gradient_statistics(gradients: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return `gradient_mean_abs`, `gradient_norm` and `gradient_zero_share` of an epoch, float32 [replica, layer] each.

    Args:
        gradients: for each layer the gradients of the batches, [batch, replica, entry].
    """
    return {
        "gradient_mean_abs": tf.stack([tf.reduce_mean(tf.abs(g), axis=(0, 2)) for g in gradients], axis=1),
        "gradient_norm": tf.stack([tf.reduce_mean(tf.norm(g, axis=2), axis=0) for g in gradients], axis=1),
        "gradient_zero_share": tf.stack(
            [tf.reduce_mean(tf.cast(tf.equal(g, 0.0), g.dtype), axis=(0, 2)) for g in gradients], axis=1
        ),
    }


def gradient_mean_abs(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the mean |g| of each kernel, [replica, layer].

    Args:
        gradients: for each layer the gradient, [replica, entry].
    """
    return tf.stack([tf.reduce_mean(tf.abs(g), axis=1) for g in gradients], axis=1)


def weight_l1(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the sum of |w| of each kernel, [replica, layer].

    Args:
        kernels: for each layer the kernel, [replica, entry].
    """
    return tf.stack([tf.reduce_sum(tf.abs(kernel), axis=1) for kernel in kernels], axis=1)


def histogram(kernels: Sequence[tf.Tensor], edges: Sequence[float]) -> tf.Tensor:
    """Return the number of entries in each bin, [replica, layer, bin].

    Bin b holds edges[b - 1] <= x < edges[b]. The first and the last bin are open and hold infinite values. NaN is in no
    bin, so the counts sum to the number of entries that are not NaN.

    Args:
        kernels: for each layer the entries, [replica, entry].
        edges: the edges between the bins.
    """
    replicas, layers, bins = kernels[0].shape[0], len(kernels), len(edges) + 1
    sizes = [kernel.shape[1] for kernel in kernels]
    entries = tf.concat(kernels, axis=1)
    # All entries are counted in one sum. `first_bin` is the index of the first bin of an entry's replica and layer.
    first_bin = bins * (layers * np.arange(replicas)[:, None] + np.repeat(np.arange(layers), sizes))
    index = first_bin.astype(np.int32) + tf.raw_ops.Bucketize(input=entries, boundaries=list(edges))
    index = tf.where(tf.math.is_nan(entries), -1, index)  # the sum ignores negative indices
    total = tf.math.unsorted_segment_sum(tf.ones_like(index), index, replicas * layers * bins)
    return tf.cast(tf.reshape(total, (replicas, layers, bins)), count_type(max(sizes)))
