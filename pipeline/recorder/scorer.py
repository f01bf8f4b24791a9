"""Infer the task of a user's model from its compiled loss and its targets, and score its predictions."""

from dataclasses import dataclass
from typing import Final, cast

import keras
import numpy as np

from pipeline.data.split.tasks import KINDS, KindName, Task
from pipeline.foundations.untyped import Array, Batch
from pipeline.models.loss_names import CLASSES, DISTANCES, TWO_CLASSES, loss_of

AUTO: Final = "auto"


@dataclass(frozen=True)
class Scorer:
    """Scores the outputs of a model with one output.

    from_logits: whether the loss takes logits.
    is_pooled: whether R² is one number over all outputs, each held against its own mean; for outputs of many columns.
    ignored: the label that the loss leaves out; None for none. Negative labels of classes are left out, too.
    """

    task: Task
    from_logits: bool
    is_pooled: bool = False
    ignored: int | None = None

    def targets(self, targets: Batch, outputs: Array) -> Array:
        """Return labels int [sample] or values [sample, target]; each pixel or time step is a sample of its own."""
        values = np.asarray(targets)
        if self.task.kind == "multiclass" and values.shape == outputs.shape:
            values = values.argmax(axis=-1)
        if self.task.is_classification:
            return values.reshape(-1).astype(np.int64)
        return values.reshape(-1, self.task.outputs).astype(np.float64)

    def predictions(self, outputs: Array) -> Array:
        """Return the predictions of the same samples, [sample, output]."""
        flat = np.asarray(outputs, np.float32).reshape(-1, self.task.outputs)
        if self.task.kind == "binary" and self.from_logits:
            return (flat > 0).astype(np.float32)  # scores need only the predicted class
        return flat

    def scores(self, targets: Batch, outputs: Batch, kept: Array | None = None) -> dict[str, float]:
        """Return all scores of the task, by name.

        Args:
            kept: bool, the rows or steps that count; None for all. Padding does not count.
        """
        (target,), (output,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
        with np.errstate(all="ignore"):
            if self.is_pooled:
                return {"r2": _pooled_r2(np.asarray(target, np.float64), np.asarray(output, np.float64))}
            labels, predictions = self.targets(target, output), self.predictions(output)
            counts = self.counted(labels, kept)
            return self._varying_scores(labels[counts], predictions[counts])

    def counted(self, targets: Array, kept: Array | None) -> Array:
        """Return bool [sample]: which of the samples that `targets` returns count."""
        counts = np.ones(len(targets), bool)
        if kept is not None and kept.size == len(targets):
            counts &= kept.reshape(-1)
        if self.task.is_classification:
            counts &= targets >= 0
            if self.ignored is not None:
                counts &= targets != self.ignored
        return counts if counts.any() else np.ones(len(targets), bool)

    def _varying_scores(self, targets: Array, predictions: Array) -> dict[str, float]:
        """Return all scores; R² leaves out constant targets, such as the dark edge of every picture."""
        if self.task.kind == "regression" and targets.shape[1] > 1:
            varies = np.ptp(targets, axis=0) > 0
            targets, predictions = (
                (targets[:, varies], predictions[:, varies]) if varies.any() else (targets, predictions)
            )
        return self.task.scores(targets, predictions)

    def constant_outputs(self, targets: Batch, outputs: Array) -> Array:
        """Return the best constant outputs under a cross-entropy or a squared error, in the shape of `outputs`."""
        values = self.targets(targets, outputs)
        values = values[self.counted(values, None)]
        if self.task.kind == "regression":
            best = values.mean(axis=0)
        else:
            best = np.bincount(values, minlength=max(2, self.task.outputs)) / len(values)
            best = best[1:] if self.task.kind == "binary" else best
            if self.from_logits:
                best = np.clip(best, 1e-7, 1 - 1e-7)  # Keras's epsilon: the logits of a missing class stay finite
                best = np.log(best / (1 - best)) if self.task.kind == "binary" else np.log(best)
        return np.broadcast_to(best, (outputs.size // len(best), len(best))).reshape(outputs.shape).astype(np.float32)


def scorer_of(model: keras.Model, targets: Batch, outputs: Batch, kind: str) -> Scorer | None:
    """Return the scorer of a compiled model, or None if no task of the pipeline fits.

    No task fits several outputs, several labels a row, or a loss and targets that do not determine the task.

    Args:
        targets: the targets of some rows, as the model takes them.
        outputs: the model's outputs for these rows.
        kind: the kind of task; AUTO infers it from the loss and the targets.
    """
    flat_targets, flat_outputs = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    if len(flat_targets) != 1 or len(flat_outputs) != 1 or flat_targets[0] is None:
        return None
    name, from_logits = loss_of(model)
    return scorer_for(name, from_logits, np.asarray(flat_targets[0]), np.asarray(flat_outputs[0]), kind)


def scorer_for(
    name: str, from_logits: bool, targets: Array, outputs: Array, kind: str, ignored: int | None = None
) -> Scorer | None:
    """Return the scorer of one output; None if no task fits.

    Args:
        name: Keras's name of the loss, as in `loss_names`; "" without a known loss.
        kind: see `scorer_of`.
        ignored: the label that the loss leaves out.
    """
    task_kind = cast(KindName, kind) if kind in KINDS else _kind(name, targets, outputs)
    if task_kind is None or not _fits(task_kind, targets, outputs):
        return None
    return Scorer(_task(task_kind, outputs, targets), from_logits, ignored=ignored)


def reconstruction_scorer() -> Scorer:
    """Return the scorer of outputs that should equal the targets, in many columns."""
    return Scorer(Task("regression", ("value",)), from_logits=False, is_pooled=True)


def _pooled_r2(targets: Array, outputs: Array) -> float:
    squares = (targets.reshape(outputs.shape) - outputs) ** 2
    return float(1 - squares.sum() / ((targets - targets.mean(axis=0)) ** 2).sum())


def _kind(loss: str, targets: Array, outputs: Array) -> KindName | None:
    is_column = outputs.ndim < 2 or outputs.shape[-1] == 1
    values = set(np.unique(targets[:100_000]).tolist())
    are_zeros_and_ones = values <= {0, 1}
    are_one_hot = are_zeros_and_ones and targets.shape == outputs.shape and bool((targets.sum(axis=-1) == 1).all())
    if loss in DISTANCES:
        return "binary" if is_column and are_zeros_and_ones else "regression"
    if is_column:
        is_for_classes = loss in (*TWO_CLASSES, *CLASSES)
        # With a user's own loss, targets may all be 0.0 because Keras needs some targets.
        if are_zeros_and_ones and (is_for_classes or np.issubdtype(targets.dtype, np.integer) or len(values) == 2):
            return "binary"
        return "regression" if is_for_classes else None  # more than two labels for one output: judge them as numbers
    if loss in TWO_CLASSES and not are_one_hot:
        return None  # several labels a row
    are_labels = np.issubdtype(targets.dtype, np.integer) and targets.shape != outputs.shape
    return "multiclass" if loss in CLASSES or are_labels or are_one_hot else None


def _fits(kind: str, targets: Array, outputs: Array) -> bool:
    if kind == "binary":
        return targets.size == outputs.size
    if kind == "multiclass":
        return outputs.ndim > 1 and targets.size in (outputs.size, outputs.size // outputs.shape[-1])
    return targets.size == outputs.size


def _task(kind: KindName, outputs: Array, targets: Array) -> Task:
    if kind == "binary":
        return Task(kind, ("0", "1"))
    if kind == "multiclass":
        return Task(kind, tuple(map(str, range(outputs.shape[-1]))))
    count = outputs.shape[1] if outputs.ndim == 2 else 1
    return Task(kind, ("target",) if count == 1 else tuple(f"target_{each}" for each in range(1, count + 1)))
