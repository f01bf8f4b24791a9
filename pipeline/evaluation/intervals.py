"""Intervals for shares of replicas, at 95%."""

from math import hypot
from typing import NamedTuple

from scipy.stats import binomtest

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Both ends, of a share or of a difference of shares."""

    low: float
    high: float


def wilson(count: int, total: int) -> Interval:
    """Wilson's score interval for a share (Wilson 1927), which holds at 0 and at `total` too."""
    interval = binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def newcombe(count: int, total: int, other_count: int, other_total: int) -> Interval:
    """Newcombe's interval for the difference of two independent shares (Newcombe 1998, method 10).

    Unpaired: replicas of two variants are taken as independent, also where they share initial draws.
    """
    share, other = count / total, other_count / other_total
    low, high = wilson(count, total)
    other_low, other_high = wilson(other_count, other_total)
    difference = share - other
    return Interval(
        difference - hypot(share - low, other_high - other), difference + hypot(high - share, other - other_low)
    )
