"""What is measured of each layer's kernel itself."""

from collections.abc import Sequence

from pipeline.foundations.tensorflow import tf


def l1_norm(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of |w| of each layer's kernel: [replica, layer] from [replica, entry] for each layer."""
    return tf.stack([tf.reduce_sum(tf.abs(kernel), axis=1) for kernel in kernels], axis=1)
