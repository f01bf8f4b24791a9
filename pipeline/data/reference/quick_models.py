"""Fit scikit-learn's quick models, and predict rows that they were not fitted on: in one thread, with fixed seeds."""

import warnings
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np

from pipeline.data.split.samples import Samples
from pipeline.data.split.tasks import Task

COMMON_IDS: Final = 1000  # the most frequent ids, whose counts become columns
TREES: Final = 100
FOLDS: Final = 3  # of cross-validation, if there are only training rows
ITERATIONS: Final = 200  # of the logistic regression
# Penalties of the linear regression; cross-validation chooses one.
RIDGES: Final = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)

ModelName = Literal["linear", "weighted_linear", "trees"]
MODELS: Final[dict[ModelName, str]] = {
    "linear": "a linear model",
    "weighted_linear": "a linear model with class weights",
    "trees": f"a forest of {TREES} random trees",
}


class Fold(NamedTuple):
    """Columns and targets of the rows to fit on, then of the rows to score on."""

    columns: np.ndarray
    targets: np.ndarray
    judge_columns: np.ndarray
    judge_targets: np.ndarray


def folds(
    task: Task, columns: np.ndarray, targets: np.ndarray, judge_columns: np.ndarray | None, judge: Samples | None
) -> Iterator[Fold]:
    """Yield the only pair of rows to fit on and to score on; without rows to score on, FOLDS seeded folds."""
    if judge_columns is not None and judge is not None:
        yield Fold(columns, targets, judge_columns, judge.targets)
        return
    from sklearn.model_selection import KFold, StratifiedKFold

    has_rare = task.is_classification and np.bincount(targets)[np.unique(targets)].min() < FOLDS
    splitter = StratifiedKFold if task.is_classification and not has_rare else KFold
    for fit_rows, judge_rows in splitter(FOLDS, shuffle=True, random_state=0).split(columns, targets):
        yield Fold(columns[fit_rows], targets[fit_rows], columns[judge_rows], targets[judge_rows])


def predictions(task: Task, name: ModelName, fold: Fold) -> np.ndarray:
    """Fit a model, and return its predictions for `judge_columns` in the task's form, float [row, output]."""
    # Imported late: scikit-learn is slow, and `train` does not need it.
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    columns, targets, judge_columns, _ = fold
    if not task.is_classification:
        trees = ExtraTreesRegressor(TREES, random_state=0, n_jobs=1)
        regressor = trees if name == "trees" else RidgeCV(RIDGES)
        values = targets if targets.shape[1] > 1 else targets[:, 0]
        return regressor.fit(columns, values).predict(judge_columns).reshape(len(judge_columns), -1)
    weights = "balanced" if name == "weighted_linear" else None
    linear = LogisticRegression(max_iter=ITERATIONS, class_weight=weights)
    classifier = ExtraTreesClassifier(TREES, random_state=0, n_jobs=1) if name == "trees" else linear
    if len(np.unique(targets)) == 1:  # in a fold
        shares, classes = np.ones((len(judge_columns), 1)), targets[:1]
    else:
        with warnings.catch_warnings(action="ignore"):  # a regression that has not converged is good enough here
            classifier.fit(columns, targets)
        shares, classes = classifier.predict_proba(judge_columns), classifier.classes_
    probabilities = np.zeros((len(judge_columns), len(task.names)))
    probabilities[:, classes] = shares
    return probabilities[:, 1:] if task.kind == "binary" else probabilities


def standardised(train: np.ndarray, judge: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return float [row, column] of both parts: flattened inputs with mean 0 and deviation 1 on the training rows."""
    from sklearn.preprocessing import StandardScaler  # imported late: it is slow, and `train` does not need it

    flat = train.reshape(len(train), -1).astype(np.float64)
    scaler = StandardScaler().fit(flat)
    judge_columns = None if judge is None else scaler.transform(judge.reshape(len(judge), -1).astype(np.float64))
    return scaler.transform(flat), judge_columns


def counted(train: np.ndarray, judge: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return float [row, id] of both parts: how often each of the COMMON_IDS most frequent ids occurs in a row."""
    ids, counts = np.unique(train, return_counts=True)
    common = np.sort(ids[np.argsort(-counts, kind="stable")[:COMMON_IDS]])
    return id_counts(train, common), None if judge is None else id_counts(judge, common)


def id_counts(rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return how often each id occurs in each row, float [row, id]."""
    flat = rows.reshape(len(rows), -1)
    places = np.searchsorted(ids, flat).clip(max=len(ids) - 1)
    row, step = np.nonzero(ids[places] == flat)
    counts = np.zeros((len(rows), len(ids)))
    np.add.at(counts, (row, places[row, step]), 1)
    return counts
