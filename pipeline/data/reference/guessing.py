"""Compute the scores that predictions without information reach by luck, from the rows that judge them."""

from typing import Final

import numpy as np

from pipeline.data.split.tasks import Task
from pipeline.params.evaluation_params import AUC, SKILL, TOP_K

QUANTILE: Final = 1.96  # of the normal distribution, for an upper 95% bound


def guessing_bound(task: Task, score: str, targets: np.ndarray, top_k: int = 1) -> float:
    """Return the score that predictions without information exceed in about 2.5% of all cases.

    * Balanced accuracy is a mean of recalls, each binomial; it varies most for the shares of `_widest_shares`.
    * R² is at most the squared correlation of predictions and targets: chi-squared / rows.
    * The skill of a cross-entropy is the likelihood ratio of one parameter: chi-squared / (2 x rows x entropy).
    * The area under the ROC curve is a mean over classes of the Mann-Whitney statistic / (rows x other rows).
    * Accuracy among the k most probable classes: always predicting the k most frequent classes is binomial.
    * Any other score of a classification counts as accuracy: always predicting the majority class is binomial.

    Args:
        targets: labels int [sample], or values [sample, target].
        top_k: the number k of classes, for the score TOP_K.
    """
    rows = len(targets)
    if score == SKILL or not task.is_classification:
        entropy = task.constant_loss(targets) if task.is_classification else 0.5
        return QUANTILE**2 / (2 * rows * entropy) if entropy else 1.0
    counts = np.bincount(targets, minlength=len(task.names))
    counts = counts[counts > 0].astype(float)
    if len(counts) < 2:
        return 1.0  # rows of one class: always predicting it is perfect
    if score == AUC:
        return _auc_bound(counts, rows)
    if score != "balanced_accuracy":
        share = np.sort(counts)[::-1][: top_k if score == TOP_K else 1].sum() / rows
        return float(share + QUANTILE * np.sqrt(share * (1 - share) / rows))
    shares = _widest_shares(counts)
    deviation = np.sqrt((shares * (1 - shares) / counts).sum()) / len(counts)
    return float(1 / len(counts) + QUANTILE * deviation)


def _auc_bound(counts: np.ndarray, rows: int) -> float:
    """Return the mean area under the ROC curve that random scores exceed in at most 2.5% of all cases.

    The classes count as fully correlated, because one random score may rank all of them.

    Args:
        counts: the number of rows of each class, float [class].
    """
    others = rows - counts
    if not (others > 0).all():
        return 1.0
    deviations = np.sqrt((rows + 1) / (12 * counts * others))
    return float(0.5 + QUANTILE * deviations.mean())


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
