"""The gradients that a training really takes: seen where the optimizer gets them, with no second backward pass.

Imports TensorFlow as the user has set it up.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from pipeline.recorder.guard import Guard

SMALL: Final = 4096  # entries of a kernel
DENSE: Final = 2**22  # up to which a sparse gradient is made dense; beyond, only its own rows are looked at
ROOTS: Final = (1.0, 0.5, 1.0)
DIFFERENCES: Final = ("Sub", "SquaredDifference")  # operations of TensorFlow, of which the usual losses are made
NAMES: Final = ("gradient_mean_abs", "gradient_norm", "gradient_zero_share")


class TakenGradients:
    """Sums over batches of each kernel's gradient statistics, added up inside the traced training step.

    The sums are a variable of TensorFlow's: [row, statistic], with the number of batches as a last column.

    has_all_pairs: whether a step that was traced takes differences (n, n) of numbers (n,) and (n, 1).
    """

    def __init__(
        self, kernels: Callable[[], Sequence[keras.Variable]], dense: bool, before: Callable[[], None], guard: Guard
    ) -> None:
        """What it adds to is made when the first gradients come, for a model may be built by its first batch.

        Args:
            kernels: gives them. dense: whether sparse gradients are to be made dense, as XLA needs it.
            before: called in each step that is traced, before the weights change in it.
        """
        self.has_all_pairs = False
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
            with self._guard("record the gradients of the training"):
                self._add(grads, place._trainable_variables if variables is None else variables)
            with self._guard.beside("look at differences of targets and outputs"):
                self.has_all_pairs |= not tf.executing_eagerly() and _has_all_pairs(tf.compat.v1.get_default_graph())
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
            self._rows[id(variable)]: gradient
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None and id(variable) in self._rows
        }
        if not found:
            return
        # Of small kernels all at once: a step of a small network is as long as its number of operations.
        small = [row for row in sorted(found) if self._sizes[row] <= SMALL and isinstance(found[row], tf.Tensor)]
        large = [row for row in sorted(found) if row not in small]
        raw = [_of_all([found[row] for row in small], self._sizes[small])] if small else []
        raw += [tf.stack([tf.stack(self._statistics(found[row], self._sizes[row])) for row in large])] if large else []
        order = [*small, *large]
        # [row, (sum |g|, sum g^2, zeros)], brought to mean |g|, norm and share.
        size = self._sizes[order]
        scaled = (tf.concat(raw, axis=0) if len(raw) > 1 else raw[0]) * np.stack([1 / size, size**0, 1 / size], axis=1)
        step = tf.concat([tf.pow(scaled, ROOTS), np.ones((len(order), 1), np.float32)], axis=1)
        if order != list(range(len(self._rows))):
            step = tf.scatter_nd(np.array(order, np.int32)[:, None], step, self._zeros.shape)
        self._sums.assign_add(step)

    def _statistics(self, gradient: Any, whole: float) -> list[tf.Tensor]:
        """Sum of |g|, sum of g^2 and number of zeros, of `whole` entries."""
        missing = 0.0
        if isinstance(gradient, tf.IndexedSlices):
            if self._dense or whole <= DENSE:
                gradient = tf.convert_to_tensor(gradient)
            else:  # only the rows that were looked up; one that was twice has the sum
                places, position = tf.unique(gradient.indices)
                values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(places))
                missing = whole - tf.cast(tf.size(values), tf.float32)
                gradient = values
        gradient = tf.cast(gradient, tf.float32)
        zeros = tf.reduce_sum(tf.cast(tf.equal(gradient, 0.0), tf.float32)) + missing
        return [tf.reduce_sum(tf.abs(gradient)), 2 * tf.nn.l2_loss(gradient), zeros]


def _has_all_pairs(graph: tf.Graph) -> bool:
    differences = [each for each in graph.get_operations() if each.type in DIFFERENCES]
    for one, other in ([each.shape for each in operation.inputs] for operation in differences):
        if {one.rank, other.rank} == {1, 2}:
            line, column = sorted((one, other), key=len)
            if column[1] == 1 and line[0] == column[0] != 1:  # rows of a batch, whose number is mostly not known
                return True
    return False


def _of_all(gradients: Sequence[tf.Tensor], sizes: np.ndarray) -> tf.Tensor:
    """Return the same of dense gradients, float32 [gradient, statistic].

    Args:
        gradients: of any shape, also one that the traced step does not know, as that of a slice of a kernel.
        sizes: entries of each.
    """
    counts = sizes.astype(int).tolist()
    flat = [tf.reshape(each, [count]) for each, count in zip(gradients, counts, strict=True)]
    owner = np.repeat(np.arange(len(flat), dtype=np.int32), counts)
    entries = tf.cast(tf.concat(flat, axis=0), tf.float32)
    zeros = tf.cast(tf.equal(entries, 0.0), tf.float32)
    every = tf.stack([tf.abs(entries), tf.square(entries), zeros], axis=1)
    return tf.math.unsorted_segment_sum(every, owner, len(flat))  # XLA has it, and not the sorted one
