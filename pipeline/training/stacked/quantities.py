"""The quantities by layer that the stacked engine records, as `history.record` defines them.

Units are judged by the activation's value and derivative, and never by its name: a tanh unit at 0 has derivative 1 and
lives, a ReLU that is off for every input is dead, because no gradient will ever reach its weights.

How to read the gradients: a mean |g| that falls layer by layer toward the input says that the error signal vanishes.
One that is zero in every layer but the output's bias says that nothing passes at all: a dead layer, and no vanishing
gradient. In a histogram a vanishing gradient moves layer by layer toward the bin around zero.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.foundations.tensorflow import tf
from pipeline.history.record import SLOPE_FRACTIONS, count_type


def off(value: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Where a unit is off for an input: its activation and its derivative are 0; bool [replica, sample, unit]."""
    return tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0))


def dead_unit_share(value: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Share of the layer's units that are dead: off for every input; [replica]. The layer is dead where it is 1.

    Args:
        value, slope: activation and its derivative, [replica, sample, unit].

    Source: keras-contrib's DeadReluDetector takes the whole training set too; the derivative makes it general.
    """
    return tf.reduce_mean(tf.cast(tf.reduce_all(off(value, slope), axis=1), tf.float32), axis=1)


def saturated_shares(value: tf.Tensor, slope: tf.Tensor, greatest: tf.Tensor) -> tf.Tensor:
    """Share of (input, unit) pairs that are saturated, for each of SLOPE_FRACTIONS; [replica, fraction].

    A pair is saturated where |f'(z)| is below that fraction of the activation's greatest |f'| and the unit is not off:
    a ReLU that is off for half of the inputs is doing its work. All shares are kept, so that the fraction that counts
    may be chosen afterwards; for tanh |a| > 0.97 is a slope below 0.06.

    Args:
        value, slope: activation and its derivative, [replica, sample, unit].
        greatest: its greatest |f'|, [replica, unit].
    """
    relative = tf.where(off(value, slope), tf.ones_like(slope), tf.abs(slope) / greatest[:, None])
    shares = [tf.reduce_mean(tf.cast(relative < fraction, tf.float32), axis=(1, 2)) for fraction in SLOPE_FRACTIONS]
    return tf.stack(shares, axis=1)


def gradient_statistics(gradients: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Statistics of an epoch's gradients, each taken before its step.

    Args:
        gradients: for each layer, [batch, replica, entry].

    Returns:
        Float32 [replica, layer] each: `gradient_mean_abs`, the mean over batches of the mean |g|; `gradient_norm`, the
        mean over batches of the L2 norm; `gradient_zero_share`, the share of entries that are exactly 0 in a batch.
    """
    return {
        "gradient_mean_abs": tf.stack([tf.reduce_mean(tf.abs(g), axis=(0, 2)) for g in gradients], axis=1),
        "gradient_norm": tf.stack([tf.reduce_mean(tf.norm(g, axis=2), axis=0) for g in gradients], axis=1),
        "gradient_zero_share": tf.stack(
            [tf.reduce_mean(tf.cast(tf.equal(g, 0.0), g.dtype), axis=(0, 2)) for g in gradients], axis=1
        ),
    }


def gradient_mean_abs(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Mean |g| of each layer's kernel: [replica, layer] from [replica, entry] for each layer."""
    return tf.stack([tf.reduce_mean(tf.abs(g), axis=1) for g in gradients], axis=1)


def weight_l1(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of |w| of each layer's kernel: [replica, layer] from [replica, entry] for each layer."""
    return tf.stack([tf.reduce_sum(tf.abs(kernel), axis=1) for kernel in kernels], axis=1)


def histogram(kernels: Sequence[tf.Tensor], edges: Sequence[float]) -> tf.Tensor:
    """Entries in each bin: [replica, layer, bin] from [replica, entry] for each layer.

    Bin b holds edges[b - 1] <= x < edges[b]; the first and the last are open, so infinity has its place there. What is
    not a number is in no bin: the counts sum to the kernel's entries that are numbers.
    """
    replicas, layers, bins = kernels[0].shape[0], len(kernels), len(edges) + 1
    sizes = [kernel.shape[1] for kernel in kernels]
    entries = tf.concat(kernels, axis=1)
    # All replicas and layers in one sum: where each entry's bins begin, [replica, entry].
    begin = bins * (layers * np.arange(replicas)[:, None] + np.repeat(np.arange(layers), sizes))
    place = begin.astype(np.int32) + tf.raw_ops.Bucketize(input=entries, boundaries=list(edges))
    place = tf.where(tf.math.is_nan(entries), -1, place)  # a negative place is left out of the sum
    total = tf.math.unsorted_segment_sum(tf.ones_like(place), place, replicas * layers * bins)
    return tf.cast(tf.reshape(total, (replicas, layers, bins)), count_type(max(sizes)))
