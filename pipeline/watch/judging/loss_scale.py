"""Find the two ends of a loss for any model: the best constant outputs, and outputs that equal the targets.

The skill of a loss is the way between them: (constant - loss) / (constant - perfect).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize

from pipeline.foundations.untyped import Array

# Takes outputs in the shape of the model's, float32; returns the mean loss without penalties.
LossOf = Callable[[tf.Tensor], tf.Tensor]
EVALUATIONS: Final = 60  # of the loss, in the search; some milliseconds each
LARGEST: Final = 2**20  # numbers in the outputs; with more, the search is left out, and the best start remains
FAR: Final = 100.0  # times the largest target or output; a best constant beyond it shows that the loss has no minimum
EPSILON: Final = 1e-7  # Keras's: probabilities of 0 and 1 get finite logits


@dataclass(frozen=True)
class LossScale:
    """The loss of the best constant outputs, and the loss of perfect outputs.

    perfect: the loss of outputs that equal the targets; 0 if outputs do not have the form of the targets. For a loss
        that can be negative, such as a density's, and whose outputs have another form: `constant` - 1, so that the
        skill is the gain in nat.
    """

    constant: float
    perfect: float

    def skill(self, loss: float) -> float:
        """Return 0 for a loss as high as the best constant's, and 1 for a perfect one."""
        return (self.constant - loss) / (self.constant - self.perfect)


def loss_scale(loss_of: LossOf, targets: Array | None, outputs: Array) -> LossScale | None:
    """Return the scale of a loss; None if the loss of constant outputs is 0, has no minimum, or never changes.

    Args:
        targets: the targets of the same rows; None if there are none.
        outputs: the model's outputs, [row, ...].
    """
    start_losses = [(_value(loss_of, _broadcast(start, outputs)), start) for start in _starts(targets, outputs)]
    finite = [(loss, start) for loss, start in start_losses if np.isfinite(loss)]
    now = _value(loss_of, tf.constant(outputs, tf.float32))
    if not finite or all(np.isclose(loss, now, rtol=1e-6, atol=0) for loss, _ in finite):
        return None
    constant, best = min(finite, key=lambda each: each[0])
    if outputs.size <= LARGEST:
        constant, best = _search(loss_of, outputs, constant, best)
    largest = max(np.abs(each).max(initial=0) for each in (outputs, targets) if each is not None)
    if np.abs(best).max() > FAR * (1 + largest):
        return None
    perfect = _perfect(loss_of, targets, outputs)
    if constant == 0 and (perfect is None or perfect >= 0):
        return None  # constant outputs are perfect already
    if perfect is None or perfect >= constant:
        perfect = 0.0 if constant > 0 and now >= 0 else constant - 1
    return LossScale(constant, perfect)


def same_shape(targets: Array | None, outputs: Array) -> Array | None:
    """Return the targets in the shape of the outputs; None if their sizes differ."""
    if targets is None or targets.size != outputs.size or targets.dtype.kind not in "biuf":
        return None
    return targets.reshape(outputs.shape).astype(np.float32)


def _starts(targets: Array | None, outputs: Array) -> Iterator[Array]:
    """Yield constants in the shape of one row's outputs."""
    yield np.zeros(outputs.shape[1:], np.float32)
    yield np.nan_to_num(outputs.mean(axis=0))
    right = same_shape(targets, outputs)
    if right is None and targets is not None and targets.size == len(outputs) and targets.dtype.kind in "biuf":
        right = np.broadcast_to(targets.reshape(-1, *[1] * (outputs.ndim - 1)), outputs.shape).astype(np.float32)
    if right is not None:
        yield right.mean(axis=0)
        yield np.median(right, axis=0)
        if right.min() >= 0 and right.max() <= 1:
            yield logits(right.mean(axis=0))


def _perfect(loss_of: LossOf, targets: Array | None, outputs: Array) -> float | None:
    """Return the loss of outputs that equal the targets, or the targets' logits; None without such a loss."""
    right = same_shape(targets, outputs)
    if right is None:
        return None
    candidates = [right, *([logits(right)] if right.min() >= 0 and right.max() <= 1 else [])]
    losses = [_value(loss_of, tf.constant(each, tf.float32)) for each in candidates]
    return min((loss for loss in losses if np.isfinite(loss)), default=None)


def _search(loss_of: LossOf, outputs: Array, constant: float, best: Array) -> tuple[float, Array]:
    """Lower the loss of the best start; of one number by its values, of several by their gradients."""
    lowest = [(constant, best)]

    def evaluate(values: Array) -> float:
        row = values.reshape(best.shape).astype(np.float32)
        loss = _value(loss_of, _broadcast(row, outputs))
        if np.isfinite(loss) and loss < lowest[0][0]:
            lowest[0] = loss, row
        return loss if np.isfinite(loss) else 1e30

    def with_gradient(values: Array) -> tuple[float, Array]:
        row = tf.constant(values.reshape(best.shape), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(row)
            loss = loss_of(tf.broadcast_to(row, outputs.shape))
        gradient = tape.gradient(loss, row, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return evaluate(values), np.nan_to_num(np.asarray(gradient, np.float64)).reshape(-1)

    if best.size == 1:
        spread = float(outputs.std()) or 1.0
        start = float(best.reshape(-1)[0])
        simplex = np.array([[start], [start + spread]])
        minimize(evaluate, [start], method="Nelder-Mead", options={"maxfev": EVALUATIONS, "initial_simplex": simplex})
    else:
        minimize(with_gradient, best.reshape(-1), jac=True, method="L-BFGS-B", options={"maxfun": EVALUATIONS})
    return lowest[0]


def _value(loss_of: LossOf, outputs: tf.Tensor) -> float:
    """Return a loss; infinite if the loss does not take these outputs."""
    try:
        return float(loss_of(outputs))
    except (TypeError, ValueError, tf.errors.OpError):
        return float("inf")


def _broadcast(row: Array, outputs: Array) -> tf.Tensor:
    return tf.constant(np.broadcast_to(row, outputs.shape), tf.float32)


def logits(probabilities: Array) -> Array:
    """Return the logits of probabilities; those of 0 and 1 are finite."""
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    return np.log(clipped / (1 - clipped)).astype(np.float32)
