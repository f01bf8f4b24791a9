"""The gradients of the training itself, measured where the optimizer gets them: there is no second backward pass.

Imports TensorFlow as the user has set it up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Final, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.recorder.guard import Guard

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices | None"  # None for a weight without a gradient
SMALL: Final = 4096  # entries of a kernel up to which its statistics are taken together with those of others
DENSE: Final = 2**22  # entries up to which a sparse gradient is made dense; beyond, only its own rows count
ROOTS: Final = (1.0, 0.5, 1.0)  # exponents that make mean |g|, norm and share of zeros of the scaled sums
DIFFERENCES: Final = ("Sub", "SquaredDifference")  # operations of TensorFlow of which the usual losses are made
NAMES: Final = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share")


class StepGradients:
    """Adds up each kernel's gradient statistics over batches, inside the traced training step.

    The sums are one variable of TensorFlow [row, statistic], with the number of batches as a last column.

    has_all_pairs: whether a traced step subtracts numbers (n, 1) from numbers (n,), which gives all n x n pairs.
    """

    def __init__(
        self,
        kernels: Callable[[], Sequence[keras.Variable]],
        is_dense: bool,
        before_step: Callable[[], None],
        guard: Guard,
    ) -> None:
        """The sums are made when the first gradients come, because a model may be built by its first batch.

        Args:
            kernels: returns the kernels by row. is_dense: whether sparse gradients are made dense, as XLA needs it.
            before_step: called in each step that is traced, before the weights change in it.
        """
        self.has_all_pairs = False
        self._kernels = kernels
        self._is_dense = is_dense
        self._before_step = before_step
        self._guard = guard
        self._sums: tf.Variable | None = None

    @contextmanager
    def watching(self, optimizer: keras.optimizers.Optimizer | None) -> Iterator[None]:
        """Measure what the optimizer gets within the context, and hand it on unchanged.

        `apply_gradients` and a custom `train_step` both end in `apply`. Under mixed precision the inner optimizer gets
        gradients without the loss's scale.
        """
        inner: keras.optimizers.Optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if inner is None or "apply" in vars(inner):  # somebody else's wrapper, or another callback's
            yield
            return
        original = inner.apply

        def apply(
            grads: Iterable[Gradient], trainable_variables: Iterable[keras.Variable] | None = None
        ) -> keras.Variable:
            gradients = list(grads)
            variables = None if trainable_variables is None else list(trainable_variables)
            with self._guard("record the gradients of the training"):
                self._add(gradients, inner._trainable_variables if variables is None else variables)
            with self._guard.optional("look at differences of targets and outputs"):
                self.has_all_pairs |= not tf.executing_eagerly() and _has_all_pairs(tf.compat.v1.get_default_graph())
            return original(gradients, variables)

        object.__setattr__(inner, "apply", apply)
        try:
            yield
        finally:
            object.__delattr__(inner, "apply")

    def restart(self) -> None:
        """Set the sums to 0, for a new epoch."""
        if self._sums is not None:
            self._sums.assign(self._zeros)

    def read(self) -> dict[str, Array]:
        """Return means over the batches since the last restart, float32 [row] each; NaN for a kernel without any."""
        if self._sums is None:
            return {}
        sums = self._sums.numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.where(sums[:, 3:] > 0, sums[:, :3] / sums[:, 3:], np.nan)
        return dict(zip(NAMES, means.astype(np.float32).T, strict=True))

    def _make_sums(self) -> tf.Variable:
        kernels = self._kernels()
        self._rows = {id(kernel): row for row, kernel in enumerate(kernels)}
        self._sizes = np.array([prod(kernel.shape) for kernel in kernels], np.float32)
        self._zeros = np.zeros((len(kernels), 4), np.float32)
        return tf.Variable(self._zeros, trainable=False)

    def _add(self, gradients: Sequence[Gradient], variables: Sequence[keras.Variable]) -> None:
        if self._sums is None:
            with tf.init_scope():  # also within a step that is being traced
                self._sums = self._make_sums()
        self._before_step()
        by_row = {
            self._rows[id(variable)]: gradient
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None and id(variable) in self._rows
        }
        if not by_row:
            return
        # Small kernels are measured together: a step of a small network takes as long as its number of operations.
        small = [row for row in sorted(by_row) if self._sizes[row] <= SMALL and isinstance(by_row[row], tf.Tensor)]
        large = [row for row in sorted(by_row) if row not in small]
        sums = [_of_all([by_row[row] for row in small], self._sizes[small])] if small else []
        if large:
            sums.append(tf.stack([tf.stack(self._statistics(by_row[row], self._sizes[row])) for row in large]))
        order = [*small, *large]
        # Sums of |g|, g^2 and zeros [row, 3] become mean |g|, norm and share of zeros.
        size = self._sizes[order]
        scaled = (tf.concat(sums, axis=0) if len(sums) > 1 else sums[0]) * np.stack(
            [1 / size, size**0, 1 / size], axis=1
        )
        step = tf.concat([tf.pow(scaled, ROOTS), np.ones((len(order), 1), np.float32)], axis=1)
        if order != list(range(len(self._rows))):
            step = tf.scatter_nd(np.array(order, np.int32)[:, None], step, self._zeros.shape)
        self._sums.assign_add(step)

    def _statistics(self, gradient: Gradient, size: float) -> list[tf.Tensor]:
        """Return the sums of |g| and of g^2, and the number of zeros, of a kernel with `size` entries."""
        missing = 0.0
        if isinstance(gradient, tf.IndexedSlices):
            if self._is_dense or size <= DENSE:
                gradient = tf.convert_to_tensor(gradient)
            else:  # only the rows that were looked up; a row that was looked up twice has the sum
                places, position = tf.unique(gradient.indices)
                values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(places))
                missing = size - tf.cast(tf.size(values), tf.float32)
                gradient = values
        gradient = tf.cast(gradient, tf.float32)
        zeros = tf.reduce_sum(tf.cast(tf.equal(gradient, 0.0), tf.float32)) + missing
        return [tf.reduce_sum(tf.abs(gradient)), 2 * tf.nn.l2_loss(gradient), zeros]


def _has_all_pairs(graph: tf.Graph) -> bool:
    differences = [each for each in graph.get_operations() if each.type in DIFFERENCES]
    for one, other in ([each.shape for each in operation.inputs] for operation in differences):
        if {one.rank, other.rank} == {1, 2}:
            line, column = sorted((one, other), key=len)
            if column[1] == 1 and line[0] == column[0] != 1:  # rows of a batch, whose number is mostly unknown
                return True
    return False


def _of_all(gradients: Sequence[tf.Tensor], sizes: Array) -> tf.Tensor:
    """Return the sums of |g| and of g^2, and the numbers of zeros, of dense gradients, float32 [gradient, 3].

    Args:
        gradients: of any shape, also of a shape that is unknown when the step is traced, as that of a kernel's slice.
        sizes: entries of each.
    """
    counts = sizes.astype(int).tolist()
    flat = [tf.reshape(each, [count]) for each, count in zip(gradients, counts, strict=True)]
    owner = np.repeat(np.arange(len(flat), dtype=np.int32), counts)
    entries = tf.cast(tf.concat(flat, axis=0), tf.float32)
    zeros = tf.cast(tf.equal(entries, 0.0), tf.float32)
    every = tf.stack([tf.abs(entries), tf.square(entries), zeros], axis=1)
    return tf.math.unsorted_segment_sum(every, owner, len(flat))  # XLA has this one, and not the sorted one
