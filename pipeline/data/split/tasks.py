"""Define the three kinds of tasks: binary classification, multi-class classification and regression.

A kind is one entry of KINDS; the output layer and all words follow from it. Loss and scores are only named there: both
engines compute them by hand (training/compiled/outputs.py and training/stacked/objectives.py), and so does
`Task.scores`. `Task.guessing` and `guessing_bound` (data/reference/guessing.py) treat every new score of a
classification as accuracy. A new score therefore changes these five places, besides its name in KINDS and its words in
SCORES (params/evaluation_params.py).

For all three kinds, the gradient of the loss with respect to the output's pre-activation is (prediction - target) times
a constant / the number of samples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypedDict

import numpy as np

from pipeline.params.evaluation_params import SKILL

KindName = Literal["binary", "multiclass", "regression"]
# A target of whole numbers with more different values is a regression, not classes. This limit is not in params.yaml,
# because `data.task` there can state the task if the guess is wrong.
MOST_CLASSES: Final = 20
# Further scores, computed only for the final predictions. Errors are in the unit of the raw targets.
OF_PREDICTIONS: Final[Mapping[str, str]] = {
    "macro_f1": "mean over classes of F1, the harmonic mean of precision and recall",
    "rmse": "root of the mean squared error in the target's own unit; of several targets the mean",
    "mae": "mean absolute error in the target's own unit; of several targets the mean",
}


class PlainTask(TypedDict):
    """A task as plain values."""

    kind: KindName
    names: list[str]


@dataclass(frozen=True)
class TaskKind:
    """The properties that all tasks of a kind share.

    activation: Keras's name of the output layer's activation.
    loss: Keras's name of the loss.
    loss_name: the loss in words, with its unit.
    scores: the names of the scores that are recorded beside the loss, the main score first.
    prediction: takes the task's names; returns in words what a model predicts for a row.
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
    """A task: its kind, and the names of its classes (in the order of the labels 0, 1, ...) or of its targets."""

    kind: KindName
    names: tuple[str, ...]

    @classmethod
    def of(cls, plain: PlainTask) -> "Task":
        """Return the task that the plain values describe; see `plain`.

        Raises:
            KeyError: there is no such kind.
            ValueError: the names are not those of such a task.
        """
        KINDS[plain["kind"]]
        if not isinstance(plain["names"], list) or not all(isinstance(name, str) for name in plain["names"]):
            raise ValueError("the names of a task must be a list of texts")
        return expect_whole(cls(plain["kind"], tuple(plain["names"])))

    @property
    def plain(self) -> PlainTask:
        """Return the task as plain values."""
        return {"kind": self.kind, "names": list(self.names)}

    @property
    def of_kind(self) -> TaskKind:
        """Return the properties that all tasks of this kind share."""
        return KINDS[self.kind]

    @property
    def is_classification(self) -> bool:
        """Return whether targets are labels of classes."""
        return self.kind != "regression"

    @property
    def outputs(self) -> int:
        """Return the number of output units: one for two classes, one per class for more classes, one per target."""
        return 1 if self.kind == "binary" else len(self.names)

    @property
    def score(self) -> str:
        """Return the main score, a key of `evaluation_params.SCORES`."""
        return self.of_kind.scores[0]

    @property
    def curves(self) -> tuple[str, ...]:
        """Return the names of the curves of every part of the data: the loss, then the scores."""
        return ("loss", *self.of_kind.scores)

    def target_matrix(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets of the output layer, float32 [sample, output]; more than two classes become one-hot.

        Args:
            targets: labels int [sample], or values [sample, target].
        """
        if self.kind == "multiclass":
            return np.eye(self.outputs, dtype=np.float32)[targets]
        return np.asarray(targets, np.float32).reshape(len(targets), self.outputs)

    def constant_loss(self, targets: np.ndarray) -> float:
        """Return the baseline loss: the loss of the best constant prediction.

        For classes this is the entropy of the labels in nat, for a regression the variance, averaged over the targets.
        """
        if not self.is_classification:
            return float(np.var(np.asarray(targets, np.float64), axis=0).mean())
        shares = np.bincount(targets, minlength=len(self.names)) / len(targets)
        return float(-sum(share * np.log(share) for share in shares if share > 0))

    def scores(self, targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
        """Return every score of predictions [sample, output], as the trainers record them.

        As in Keras, a probability of exactly one half or NaN predicts class 0, and of classes with equal probabilities
        the first is predicted. Balanced accuracy leaves out classes that do not occur. R² is the mean over the targets,
        and NaN if a target is constant.
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
        """Return the scores of OF_PREDICTIONS that the task has.

        The F1 of a class is 2 hits / (its rows + rows predicted as the class); a class without any is left out.

        Args:
            targets: labels int [sample], or raw values [sample, target].
            predictions: [sample, output], in the unit of the targets.
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
        """Return labels int [...] of probabilities [..., output]."""
        if self.kind == "binary":
            return (predictions[..., 0] > 0.5).astype(np.int64)
        return np.nan_to_num(predictions, nan=-1.0).argmax(axis=-1)

    def guessing(self, score: str) -> float:
        """Return the score of guessing without the inputs: a random class, or the mean of the targets.

        Every score of a classification except `skill` counts as an accuracy: 1 / the number of classes.
        """
        return 1 / len(self.names) if self.is_classification and score != SKILL else 0.0

    @property
    def usual_threshold(self) -> tuple[str, float]:
        """Return the score and threshold of "learned" for a params.yaml without one: halfway from guessing to 1.

        The score of classes is balanced accuracy, so a network that always predicts the majority class has not learned.
        """
        score = "balanced_accuracy" if self.is_classification else "r2"
        return score, (1 + self.guessing(score)) / 2

    @property
    def in_words(self) -> str:
        """Return the task in words: "2 classes (0, 1)", "10 classes", "regression of price"."""
        if not self.is_classification:
            return f"regression of {', '.join(self.names)}"
        class_list = f" ({', '.join(self.names)})" if len(self.names) <= 5 else ""
        return f"{len(self.names)} classes{class_list}"

    def says(self) -> str:
        """Return in words what a model predicts for a row."""
        return self.of_kind.prediction(self.names)


def expect_whole(task: Task) -> Task:
    """Return a task that was read from a file, after a check of its names.

    Raises:
        ValueError: there are too few or too many names, or one stands twice.
    """
    count = len(task.names)
    if count < (2 if task.is_classification else 1) or (task.kind == "binary" and count > 2):
        raise ValueError(f"a {task.kind} task has {count} names")
    if len(set(task.names)) < count:
        raise ValueError("a name of a class or target stands twice")
    return task
