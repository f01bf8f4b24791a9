"""Measure the training's own gradients when the optimizer gets them, without a second backward pass.

Imports TensorFlow with the user's own settings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Final, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from pipeline.foundations.untyped import Array
from pipeline.recorder.guard import Guard
from pipeline.recorder.replaced_attributes import Change
from pipeline.recorder.switch import Switch

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices | None"  # None for a weight without a gradient
GROUP_LIMIT: Final = 4096  # entries; kernels up to this size are measured together
DENSE_LIMIT: Final = 2**22  # entries; a sparse gradient of a larger kernel is not made dense
ROOTS: Final = (1.0, 0.5, 1.0)  # exponents that turn the scaled sums into mean |g|, norm and share of zeros
DIFFERENCES: Final = ("Sub", "SquaredDifference")  # TensorFlow's operations in the usual losses that subtract
NAMES: Final = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share")


class StepGradients:
    """Adds up each kernel's gradient statistics over batches, inside the traced training step.

    The sums are one TensorFlow variable [row, statistic]; its last column is the number of batches.

    has_all_pairs: whether a traced step subtracts shapes (n, 1) and (n,) from each other, which gives all n x n pairs.
    """

    def __init__(
        self,
        kernels: Callable[[], Sequence[keras.Variable]],
        is_dense: bool,
        before_step: Callable[[], None],
        guard: Guard,
    ) -> None:
        """Prepare the measurement; the sums are made at the first gradients, because a first batch may build the model.

        Args:
            kernels: returns the kernels by row.
            is_dense: whether all sparse gradients are made dense, which XLA needs.
            before_step: called in each traced step, before its weights change.
        """
        self.has_all_pairs = False
        self._kernels = kernels
        self._is_dense = is_dense
        self._before_step = before_step
        self._guard = guard
        self._sums: tf.Variable | None = None
        self._switch = Switch()

    def changes(self, optimizer: keras.optimizers.Optimizer | None) -> list[Change]:
        """Return the change of the optimizer that measures its gradients, and passes them on unchanged.

        `apply_gradients` and a custom `train_step` both call `apply`. With mixed precision, the inner optimizer gets
        the gradients without the loss's scale.
        """
        inner: keras.optimizers.Optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if inner is None or "apply" in vars(inner):  # another library or callback has wrapped it
            return []
        original = inner.apply

        def apply(
            grads: Iterable[Gradient], trainable_variables: Iterable[keras.Variable] | None = None
        ) -> keras.Variable:
            gradients = list(grads)
            variables = None if trainable_variables is None else list(trainable_variables)
            with self._guard("record the gradients of the training"):
                self._add(gradients, inner._trainable_variables if variables is None else variables)
            with self._guard.optional("examine the differences of targets and outputs"):
                self.has_all_pairs |= not tf.executing_eagerly() and _has_all_pairs(tf.compat.v1.get_default_graph())
            return original(gradients, variables)

        return [(inner, "apply", apply)]

    def restart(self, is_recorded: bool) -> None:
        """Set the sums to 0 for a new epoch, and add to them only if the epoch is recorded."""
        self._switch.set(is_recorded)
        if self._sums is not None and is_recorded:
            self._sums.assign(self._zeros)

    def read(self) -> dict[str, Array]:
        """Return means over the batches since the last restart, float32 [row]; NaN for a kernel without gradients."""
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
        sums = self._sums
        if sums is None:
            with tf.init_scope():  # because a step may be being traced
                sums = self._sums = self._make_sums()
        self._before_step()
        by_row = {
            self._rows[id(variable)]: _own_product(gradient)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None and id(variable) in self._rows
        }
        if by_row:
            self._switch.run(lambda: sums.assign_add(self._of_step(by_row)))

    def _of_step(self, by_row: Mapping[int, Gradient]) -> tf.Tensor:
        """Return what a step adds to the sums [row, 4]."""
        # Small kernels are measured together: the number of operations determines a small network's step time.
        small = [
            row for row in sorted(by_row) if self._sizes[row] <= GROUP_LIMIT and isinstance(by_row[row], tf.Tensor)
        ]
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
        return step

    def _statistics(self, gradient: Gradient, size: float) -> list[tf.Tensor]:
        """Return a gradient's sum of |g|, sum of g^2 and number of zeros; its kernel has `size` entries."""
        missing_zeros = 0.0
        if isinstance(gradient, tf.IndexedSlices):
            if self._is_dense or size <= DENSE_LIMIT:
                gradient = tf.convert_to_tensor(gradient)
            else:  # only the rows that were looked up; gradients of a row that was looked up twice are added
                unique_rows, position = tf.unique(gradient.indices)
                values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(unique_rows))
                missing_zeros = size - tf.cast(tf.size(values), tf.float32)
                gradient = values
        gradient = tf.cast(gradient, tf.float32)
        zeros = tf.reduce_sum(tf.cast(tf.equal(gradient, 0.0), tf.float32)) + missing_zeros
        return [tf.reduce_sum(tf.abs(gradient)), 2 * tf.nn.l2_loss(gradient), zeros]


def _own_product(gradient: Gradient) -> Gradient:
    """Return the gradient; if the graph computes it as a product, another product of the same factors.

    TensorFlow reorders a product that is used once: it multiplies the smaller factors first, as the learning rate and a
    factor of batch normalisation's gradient. A second use of the product would undo this, and change the last bit of a
    weight.
    """
    if not isinstance(gradient, tf.Tensor) or not tf.is_symbolic_tensor(gradient) or gradient.op.type != "Mul":
        return gradient
    # In float64, or TensorFlow would find both products equal, and compute one.
    factors = [tf.cast(_own_product(each), tf.float64) for each in gradient.op.inputs]
    return tf.cast(factors[0] * factors[1], gradient.dtype)


def _has_all_pairs(graph: tf.Graph) -> bool:
    differences = [each for each in graph.get_operations() if each.type in DIFFERENCES]
    for one, other in ([each.shape for each in operation.inputs] for operation in differences):
        if {one.rank, other.rank} == {1, 2}:
            vector, column = sorted((one, other), key=len)
            if column[1] == 1 and vector[0] == column[0] != 1:  # both have a batch's rows; their number is mostly None
                return True
    return False


def _of_all(gradients: Sequence[tf.Tensor], sizes: Array) -> tf.Tensor:
    """Return sum of |g|, sum of g^2 and number of zeros for each dense gradient, float32 [gradient, 3].

    Args:
        gradients: tensors of any shape; the shape may be unknown when the step is traced, as for a kernel's slice.
        sizes: the number of entries of each gradient.
    """
    counts = sizes.astype(int).tolist()
    flat = [tf.reshape(tf.cast(each, tf.float32), [count]) for each, count in zip(gradients, counts, strict=True)]
    owner = np.repeat(np.arange(len(flat), dtype=np.int32), counts)
    entries = tf.concat(flat, axis=0)
    zeros = tf.cast(tf.equal(entries, 0.0), tf.float32)
    statistics = tf.stack([tf.abs(entries), tf.square(entries), zeros], axis=1)
    return tf.math.unsorted_segment_sum(statistics, owner, len(flat))  # XLA has no sorted segment sum
