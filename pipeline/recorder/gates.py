"""Compute the gates of recurrent cells for many time steps at once, and count the saturated ones.

A step's gates follow from its input and the layer's output at the step before, so one product gives the gates of all
steps. Cells of other kinds than Keras's own have unknown gates. Imports TensorFlow with the user's own settings.
"""

import keras
import tensorflow as tf

from pipeline.history.time_profiles import GATE_SLOPE
from pipeline.recorder.activity import GRID, Elementwise, with_slope


def gate_function(layer: keras.layers.RNN) -> Elementwise | None:
    """Return the activation of a layer's gates, or of the units of a simple cell; None if the gates are unknown."""
    cell = layer.cell
    if type(cell) in (keras.layers.LSTMCell, keras.layers.GRUCell):
        return cell.recurrent_activation
    return cell.activation if type(cell) is keras.layers.SimpleRNNCell else None


def count_saturated(
    cell: keras.layers.Layer, function: Elementwise, inputs: tf.Tensor, before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the numbers of saturated and of all values of the gates, float32 [row, step] each.

    Args:
        function: the activation of the gates.
        inputs: of the layer, [row, step, feature].
        before: the layer's outputs at the steps before, [row, step, unit]. `Bidirectional` makes outputs of masked
            steps 0: the state before a step that follows a masked one within a row then counts as 0.
    """
    signals = _gate_signals(cell, tf.cast(inputs, tf.float32), tf.cast(before, tf.float32))
    value, slope = with_slope(function, signals)
    greatest = tf.reduce_max(tf.abs(with_slope(function, tf.constant(GRID))[1]))
    is_on = tf.logical_not(tf.logical_and(tf.equal(value, 0.0), tf.equal(slope, 0.0)))
    is_saturated = tf.logical_and(is_on, tf.abs(slope) < GATE_SLOPE * greatest)
    return tf.reduce_sum(tf.cast(is_saturated, tf.float32), 2), tf.reduce_sum(tf.ones_like(slope), 2)


def _gate_signals(cell: keras.layers.Layer, inputs: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Return the pre-activations of the gates, float32 [row, step, unit of a gate]."""
    kernel, recurrent = _values(cell.kernel), _values(cell.recurrent_kernel)
    bias = _values(cell.bias) if cell.use_bias else tf.zeros(kernel.shape[1])
    if len(bias.shape) == 2:  # a GRU with `reset_after` has a second bias for its recurrent product
        bias = tf.reduce_sum(bias, 0)
    if isinstance(cell, keras.layers.GRUCell):  # update and reset gate, then the candidate
        kernel, recurrent, bias = (each[..., : 2 * cell.units] for each in (kernel, recurrent, bias))
    elif isinstance(cell, keras.layers.LSTMCell):  # input and forget gate, candidate, output gate
        kernel, recurrent, bias = (
            tf.concat([each[..., : 2 * cell.units], each[..., 3 * cell.units :]], -1)
            for each in (kernel, recurrent, bias)
        )
    return tf.matmul(inputs, kernel) + tf.matmul(before, recurrent) + bias


def _values(variable: keras.Variable) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(variable.value), tf.float32)
