"""What a network is to do: binary classification, multi-class classification or regression, and all that differs.

A kind of task is one entry of KINDS; output layer, loss, scores and words follow from it. In all three the gradient of
the loss at the output's pre-activation is the prediction minus the target, times a constant over the number of samples.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

KindName = Literal["binary", "multiclass", "regression"]
SKILL: Final = "skill"  # 1 - loss / loss of the best constant prediction: a score that every task has, from its loss
# Of each score 1 is the best; in words, for figures, pages and descriptions.
SCORES: Final[Mapping[str, str]] = {
    "accuracy": "share of the rows that is classified correctly",
    "balanced_accuracy": "mean over classes of the share of its rows that is classified correctly",
    "r2": "coefficient of determination, 1 - squared error / squared error of the mean",
    SKILL: "1 - loss / loss of the best constant prediction",
}
# Further scores, of final predictions alone; errors are of targets as raw rows have them.
OF_PREDICTIONS: Final[Mapping[str, str]] = {
    "macro_f1": "mean over classes of F1, the harmonic mean of precision and recall",
    "rmse": "root of the mean squared error in the target's own unit; of several targets the mean",
    "mae": "mean absolute error in the target's own unit; of several targets the mean",
}


@dataclass(frozen=True)
class TaskKind:
    """What all tasks of a kind have in common.

    activation: of the output layer, and loss, both by Keras's names. loss_name: in words, with its unit.
    scores: what is recorded of predictions beside the loss, the main one first.
    prediction: what a model gives for a row, in words; takes the task's names.
    """

    activation: str
    loss: str
    loss_name: str
    scores: tuple[str, ...]
    prediction: Callable[[tuple[str, ...]], str]


KINDS: Final[Mapping[str, TaskKind]] = {
    "binary": TaskKind(
        "sigmoid",
        "binary_crossentropy",
        "binary cross-entropy (nat)",
        ("accuracy", "balanced_accuracy"),
        lambda names: f"the probability of class {names[1]}",
    ),
    "multiclass": TaskKind(
        "softmax",
        "categorical_crossentropy",
        "categorical cross-entropy (nat)",
        ("accuracy", "balanced_accuracy"),
        lambda names: f"the probabilities of the classes {', '.join(names)}",
    ),
    "regression": TaskKind(
        "linear",
        "mean_squared_error",
        "mean squared error (of targets as they are trained on)",
        ("r2",),
        lambda names: f"the predicted {', '.join(names)}",
    ),
}


@dataclass(frozen=True)
class Task:
    """A task: its kind, and the names of the classes in the order of their labels 0, 1, ..., or of the targets."""

    kind: KindName
    names: tuple[str, ...]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Task":
        """From plain values, as `plain` gives them.

        Raises:
            KeyError: something else.
        """
        KINDS[plain["kind"]]
        return cls(plain["kind"], tuple(plain["names"]))

    @property
    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "names": list(self.names)}

    @property
    def of_kind(self) -> TaskKind:
        """What it has in common with all tasks of its kind."""
        return KINDS[self.kind]

    @property
    def is_classification(self) -> bool:
        """Whether targets are labels of classes."""
        return self.kind != "regression"

    @property
    def outputs(self) -> int:
        """Units of the output layer: one for two classes, one for each of more, one for each target."""
        return 1 if self.kind == "binary" else len(self.names)

    @property
    def score(self) -> str:
        """The main score, a key of SCORES."""
        return self.of_kind.scores[0]

    @property
    def curves(self) -> tuple[str, ...]:
        """What is recorded of every part of the data at every epoch: the loss, then the scores."""
        return ("loss", *self.of_kind.scores)

    def target_matrix(self, targets: np.ndarray) -> np.ndarray:
        """float32 [sample, output], what the output layer is to give: labels of two classes as they are, more one-hot.

        Args:
            targets: labels int [sample], or values [sample, target].
        """
        if self.kind == "multiclass":
            return np.eye(self.outputs, dtype=np.float32)[targets]
        return np.asarray(targets, np.float32).reshape(len(targets), self.outputs)

    def constant_loss(self, targets: np.ndarray) -> float:
        """The loss of the best constant prediction: the entropy of the labels (nat), or the targets' mean variance."""
        if not self.is_classification:
            return float(np.var(np.asarray(targets, np.float64), axis=0).mean())
        shares = np.bincount(targets, minlength=len(self.names)) / len(targets)
        return float(-sum(share * np.log(share) for share in shares if share > 0))

    def scores(self, targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
        """Every score of predictions [sample, output], as the trainers record them.

        A probability of exactly one half, or not a number, predicts class 0, as in Keras; of equal probabilities the
        first class counts. Classes that do not occur are left out of the balanced accuracy; R2 is the mean over
        targets, and not a number where a target is constant.
        """
        if not self.is_classification:
            values = np.asarray(targets, np.float64).reshape(predictions.shape)
            squares = ((values - predictions) ** 2).sum(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                return {"r2": float((1 - squares / ((values - values.mean(axis=0)) ** 2).sum(axis=0)).mean())}
        hits = self.predicted_labels(predictions) == targets
        recalls = [hits[targets == label].mean() for label in np.unique(targets)]
        return {"accuracy": float(hits.mean()), "balanced_accuracy": float(np.mean(recalls))}

    def of_predictions(self, targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
        """Those of OF_PREDICTIONS that the task has.

        F1 is 2 hits / (rows of the class + rows predicted as it); classes without any of both are left out.

        Args:
            targets: labels int [sample], or values [sample, target] in their own units. predictions: [sample, output],
                in the same units.
        """
        if not self.is_classification:
            errors = np.asarray(predictions, np.float64) - targets
            return {
                "rmse": float(np.sqrt((errors**2).mean(axis=0)).mean()),
                "mae": float(np.abs(errors).mean(axis=0).mean()),
            }
        labels, classes = self.predicted_labels(predictions), len(self.names)
        rows = np.bincount(targets, minlength=classes) + np.bincount(labels, minlength=classes)
        hits = np.bincount(targets[labels == targets], minlength=classes)
        return {"macro_f1": float((2 * hits[rows > 0] / rows[rows > 0]).mean())}

    def predicted_labels(self, predictions: np.ndarray) -> np.ndarray:
        """Labels int [...] from probabilities [..., output]."""
        if self.kind == "binary":
            return (predictions[..., 0] > 0.5).astype(np.int64)
        return np.nan_to_num(predictions, nan=-1.0).argmax(axis=-1)

    def guessing(self, score: str) -> float:
        """What a guess reaches that knows nothing of the inputs: any class at random, or the mean of the targets."""
        return 1 / len(self.names) if self.is_classification and score != SKILL else 0.0

    @property
    def usual_threshold(self) -> tuple[str, float]:
        """Score and threshold of having learned where nobody says another: halfway from guessing to the best that can
        be. A network that always says the most frequent class has then not learned."""
        score = "balanced_accuracy" if self.is_classification else "r2"
        return score, (1 + self.guessing(score)) / 2

    @property
    def in_words(self) -> str:
        """ "2 classes (0, 1)", "10 classes", "regression of price"."""
        if not self.is_classification:
            return f"regression of {', '.join(self.names)}"
        few = f" ({', '.join(self.names)})" if len(self.names) <= 5 else ""
        return f"{len(self.names)} classes{few}"

    def says(self) -> str:
        """What a model gives for a row, in words."""
        return self.of_kind.prediction(self.names)
