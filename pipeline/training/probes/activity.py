"""What is measured of each layer's units over a whole set of inputs.

By the activation's value and derivative, and never by its name: a tanh unit at 0 has derivative 1 and lives, a ReLU
that is off for every input is dead, for no gradient will ever reach its weights.
"""

from pipeline.foundations.tensorflow import tf
from pipeline.history.record import SLOPE_FRACTIONS


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
