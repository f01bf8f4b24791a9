"""The gradients that a training really takes: seen where the optimizer gets them, with no second backward pass.

Imports TensorFlow as the user has set it up.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.watch.guard import Guard

NAMES = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share")


class TakenGradients:
    """Sums over batches of each kernel's gradient statistics, added up inside the traced training step.

    The sums are a variable of TensorFlow's: [row, statistic], with the number of batches as a last column.
    """

    def __init__(
        self, kernels: Callable[[], Sequence[keras.Variable]], dense: bool, before: Callable[[], None], guard: Guard
    ) -> None:
        """What it adds to is made when the first gradients come, for a model may be built by its first batch.

        Args:
            kernels: gives them. dense: whether sparse gradients are to be made dense, as XLA needs it.
            before: called in each step that is traced, before the weights change in it.
        """
        self._before = before
        self._kernels = kernels
        self._dense = dense
        self._guard = guard
        self._sums: tf.Variable | None = None

    def _begin(self) -> None:
        kernels = self._kernels()
        self._rows = {id(kernel): row for row, kernel in enumerate(kernels)}
        self._sizes = np.array([prod(kernel.shape) for kernel in kernels], np.float32)
        self._zeros = np.zeros((len(kernels), 4), np.float32)
        self._sums = tf.Variable(self._zeros, trainable=False)

    @contextmanager
    def seen(self, optimizer: Any) -> Iterator[None]:
        """While this lasts, what the optimizer is given is looked at, and given on as it came.

        `apply_gradients` and a custom `train_step` both end in `apply`. Under mixed precision the inner optimizer gets
        gradients without the loss's scale.
        """
        place = getattr(optimizer, "inner_optimizer", optimizer)
        if optimizer is None or "apply" in vars(place):  # somebody else's wrapper, or another callback's
            yield
            return
        given = place.apply

        def apply(grads: Any, trainable_variables: Any = None) -> Any:
            grads = list(grads)
            variables = trainable_variables
            if variables is not None:
                variables = trainable_variables = list(variables)
            with self._guard("gradients of the training"):
                self._add(grads, place._trainable_variables if variables is None else variables)
            return given(grads, trainable_variables)

        object.__setattr__(place, "apply", apply)
        try:
            yield
        finally:
            object.__delattr__(place, "apply")

    def restart(self) -> None:
        """Begin a new epoch."""
        if self._sums is not None:
            self._sums.assign(self._zeros)

    def read(self) -> dict[str, np.ndarray]:
        """Means over the batches since the last start, float32 [row] each; NaN for a kernel that got no gradient."""
        if self._sums is None:
            return {}
        sums = self._sums.numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.where(sums[:, 3:] > 0, sums[:, :3] / sums[:, 3:], np.nan)
        return dict(zip(NAMES, means.astype(np.float32).T, strict=True))

    def _add(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        if self._sums is None:
            with tf.init_scope():  # also within a step that is being traced
                self._begin()
        assert self._sums is not None
        self._before()
        found = {
            self._rows[id(variable)]: self._statistics(gradient)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None and id(variable) in self._rows
        }
        if not found:
            return
        order = sorted(found)
        # [row, (sum |g|, sum g^2 / 2, zeros)], brought to mean |g|, norm and share for all rows at once.
        raw = tf.stack([tf.stack(found[row]) for row in order])
        size = self._sizes[order]
        each = [raw[:, 0] / size, tf.sqrt(2 * raw[:, 1]), raw[:, 2] / size, tf.ones(len(order))]
        step = tf.stack(each, axis=1)
        if len(order) < len(self._rows):
            step = tf.scatter_nd(np.array(order, np.int32)[:, None], step, self._zeros.shape)
        self._sums.assign_add(step)

    def _statistics(self, gradient: Any) -> list[tf.Tensor]:
        missing = 0.0
        if isinstance(gradient, tf.IndexedSlices):
            if self._dense:
                gradient = tf.convert_to_tensor(gradient)
            else:  # only the rows that were looked up; one that was twice has the sum
                places, position = tf.unique(gradient.indices)
                values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(places))
                whole = tf.cast(tf.reduce_prod(tf.cast(gradient.dense_shape, tf.float32)), tf.float32)
                missing = whole - tf.cast(tf.size(values), tf.float32)
                gradient = values
        gradient = tf.cast(gradient, tf.float32)
        zeros = tf.reduce_sum(tf.cast(tf.equal(gradient, 0.0), tf.float32)) + missing
        return [tf.reduce_sum(tf.abs(gradient)), tf.nn.l2_loss(gradient), zeros]
