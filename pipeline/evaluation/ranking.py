"""Replicas by a final score on the judged part of the data: which is the median one, which the best."""

import numpy as np
import xarray as xr

from pipeline.evaluation.learned import score_curve


def final_scores(history: xr.Dataset, score: str) -> np.ndarray:
    """float32 [replica]; minus infinity where the score is not a number, which is the worst."""
    return np.nan_to_num(score_curve(history, score).isel(epoch=-1).values, nan=-np.inf)


def by_score(history: xr.Dataset, score: str) -> np.ndarray:
    """Positions of the replicas from the worst to the best; ties by the lower index first."""
    return np.argsort(final_scores(history, score), kind="stable")


def median_replica(history: xr.Dataset, score: str) -> int:
    """Position of the lower median, ties to the lowest index."""
    scores = final_scores(history, score)
    lower_median = scores[by_score(history, score)[(len(scores) - 1) // 2]]
    return int(np.flatnonzero(scores == lower_median)[0])


def best_replica(history: xr.Dataset, score: str) -> int:
    """Position of the highest score, ties to the lowest index."""
    return int(np.argmax(final_scores(history, score)))


def at_percentiles(history: xr.Dataset, score: str, percentiles: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """Positions of the replicas at the given percentiles of the score (the lower rank), and their scores."""
    order = by_score(history, score)
    positions = [int(order[(len(order) - 1) * percentile // 100]) for percentile in percentiles]
    return positions, [float(final_scores(history, score)[position]) for position in positions]
