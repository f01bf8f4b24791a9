"""Rank replicas by their final score: the rule for the best, the median and other percentiles.

A higher score is better, and NaN is worse than any number. Among equal scores, or if all are NaN, the first replica is
chosen. The best and the median replica are chosen by the validation score; without a validation set, by the score on
the judged part of the data. The same functions rank variants.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pipeline.evaluation.learned import score_curve
from pipeline.history.record import choosing_part


def best(scores: Sequence[float] | np.ndarray) -> int:
    """Return the position of the highest score, the first one among equal scores."""
    return int(np.argmax(_ranks(scores)))


def median(scores: Sequence[float] | np.ndarray) -> int:
    """Return the position of the lower median, the first one among equal scores."""
    ranks = _ranks(scores)
    return int(np.flatnonzero(ranks == np.sort(ranks)[(len(ranks) - 1) // 2])[0])


def percentile(scores: Sequence[float] | np.ndarray, percent: int) -> int:
    """Return the position of the score at a percentile (the lower rank); equal scores keep their order."""
    ranks = _ranks(scores)
    return int(np.argsort(ranks, kind="stable")[(len(ranks) - 1) * percent // 100])


def _ranks(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the rank of each score, int [score]: the best is greatest, equal scores share one, NaN has -1."""
    values = np.asarray(scores)
    return np.where(np.isnan(values), -1, np.unique(values, return_inverse=True)[1])


def final_scores(history: xr.Dataset, score: str, part: str | None = None) -> np.ndarray:
    """Return the final score of each replica, float32 [replica].

    Args:
        part: a part of the data, by default the judged part.
    """
    return score_curve(history, score, part).isel(epoch=-1).values


def median_replica(history: xr.Dataset, score: str) -> int:
    """Return the position of the median replica."""
    return median(final_scores(history, score, choosing_part(history)))


def best_replica(history: xr.Dataset, score: str) -> int:
    """Return the position of the best replica."""
    return best(final_scores(history, score, choosing_part(history)))


def at_percentiles(history: xr.Dataset, score: str, percentiles: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """Return the positions and scores of the replicas at percentiles of the final score on the judged part."""
    scores = final_scores(history, score)
    positions = [percentile(scores, percent) for percent in percentiles]
    return positions, [float(scores[position]) for position in positions]
