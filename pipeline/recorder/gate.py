"""Switch a part of a traced training step on and off, without tracing it again. Imports TensorFlow."""

from collections.abc import Callable

import tensorflow as tf


class Gate:
    """A switch, open at first, that a traced step reads."""

    def __init__(self) -> None:
        with tf.init_scope():  # because a step may be being traced
            self._is_open = tf.Variable(True, trainable=False)

    def set(self, is_open: bool) -> None:
        """Open or close the gate, from now on."""
        self._is_open.assign(is_open)

    def run(self, function: Callable[[], None]) -> None:
        """Run the function at each step at which the gate is open."""

        def run_function() -> tf.Tensor:
            function()
            return tf.constant(True)

        tf.cond(self._is_open, run_function, lambda: tf.constant(False))
