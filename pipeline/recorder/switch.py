"""Switch a part of a traced training step on and off, without tracing the step again. Imports TensorFlow."""

from collections.abc import Callable

import tensorflow as tf


class Switch:
    """A switch that a traced step reads; on at first."""

    def __init__(self) -> None:
        with tf.init_scope():  # because a step may be being traced
            self._is_on = tf.Variable(True, trainable=False)

    def set(self, is_on: bool) -> None:
        """Switch on or off, for all following steps."""
        self._is_on.assign(is_on)

    def run(self, function: Callable[[], None]) -> None:
        """Run the function in each step while the switch is on."""

        def run_function() -> tf.Tensor:
            function()
            return tf.constant(True)

        tf.cond(self._is_on, run_function, lambda: tf.constant(False))
