"""Score how well predictions rank rows and classes, whatever the threshold between classes."""

import numpy as np
import pandas as pd


def mean_auc(is_of_class: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean over classes of the area under the ROC curve; NaN if no class has rows of both kinds.

    The area is the share of pairs (a row of the class, another row) in which the first has the higher score; ties count
    one half (Mann & Whitney 1947).

    Args:
        is_of_class: bool [row, class].
        scores: float [row, class]; more means more probable.
    """
    if not np.isfinite(scores).all():
        return float("nan")
    inside = is_of_class.sum(axis=0).astype(float)
    outside = len(is_of_class) - inside
    is_judged = (inside > 0) & (outside > 0)
    if not is_judged.any():
        return float("nan")
    ranks = pd.DataFrame(scores[:, is_judged]).rank().to_numpy()  # scipy's `rankdata` takes half a second to import
    rank_sums = (ranks * is_of_class[:, is_judged]).sum(axis=0)
    inside, outside = inside[is_judged], outside[is_judged]
    return float(((rank_sums - inside * (inside + 1) / 2) / (inside * outside)).mean())


def top_k_accuracy(labels: np.ndarray, scores: np.ndarray, count: int) -> float:
    """Return the share of rows whose class is among the `count` classes of the highest scores.

    Args:
        labels: int [row].
        scores: float [row, class].
    """
    if not np.isfinite(scores).all():
        return float("nan")
    highest = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return float((highest == labels[:, None]).any(axis=1).mean())
