"""What is measured of the gradient of each layer's kernel.

Reading: a mean |g| that falls layer by layer toward the input says that the error signal vanishes; one that is zero in
every layer but the output's bias says that nothing passes at all, which is a dead layer and not a vanishing gradient.
"""

from collections.abc import Sequence

from pipeline.foundations.tensorflow import tf


def batch_statistics(gradients: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
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


def mean_abs(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Mean |g| of each layer's kernel: [replica, layer] from [replica, entry] for each layer."""
    return tf.stack([tf.reduce_mean(tf.abs(g), axis=1) for g in gradients], axis=1)
