"""What a user's model is to do, read from its compiled loss and its targets; and its predictions as the task's scores
take them."""

import inspect
from dataclasses import dataclass
from typing import Any, Final, cast

import keras
import numpy as np

from pipeline.data.split.tasks import KINDS, KindName, Task

AUTO: Final = "auto"
# By Keras's names without "_" and in lower case.
TWO_CLASSES: Final = ("binarycrossentropy", "binaryfocalcrossentropy")
CATEGORICAL: Final = ("categoricalcrossentropy", "categoricalfocalcrossentropy")  # of labels one-hot
CLASSES: Final = (*CATEGORICAL, "sparsecategoricalcrossentropy")
DISTANCES: Final = (
    *("mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh"),
    *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
)


@dataclass(frozen=True)
class Objective:
    """A task of one output, and how its arrays become those of `Task.scores`."""

    task: Task
    from_logits: bool

    def targets(self, targets: Any, outputs: np.ndarray) -> np.ndarray:
        """Labels int [sample], or values [sample, target]; every place of an image or a sequence is a sample."""
        values = np.asarray(targets)
        if self.task.kind == "multiclass" and values.shape == outputs.shape:
            values = values.argmax(axis=-1)
        if self.task.is_classification:
            return values.reshape(-1).astype(np.int64)
        return values.reshape(-1, self.task.outputs).astype(np.float64)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Of the same samples, [sample, output]."""
        flat = np.asarray(outputs, np.float32).reshape(-1, self.task.outputs)
        if self.task.kind == "binary" and self.from_logits:
            return (flat > 0).astype(np.float32)  # all that a score asks of a probability
        return flat

    def scores(self, targets: Any, outputs: Any) -> dict[str, float]:
        """All scores of the task."""
        (values,), (given,) = keras.tree.flatten(targets), keras.tree.flatten(outputs)
        with np.errstate(all="ignore"):
            return self.task.scores(self.targets(values, given), self.predictions(given))

    def constant_outputs(self, targets: Any, outputs: np.ndarray) -> np.ndarray:
        """The best constant outputs for a loss that is a cross-entropy or a square; like `outputs`."""
        values = self.targets(targets, outputs)
        if self.task.kind == "regression":
            best = values.mean(axis=0)
        else:
            best = np.bincount(values, minlength=max(2, self.task.outputs)) / len(values)
            best = best[1:] if self.task.kind == "binary" else best
            if self.from_logits:
                best = np.clip(best, 1e-7, 1 - 1e-7)
                best = np.log(best / (1 - best)) if self.task.kind == "binary" else np.log(best)
        return np.broadcast_to(best, (outputs.size // len(best), len(best))).reshape(outputs.shape).astype(np.float32)


def objective_of(model: keras.Model, targets: Any, outputs: Any, asked: str) -> Objective | None:
    """The objective; None where no rule of the pipeline applies: several outputs, several labels a row, or a loss and
    targets that do not say.

    Args:
        targets, outputs: of some rows, as the model takes and gives them. asked: AUTO or a kind of task.
    """
    found, given = keras.tree.flatten(targets), keras.tree.flatten(outputs)
    if len(found) != 1 or len(given) != 1 or found[0] is None:
        return None
    values, out = np.asarray(found[0]), np.asarray(given[0])
    name, from_logits = loss_of(model)
    kind = cast(KindName, asked) if asked in KINDS else _kind(name, values, out)
    if kind is None or not _fits(kind, values, out):
        return None
    return Objective(_task(kind, out, values), from_logits)


def loss_of(model: keras.Model) -> tuple[str, bool]:
    """The name of its compiled loss, in lower case without "_", and whether that takes logits; "" where there is not
    one loss."""
    loss = getattr(model, "loss", None)
    flat = [each for each in keras.tree.flatten(loss) if each is not None]
    if len(flat) != 1:
        return "", False
    (loss,) = flat
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    logits = getattr(loss, "from_logits", None)
    if logits is None and inspect.isroutine(loss):
        logits = False
    return str(name).lower().replace("_", ""), bool(logits)


def _kind(loss: str, targets: np.ndarray, outputs: np.ndarray) -> KindName | None:
    column = outputs.ndim < 2 or outputs.shape[-1] == 1
    values = set(np.unique(targets[:100_000]).tolist())
    zeros_and_ones = values <= {0, 1}
    one_hot = zeros_and_ones and targets.shape == outputs.shape and bool((targets.sum(axis=-1) == 1).all())
    if loss in DISTANCES:
        return "binary" if column and zeros_and_ones else "regression"
    if column:
        of_classes = loss in (*TWO_CLASSES, *CLASSES)
        # Under a loss of the user's own, nothing but 0.0 may stand there because Keras wants some target.
        if zeros_and_ones and (of_classes or np.issubdtype(targets.dtype, np.integer) or len(values) == 2):
            return "binary"
        return "regression" if of_classes else None  # labels beyond one output can be judged as numbers alone
    if loss in TWO_CLASSES:
        return None  # several labels a row
    whole = np.issubdtype(targets.dtype, np.integer) and targets.shape != outputs.shape
    return "multiclass" if loss in CLASSES or whole or one_hot else None


def _fits(kind: str, targets: np.ndarray, outputs: np.ndarray) -> bool:
    if kind == "binary":
        return targets.size == outputs.size
    if kind == "multiclass":
        return outputs.ndim > 1 and targets.size in (outputs.size, outputs.size // outputs.shape[-1])
    return targets.size == outputs.size


def _task(kind: KindName, outputs: np.ndarray, targets: np.ndarray) -> Task:
    if kind == "binary":
        return Task(kind, ("0", "1"))
    if kind == "multiclass":
        return Task(kind, tuple(map(str, range(outputs.shape[-1]))))
    count = outputs.shape[1] if outputs.ndim == 2 else 1
    return Task(kind, ("target",) if count == 1 else tuple(f"target_{each}" for each in range(1, count + 1)))
