"""The one rule for the best, the median and other replicas and variants by a final score.

The higher score is better. NaN is worse than any number, so it wins only where every score is NaN. Of equal scores (and
of several NaN) the first in order counts as better for the best and the median; all NaN thus gives the first. The best
and the median replica are chosen on the validation set where there is one, and the judged part of the data has no say.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pipeline.evaluation.learned import score_curve
from pipeline.history.record import choosing_part


def best(scores: Sequence[float] | np.ndarray) -> int:
    """Return the position of the highest score, of equals the first."""
    return int(np.argmax(_ranks(scores)))


def median(scores: Sequence[float] | np.ndarray) -> int:
    """Return the position of the lower median, of equals the first."""
    ranks = _ranks(scores)
    return int(np.flatnonzero(ranks == np.sort(ranks)[(len(ranks) - 1) // 2])[0])


def percentile(scores: Sequence[float] | np.ndarray, percent: int) -> int:
    """Return the position of the score at a percentile (the lower rank); equals stand in their order."""
    ranks = _ranks(scores)
    return int(np.argsort(ranks, kind="stable")[(len(ranks) - 1) * percent // 100])


def _ranks(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """int [score]: greater is better, equal for equal scores, -1 for NaN."""
    values = np.asarray(scores)
    return np.where(np.isnan(values), -1, np.unique(values, return_inverse=True)[1])


def final_scores(history: xr.Dataset, score: str, part: str | None = None) -> np.ndarray:
    """float32 [replica], by default on the judged part."""
    return score_curve(history, score, part).isel(epoch=-1).values


def median_replica(history: xr.Dataset, score: str) -> int:
    """Return the position of the median replica."""
    return median(final_scores(history, score, choosing_part(history)))


def best_replica(history: xr.Dataset, score: str) -> int:
    """Return the position of the best replica."""
    return best(final_scores(history, score, choosing_part(history)))


def at_percentiles(history: xr.Dataset, score: str, percentiles: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """Return the positions of the replicas at percentiles of the score on the judged part, and their scores."""
    scores = final_scores(history, score)
    positions = [percentile(scores, percent) for percent in percentiles]
    return positions, [float(scores[position]) for position in positions]
