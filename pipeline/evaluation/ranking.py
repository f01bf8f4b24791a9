"""Replicas by a final score: which is the median one, which the best. Those two are chosen on the validation set where
there is one, and the judged part of the data has no say."""

import numpy as np
import xarray as xr

from pipeline.evaluation.learned import score_curve
from pipeline.history.record import choosing_part


def final_scores(history: xr.Dataset, score: str, part: str | None = None) -> np.ndarray:
    """float32 [replica], by default on the judged part; minus infinity where it is not a number, which is the worst."""
    return np.nan_to_num(score_curve(history, score, part).isel(epoch=-1).values, nan=-np.inf)


def median_replica(history: xr.Dataset, score: str) -> int:
    """Position of the lower median, ties to the lowest index."""
    scores = final_scores(history, score, choosing_part(history))
    lower_median = np.sort(scores)[(len(scores) - 1) // 2]
    return int(np.flatnonzero(scores == lower_median)[0])


def best_replica(history: xr.Dataset, score: str) -> int:
    """Position of the highest score, ties to the lowest index."""
    return int(np.argmax(final_scores(history, score, choosing_part(history))))


def at_percentiles(history: xr.Dataset, score: str, percentiles: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """Positions of the replicas at the given percentiles of the score on the judged part (the lower rank), and their
    scores; ties by the lower index first."""
    scores = final_scores(history, score)
    order = np.argsort(scores, kind="stable")
    positions = [int(order[(len(order) - 1) * percentile // 100]) for percentile in percentiles]
    return positions, [float(scores[position]) for position in positions]
