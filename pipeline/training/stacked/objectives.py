"""Define the losses that stacked replicas minimise, and the scores of their predictions, for each kind of task.

The losses take the output layer's pre-activations (logits), as Keras's compiled graph does.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from pipeline.data.split.samples import Samples
from pipeline.data.split.tasks import Task
from pipeline.foundations.tensorflow import tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Objective(NamedTuple):
    """The data and the loss of a training.

    inputs: [sample, input], or [replica, sample, input] if not shared.
    targets: [sample, output], or [replica, sample, output] if not shared.
    loss: a function of targets and the output layer's pre-activations [replica, sample, output]; returns [replica].
    is_shared: whether all replicas share inputs and targets.
    """

    inputs: tf.Tensor
    targets: tf.Tensor
    loss: Loss
    is_shared: bool = True


def of_task(task: Task, samples: Samples) -> Objective:
    """Return the objective of a task: predict the targets. All replicas share the samples."""
    return Objective(*tensors(task, samples), LOSSES[task.kind])


def tensors(task: Task, samples: Samples) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the inputs and the target matrix, float32."""
    return tf.constant(samples.inputs, tf.float32), tf.constant(task.target_matrix(samples.targets))


def binary_cross_entropy(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Return the mean binary cross-entropy over samples in nat, [replica]."""
    repeated = tf.broadcast_to(targets, tf.shape(outputs))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(repeated, outputs), axis=(1, 2))


def categorical_cross_entropy(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy over samples in nat, [replica]."""
    repeated = tf.broadcast_to(targets, tf.shape(outputs))
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(repeated, outputs), axis=1)


def mean_squared_error(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Return the mean squared error over samples and outputs, [replica]."""
    return tf.reduce_mean(tf.square(targets - outputs), axis=(1, 2))


LOSSES: Final[dict[str, Loss]] = {
    "binary": binary_cross_entropy,
    "multiclass": categorical_cross_entropy,
    "regression": mean_squared_error,
}


def predictions(task: Task, outputs: tf.Tensor) -> tf.Tensor:
    """Return the predictions for the output layer's pre-activations [replica, sample, output]."""
    activations = {"binary": tf.sigmoid, "multiclass": tf.nn.softmax, "regression": tf.identity}
    return activations[task.kind](outputs)


def scores(task: Task, targets: tf.Tensor, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the scores of the task, [replica] each, as `Task.scores` defines them.

    Args:
        targets: [sample, output].
        outputs: pre-activations, [replica, sample, output].
    """
    if not task.is_classification:
        squares = tf.reduce_sum(tf.square(targets - outputs), axis=1)
        total = tf.reduce_sum(tf.square(targets - tf.reduce_mean(targets, axis=0)), axis=0)
        return {"r2": tf.reduce_mean(1 - squares / total, axis=1)}
    if task.kind == "binary":
        hits = tf.equal(tf.sigmoid(outputs) > 0.5, targets > 0.5)[..., 0]
        one_hot = tf.concat([1 - targets, targets], axis=1)
    else:
        hits = tf.equal(tf.argmax(outputs, axis=2), tf.argmax(targets, axis=1))
        one_hot = targets
    correct = tf.cast(hits, tf.float32)
    counts = tf.reduce_sum(one_hot, axis=0)
    recalls = tf.math.divide_no_nan(tf.matmul(correct, one_hot), counts)
    class_count = tf.reduce_sum(tf.cast(counts > 0, tf.float32))
    return {
        "accuracy": tf.reduce_mean(correct, axis=1),
        "balanced_accuracy": tf.reduce_sum(recalls, axis=1) / class_count,
    }
