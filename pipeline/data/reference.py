"""Fit the reference: scikit-learn's quick models, whose scores on the same rows tell what a network can reach.

Few tables allow a perfect score. On a census, on clicks or on the diabetes rows even the true probabilities score far
below 1, so the threshold "halfway from guessing to perfect" would call good networks failures. The reference is the
score of a linear model and of a forest of random trees on these rows. A weak reference proves nothing: both models fail
at a parity, or at a bar anywhere in a picture, and a good network does not.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field

from pipeline.data.split.samples import Samples, Split, Stored
from pipeline.data.split.tasks import Task
from pipeline.foundations.files import reading, save_text
from pipeline.params.evaluation_params import SKILL

REFERENCE: Final = Path("data/reference/reference.json")
ROWS: Final = 2000  # fit on at most so many rows, and score on at most as many
ENTRIES: Final = 2_000_000  # rows x columns that take some two seconds; a larger table gets no reference
COMMON_IDS: Final = 1000  # so many ids, the most frequent ones, become columns of counts
TREES: Final = 100
FOLDS: Final = 3  # if there are no rows beside the training rows
FEWEST: Final = 20  # with fewer rows there is no reference
ITERATIONS: Final = 200  # of the logistic regression
LEAST_PROBABILITY: Final = 1 / (2 * TREES)  # instead of 0, for a class without a tree's vote: log 0 is infinite
QUANTILE: Final = 1.96  # of the normal distribution, for an upper 95% bound
# Penalties of the linear regression; cross-validation chooses one.
RIDGES: Final = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)

ModelName = Literal["linear", "trees"]
MODELS: Final[dict[ModelName, str]] = {"linear": "a linear model", "trees": f"a forest of {TREES} random trees"}
Inputs = Literal["columns", "ids", "array"]


class Reference(Stored):
    """The scores of the quick models.

    scores: the scores on rows that the model was not fitted on, by model and score.
    inputs: `columns` are numbers in any order; `ids` were counted; an `array` has more dimensions and was flattened.
    fitted: the number of rows that the models were fitted on.
    judged: the number of rows that the scores are from.
    part: the part of the data that these rows are; "folds" if they are the training rows, by cross-validation.
    bound: for each score, the value that guessing exceeds on these rows in 2.5% of all cases.
    skipped: the reason why there are no scores; "" if there are scores.
    """

    scores: dict[ModelName, dict[str, float]] = Field(default_factory=dict)
    inputs: Inputs = "columns"
    fitted: int = 0
    judged: int = 0
    part: str = ""
    bound: dict[str, float] = Field(default_factory=dict)
    skipped: str = ""

    def by_model(self, score: str) -> dict[ModelName, float]:
        """Return the score of each model that has it."""
        return {name: scores[score] for name, scores in self.scores.items() if score in scores}

    def best(self, score: str) -> tuple[ModelName, float] | None:
        """Return the model with the best score, and the score; None if no model has it."""
        values = self.by_model(score)
        name = max(values, key=values.__getitem__, default=None)
        return None if name is None else (name, values[name])

    def bar(self, task: Task, score: str, usual: float) -> float:
        """Return the score above which a network has learned.

        The bar is halfway from guessing to the better model, but at least the upper bound of guessing, and at most
        `usual`. For inputs other than columns the bar is `usual`, because a weak model proves nothing there.

        Args:
            usual: the task's usual threshold.
        """
        best = self.best(score)
        if best is None or self.inputs != "columns":
            return usual
        guess = task.guessing(score)
        return min(usual, round(max((guess + best[1]) / 2, self.bound[score]), 3))


def save_reference(reference: Reference) -> None:
    """Write the reference as JSON."""
    save_text(reference.model_dump_json(indent=2) + "\n", REFERENCE)


def load_reference() -> Reference:
    """Read the reference that the stage `reference` wrote.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    with reading(REFERENCE, "a reference as the stage `reference` writes it"):
        return Reference.model_validate_json(REFERENCE.read_text(encoding="utf-8"))


def of_split(split: Split) -> Reference:
    """Fit the reference on the training rows, and score it on the rows by which networks are judged."""
    part = "test" if split.validation is None else "validation"
    inputs: Inputs = "columns" if len(split.shape) == 1 else "array"
    return fit(split.task, split.train, split.parts[part], part, inputs)


def fit(task: Task, train: Samples, judge: Samples | None, part: str, inputs: Inputs) -> Reference:
    """Fit both models on at most ROWS rows, and score them on other rows: in one thread, with fixed seeds.

    Args:
        train: the rows to fit on, inputs float [row, ...] or ids int [row, step].
        judge: the rows to score on; None for FOLDS folds of the training rows.
        part: the name of the rows to score on.
        inputs: the kind of the inputs, as in `Reference`.
    """
    rows = _sample(task, train)
    judge_rows = None if judge is None else _sample(task, judge)
    reason = _reason_to_skip(task, rows, judge_rows, inputs)
    if reason:
        return Reference(inputs=inputs, skipped=reason)
    columns, judge_columns = _columns(rows.inputs, None if judge_rows is None else judge_rows.inputs, inputs)
    if columns.size > ENTRIES:
        size = f"{len(columns):,} rows of {columns.shape[1]:,} columns"
        return Reference(inputs=inputs, skipped=f"{size} take too long")
    pairs = list(_pairs(task, columns, rows.targets, judge_columns, judge_rows))
    scores: dict[ModelName, dict[str, float]] = {name: _scores(task, name, pairs) for name in MODELS}
    targets = np.concatenate([judge_targets for _, _, _, judge_targets in pairs])
    bound = {score: guessing_bound(task, score, targets) for score in scores["trees"]}
    part = "folds" if judge_rows is None else part
    return Reference(scores=scores, inputs=inputs, fitted=len(rows), judged=len(targets), part=part, bound=bound)


def guessing_bound(task: Task, score: str, targets: np.ndarray) -> float:
    """Return the score that predictions without information exceed in about 2.5% of all cases.

    * Balanced accuracy is a mean of recalls, each binomial; it varies most for the shares of `_widest_shares`.
    * R² is at most the squared correlation of predictions and targets: chi-squared / rows.
    * The skill of a cross-entropy is the likelihood ratio of one parameter: chi-squared / (2 x rows x entropy).
    * Any other score of a classification counts as accuracy: always predicting the majority class is binomial.
    """
    rows = len(targets)
    if score == SKILL or not task.is_classification:
        entropy = task.constant_loss(targets) if task.is_classification else 0.5
        return QUANTILE**2 / (2 * rows * entropy) if entropy else 1.0
    counts = np.bincount(targets, minlength=len(task.names))
    counts = counts[counts > 0].astype(float)
    if score != "balanced_accuracy":
        share = counts.max() / rows
        return float(share + QUANTILE * np.sqrt(share * (1 - share) / rows))
    shares = _widest_shares(counts)
    deviation = np.sqrt((shares * (1 - shares) / counts).sum()) / len(counts)
    return float(1 / len(counts) + QUANTILE * deviation)


def _widest_shares(counts: np.ndarray) -> np.ndarray:
    """Return the shares p of predicted classes that maximise the sum of p (1 - p) / count, by a Lagrange multiplier."""
    for size in range(len(counts), 1, -1):  # leave out the largest classes until no share is negative
        order = np.argsort(counts)[:size]
        multiplier = (size - 2) / counts[order].sum()
        shares = (1 - multiplier * counts[order]) / 2
        if (shares >= 0).all():
            break
    all_shares = np.zeros(len(counts))
    all_shares[order] = shares
    return all_shares


def _reason_to_skip(task: Task, rows: Samples, judge_rows: Samples | None, inputs: Inputs) -> str:
    """Return the reason why no reference can be fitted; "" if it can."""
    parts = [rows] if judge_rows is None else [rows, judge_rows]
    if min(map(len, parts)) < FEWEST:
        return f"fewer than {FEWEST} rows"
    if not all(np.isfinite(part.inputs).all() and np.isfinite(part.targets).all() for part in parts):
        return "NaN or infinite values"
    if task.is_classification and len(np.unique(rows.targets)) < 2:
        return "the training rows have one class"
    if inputs == "ids" and min(part.inputs.min() for part in parts) < 0:
        return "negative ids"
    return ""


def _sample(task: Task, samples: Samples) -> Samples:
    """Draw at most ROWS rows, with a fixed seed; the classes keep their shares."""
    if len(samples) <= ROWS:
        return samples
    random = np.random.default_rng(0)
    order = random.permutation(len(samples))
    if task.is_classification:  # evenly spaced rows, in the order of their classes, keep the shares
        order = order[np.argsort(samples.targets[order], kind="stable")]
        order = order[np.linspace(0, len(order) - 1, ROWS).astype(int)]
    rows = np.sort(order[:ROWS])
    return Samples(samples.inputs[rows], samples.targets[rows])


def _columns(train: np.ndarray, judge: np.ndarray | None, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
    """Return float [row, column] of both parts: the counts of ids, or flattened and standardised inputs."""
    if inputs == "ids":
        ids, counts = np.unique(train, return_counts=True)
        common = np.sort(ids[np.argsort(-counts, kind="stable")[:COMMON_IDS]])
        return _counts(train, common), None if judge is None else _counts(judge, common)
    from sklearn.preprocessing import StandardScaler  # imported late: it is slow, and `train` does not need it

    flat = train.reshape(len(train), -1).astype(np.float64)
    scaler = StandardScaler().fit(flat)
    judge_columns = None if judge is None else scaler.transform(judge.reshape(len(judge), -1).astype(np.float64))
    return scaler.transform(flat), judge_columns


def _counts(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return how often each id occurs in each row, float [row, id]."""
    flat = rows.reshape(len(rows), -1)
    places = np.searchsorted(ids, flat).clip(max=len(ids) - 1)
    row, step = np.nonzero(ids[places] == flat)
    counts = np.zeros((len(rows), len(ids)))
    np.add.at(counts, (row, places[row, step]), 1)
    return counts


# Columns and targets to fit on, then columns and targets to score on.
Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _pairs(
    task: Task, columns: np.ndarray, targets: np.ndarray, judge_columns: np.ndarray | None, judge: Samples | None
) -> Iterator[Pair]:
    if judge_columns is not None and judge is not None:
        yield columns, targets, judge_columns, judge.targets
        return
    from sklearn.model_selection import KFold, StratifiedKFold

    has_rare = task.is_classification and np.bincount(targets)[np.unique(targets)].min() < FOLDS
    splitter = StratifiedKFold if task.is_classification and not has_rare else KFold
    for fit_rows, judge_rows in splitter(FOLDS, shuffle=True, random_state=0).split(columns, targets):
        yield columns[fit_rows], targets[fit_rows], columns[judge_rows], targets[judge_rows]


def _scores(task: Task, name: ModelName, pairs: list[Pair]) -> dict[str, float]:
    """Return every score of a model on the rows that it was not fitted on, over all pairs."""
    targets = np.concatenate([judge_targets for _, _, _, judge_targets in pairs])
    predictions = np.concatenate(
        [_predictions(task, name, columns, fit_targets, others) for columns, fit_targets, others, _ in pairs]
    )
    scores = {**task.scores(targets, predictions), SKILL: _skill(task, targets, predictions)}
    return {score: value for score, value in scores.items() if np.isfinite(value)}


def _skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return 1 - loss / baseline loss; NaN if the baseline loss is 0."""
    baseline = task.constant_loss(targets)
    if not baseline:
        return float("nan")
    if not task.is_classification:
        return float(1 - ((targets - predictions) ** 2).mean() / baseline)
    shares = np.column_stack([1 - predictions, predictions]) if task.kind == "binary" else predictions
    of_true_class = shares[np.arange(len(targets)), targets].clip(min=LEAST_PROBABILITY)
    return float(1 + np.log(of_true_class).mean() / baseline)


def _predictions(
    task: Task, name: ModelName, columns: np.ndarray, targets: np.ndarray, judge_columns: np.ndarray
) -> np.ndarray:
    """Fit a model, and return its predictions for `judge_columns` in the task's form, float [row, output]."""
    # Imported late: scikit-learn is slow, and `train` does not need it.
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if not task.is_classification:
        trees = ExtraTreesRegressor(TREES, random_state=0, n_jobs=1)
        regressor = RidgeCV(RIDGES) if name == "linear" else trees
        values = targets if targets.shape[1] > 1 else targets[:, 0]
        return regressor.fit(columns, values).predict(judge_columns).reshape(len(judge_columns), -1)
    forest = ExtraTreesClassifier(TREES, random_state=0, n_jobs=1)
    classifier = LogisticRegression(max_iter=ITERATIONS) if name == "linear" else forest
    if len(np.unique(targets)) == 1:  # in a fold
        shares, classes = np.ones((len(judge_columns), 1)), targets[:1]
    else:
        with warnings.catch_warnings(action="ignore"):  # it has not converged, but ITERATIONS are enough here
            classifier.fit(columns, targets)
        shares, classes = classifier.predict_proba(judge_columns), classifier.classes_
    probabilities = np.zeros((len(judge_columns), len(task.names)))
    probabilities[:, classes] = shares
    return probabilities[:, 1:] if task.kind == "binary" else probabilities
