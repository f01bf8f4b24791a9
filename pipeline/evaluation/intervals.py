"""Compute 95% intervals of shares of replicas, and of differences of two shares."""

from math import hypot, sqrt
from typing import NamedTuple

from scipy.special import ndtri  # scipy.stats has it as norm.ppf, but takes 0.6 s to import in every stage

CONFIDENCE = 0.95
_DEVIATIONS = float(ndtri((1 + CONFIDENCE) / 2))  # 1.96: 95% of a normal distribution lie within so many deviations


class Interval(NamedTuple):
    """The ends of an interval, for a share or a difference of shares."""

    low: float
    high: float


def wilson(count: int, total: int) -> Interval:
    """Return Wilson's score interval for the share count / total (Wilson 1927), valid also for counts of 0 and `total`.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), with share p, total n and z = 1.96.
    """
    share, weight = count / total, _DEVIATIONS**2 / total
    middle = share + weight / 2
    half = sqrt(weight * (share * (1 - share) + weight / 4))
    low = 0.0 if count == 0 else (middle - half) / (1 + weight)
    high = 1.0 if count == total else (middle + half) / (1 + weight)
    return Interval(low, high)


def newcombe(count: int, total: int, other_count: int, other_total: int) -> Interval:
    """Return Newcombe's interval for the difference of two independent shares (Newcombe 1998, method 10).

    Replicas of two variants count as independent (unpaired), even if they begin with the same random draws.
    """
    share, other = count / total, other_count / other_total
    low, high = wilson(count, total)
    other_low, other_high = wilson(other_count, other_total)
    difference = share - other
    return Interval(
        difference - hypot(share - low, other_high - other), difference + hypot(high - share, other - other_low)
    )


def difference(count: int, total: int, other_count: int, other_total: int) -> tuple[float, float, float]:
    """Return the difference of two shares and the ends of its `newcombe` interval, to six digits."""
    low, high = newcombe(count, total, other_count, other_total)
    return round(count / total - other_count / other_total, 6), round(low, 6), round(high, 6)
