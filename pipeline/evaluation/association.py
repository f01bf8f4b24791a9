"""How well a number that is known before training predicts the final score, as a rank correlation over replicas."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import rankdata

RESAMPLES: Final = 2000  # of the bootstrap
FEWEST: Final = 4  # replicas of a correlation


@dataclass(frozen=True)
class Association:
    """Spearman's rank correlation, with a 95% interval by the percentile bootstrap over replicas.

    All are NaN with fewer than FEWEST replicas, or where one of the two numbers is the same for all.
    """

    value: float
    low: float
    high: float
    replicas: int


def association(numbers: np.ndarray, scores: np.ndarray, strata: np.ndarray | None = None) -> Association:
    """Return the rank correlation of two values of each replica.

    With strata, ranks are taken within each stratum and centred there. So a difference between strata, such as their
    lengths, counts for nothing.

    Args:
        numbers, scores: a finite value for each replica, float [replica].
        strata: the stratum of each replica; None if all belong to one.
    """
    strata = np.zeros(len(numbers)) if strata is None else strata
    members = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    (value,) = _correlations(numbers, scores, [each[None] for each in members])
    if len(numbers) < FEWEST or not np.isfinite(value):
        return Association(np.nan, np.nan, np.nan, len(numbers))
    random = np.random.Generator(np.random.PCG64(0))
    chosen = [each[random.integers(0, len(each), (RESAMPLES, len(each)))] for each in members]
    resampled = _correlations(numbers, scores, chosen)
    low, high = np.nanquantile(resampled, [0.025, 0.975])  # a resample with equal values has no correlation
    return Association(float(value), float(low), float(high), len(numbers))


def _correlations(numbers: np.ndarray, scores: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """Return the Pearson correlation of ranks, centred within strata, of each sample; NaN if all ranks are equal.

    Args:
        members: for each stratum the replicas of each sample, int [sample, member].
    """
    one, other = (
        np.concatenate([_centred_ranks(each[rows]) for rows in members], axis=1) for each in (numbers, scores)
    )
    sizes = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(axis=1) / sizes


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks = rankdata(values, axis=1)
    return ranks - ranks.mean(axis=1, keepdims=True)
