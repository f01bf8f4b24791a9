"""What is measured of each layer's units over a whole set of inputs."""

from collections.abc import Sequence

from pipeline.backend import tf


def dead(activations: Sequence[tf.Tensor], derivatives: Sequence[tf.Tensor]) -> tf.Tensor:
    """Whether each layer is dead: every unit, on every input, has activation 0 and derivative 0.

    It goes by value and derivative and not by the activation's name: a tanh unit at 0 has derivative 1 and lives, a
    ReLU that is off for these inputs is dead, for no gradient will ever reach its weights.

    Args:
        activations, derivatives: for each layer, [sample, unit] (one replica).

    Returns:
        bool [layer].
    """
    return tf.stack(
        [
            tf.reduce_all(tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0)))
            for value, slope in zip(activations, derivatives, strict=True)
        ]
    )
