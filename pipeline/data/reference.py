"""The reference: what scikit-learn's quick models reach on the same rows, and the bar that follows for a network.

Few tables allow a perfect score. On a census, on clicks or on the diabetes rows even the true probabilities score far
below it, so "halfway from guessing to perfect" calls good networks failures. The reference says how far a linear model
and a forest of random trees get on these rows. A weak reference proves nothing: a parity, or a bar anywhere in a
picture, defeats both models and no good network.
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
ROWS: Final = 2000  # at most so many rows are fitted, and as many judged
ENTRIES: Final = 2_000_000  # rows x columns of a fit, some two seconds; above it there is no reference
COMMON_IDS: Final = 1000  # the most frequent ids that are counted as columns
TREES: Final = 100
FOLDS: Final = 3  # where no rows are kept apart
FEWEST: Final = 20  # rows below which a reference says nothing
ITERATIONS: Final = 200  # of the logistic regression
LEAST_PROBABILITY: Final = 1 / (2 * TREES)  # a forest says 0 where no tree voted, and one such row costs everything
QUANTILE: Final = 1.96  # of the normal distribution, for an upper 95% bound
RIDGES: Final = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)  # penalties of the linear regression; rows choose

ModelName = Literal["linear", "trees"]
MODELS: Final[dict[ModelName, str]] = {"linear": "a linear model", "trees": f"a forest of {TREES} random trees"}
Inputs = Literal["columns", "ids", "array"]


class Reference(Stored):
    """The scores of the quick models.

    scores: by model and score, each on rows that the model was not fitted on. inputs: `columns` are numbers in any
    order, `ids` were counted, an `array` has dimensions of its own and was flattened. fitted, judged: numbers of rows.
    part: the rows that judge, "folds" where the training rows judge each other. bound: by score, what guessing exceeds
    on the judging rows in 2.5% of all cases. skipped: why there are no scores, "" where there are.
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
        """Return the model with the best score, and the score; None where no model has it."""
        values = self.by_model(score)
        name = max(values, key=values.__getitem__, default=None)
        return None if name is None else (name, values[name])

    def bar(self, task: Task, score: str, usual: float) -> float:
        """Return the score above which a network has learned.

        It is the greater of two: halfway from guessing to the better model, and the upper bound of guessing. It is
        never above `usual`, and is `usual` where the inputs are no columns: there a weak model proves nothing.
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
    """Return the reference that the stage of this name has left.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    with reading(REFERENCE, "a reference as the stage `reference` writes it"):
        return Reference.model_validate_json(REFERENCE.read_text(encoding="utf-8"))


def of_split(split: Split) -> Reference:
    """Return the reference of the pipeline's rows: fitted on the training rows, judged like the networks."""
    part = "test" if split.validation is None else "validation"
    inputs: Inputs = "columns" if len(split.shape) == 1 else "array"
    return fit(split.task, split.train, split.parts[part], part, inputs)


def fit(task: Task, train: Samples, judge: Samples | None, part: str, inputs: Inputs) -> Reference:
    """Fit both models on at most ROWS rows and score them on others. One thread, and the same numbers every time.

    Args:
        train: inputs float [row, ...], or ids int [row, step]. Targets as `Samples` has them.
        judge: the rows that judge the network; None for FOLDS seeded folds of the training rows.
        part: what these are called.
    """
    rows = _some(task, train)
    others = None if judge is None else _some(task, judge)
    reason = _reason(task, rows, others, inputs)
    if reason:
        return Reference(inputs=inputs, skipped=reason)
    columns, other = _columns(rows.inputs, None if others is None else others.inputs, inputs)
    if columns.size > ENTRIES:
        size = f"{len(columns):,} rows of {columns.shape[1]:,} columns"
        return Reference(inputs=inputs, skipped=f"{size} take too long")
    pairs = list(_pairs(task, columns, rows.targets, other, others))
    scores: dict[ModelName, dict[str, float]] = {name: _scores(task, name, pairs) for name in MODELS}
    judged = np.concatenate([targets for _, _, _, targets in pairs])
    bound = {score: guessing_bound(task, score, judged) for score in scores["trees"]}
    part = "folds" if others is None else part
    return Reference(scores=scores, inputs=inputs, fitted=len(rows), judged=len(judged), part=part, bound=bound)


def guessing_bound(task: Task, score: str, targets: np.ndarray) -> float:
    """Return the score that predictions which know nothing of the rows exceed in about 2.5% of all cases.

    Balanced accuracy: the mean of recalls, each binomial, for those shares of predicted classes for which it varies
    most. R²: predictions without any relation reach at most the squared correlation, which is chi-squared over the
    rows. Skill of a cross-entropy: the likelihood ratio of one parameter, chi-squared over twice the rows' entropy.
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
    """Return the shares p of predicted classes with the greatest sum of p (1 - p) / count, by Lagrange's condition."""
    for kept in range(len(counts), 1, -1):  # a class of many rows drops out first
        order = np.argsort(counts)[:kept]
        multiplier = (kept - 2) / counts[order].sum()
        shares = (1 - multiplier * counts[order]) / 2
        if (shares >= 0).all():
            break
    every = np.zeros(len(counts))
    every[order] = shares
    return every


def _reason(task: Task, rows: Samples, others: Samples | None, inputs: Inputs) -> str:
    """Return why no reference can be fitted, or ""."""
    parts = [rows] if others is None else [rows, others]
    if min(map(len, parts)) < FEWEST:
        return f"fewer than {FEWEST} rows"
    if not all(np.isfinite(part.inputs).all() and np.isfinite(part.targets).all() for part in parts):
        return "NaN or infinite values"
    if task.is_classification and len(np.unique(rows.targets)) < 2:
        return "the training rows have one class"
    if inputs == "ids" and min(part.inputs.min() for part in parts) < 0:
        return "negative ids"
    return ""


def _some(task: Task, samples: Samples) -> Samples:
    """Return at most ROWS rows, drawn by a fixed seed and with the classes' shares."""
    if len(samples) <= ROWS:
        return samples
    random = np.random.default_rng(0)
    order = random.permutation(len(samples))
    if task.is_classification:  # a systematic sample of the rows in the order of their classes keeps the shares
        order = order[np.argsort(samples.targets[order], kind="stable")]
        order = order[np.linspace(0, len(order) - 1, ROWS).astype(int)]
    chosen = np.sort(order[:ROWS])
    return Samples(samples.inputs[chosen], samples.targets[chosen])


def _columns(train: np.ndarray, judge: np.ndarray | None, inputs: Inputs) -> tuple[np.ndarray, np.ndarray | None]:
    """Return columns float [row, column]: ids are counted, other inputs flattened and standardised."""
    if inputs == "ids":
        ids, counts = np.unique(train, return_counts=True)
        common = np.sort(ids[np.argsort(-counts, kind="stable")[:COMMON_IDS]])
        counted = _counts(train, common), None if judge is None else _counts(judge, common)
        return counted
    from sklearn.preprocessing import StandardScaler  # here, because it takes long to import, and `train` does without

    flat = train.reshape(len(train), -1).astype(np.float64)
    scaler = StandardScaler().fit(flat)
    other = None if judge is None else scaler.transform(judge.reshape(len(judge), -1).astype(np.float64))
    return scaler.transform(flat), other


def _counts(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return how often each id occurs in each row, float [row, id]."""
    flat = rows.reshape(len(rows), -1)
    places = np.searchsorted(ids, flat).clip(max=len(ids) - 1)
    row, step = np.nonzero(ids[places] == flat)
    counts = np.zeros((len(rows), len(ids)))
    np.add.at(counts, (row, places[row, step]), 1)
    return counts


Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # columns and targets that fit, and that judge


def _pairs(
    task: Task, columns: np.ndarray, targets: np.ndarray, other: np.ndarray | None, judge: Samples | None
) -> Iterator[Pair]:
    if other is not None and judge is not None:
        yield columns, targets, other, judge.targets
        return
    from sklearn.model_selection import KFold, StratifiedKFold

    rare = task.is_classification and np.bincount(targets)[np.unique(targets)].min() < FOLDS
    kind = StratifiedKFold if task.is_classification and not rare else KFold
    for fitted, judged in kind(FOLDS, shuffle=True, random_state=0).split(columns, targets):
        yield columns[fitted], targets[fitted], columns[judged], targets[judged]


def _scores(task: Task, name: ModelName, pairs: list[Pair]) -> dict[str, float]:
    """Return every score of a model on the rows that it was not fitted on, all folds together."""
    targets = np.concatenate([judged for _, _, _, judged in pairs])
    predictions = np.concatenate(
        [_predictions(task, name, columns, known, other) for columns, known, other, _ in pairs]
    )
    scores = {**task.scores(targets, predictions), SKILL: _skill(task, targets, predictions)}
    return {score: value for score, value in scores.items() if np.isfinite(value)}


def _skill(task: Task, targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return 1 - loss / loss of the best constant prediction; NaN where a constant makes no mistake."""
    constant = task.constant_loss(targets)
    if not constant:
        return float("nan")
    if not task.is_classification:
        return float(1 - ((targets - predictions) ** 2).mean() / constant)
    shares = np.column_stack([1 - predictions, predictions]) if task.kind == "binary" else predictions
    likely = shares[np.arange(len(targets)), targets].clip(min=LEAST_PROBABILITY)
    return float(1 + np.log(likely).mean() / constant)


def _predictions(
    task: Task, name: ModelName, columns: np.ndarray, targets: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Fit a model and predict other rows, as the task has predictions: float [row, output]."""
    # Here, because scikit-learn takes long to import, and `train` does without.
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if not task.is_classification:
        trees = ExtraTreesRegressor(TREES, random_state=0, n_jobs=1)
        regressor = RidgeCV(RIDGES) if name == "linear" else trees
        values = targets if targets.shape[1] > 1 else targets[:, 0]
        return regressor.fit(columns, values).predict(other).reshape(len(other), -1)
    forest = ExtraTreesClassifier(TREES, random_state=0, n_jobs=1)
    classifier = LogisticRegression(max_iter=ITERATIONS) if name == "linear" else forest
    if len(np.unique(targets)) == 1:  # of a fold
        shares, classes = np.ones((len(other), 1)), targets[:1]
    else:
        with warnings.catch_warnings(action="ignore"):  # ITERATIONS are enough for a reference
            classifier.fit(columns, targets)
        shares, classes = classifier.predict_proba(other), classifier.classes_
    probabilities = np.zeros((len(other), len(task.names)))
    probabilities[:, classes] = shares
    return probabilities[:, 1:] if task.kind == "binary" else probabilities
