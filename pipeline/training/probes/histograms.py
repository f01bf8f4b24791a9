"""How the entries of each layer's kernel, or of its gradient, spread over fixed bins.

Reading: a gradient whose entries move layer by layer toward the bin around zero vanishes; one that lies in that bin
alone is zero, as below a dead layer. Keras 2 drew such histograms by `write_grads`; Keras 3 has none.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.foundations.tensorflow import tf
from pipeline.history.record import count_type


def counts(kernels: Sequence[tf.Tensor], edges: Sequence[float]) -> tf.Tensor:
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
