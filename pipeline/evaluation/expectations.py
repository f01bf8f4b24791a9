"""Compare numbers that theory predicts for untrained networks with measured numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import bdtrik, chdtri

from pipeline.diagnosis.theory import HALF_SPREAD, SATURATED_TANH, Premises, beta, born_dead_bound, gradient_band
from pipeline.evaluation.intervals import CONFIDENCE, Interval, wilson
from pipeline.history import record

SATURATED_SLOPE = 0.06  # the slope of tanh at |a| = 0.97, the limit of SATURATED_TANH


@dataclass(frozen=True)
class Expectation:
    """A number that theory predicts, and the measured number with its 95% interval."""

    fact: str
    expected: str
    measured: float
    low: float
    high: float
    holds: bool
    source: str


def expectations(history: xr.Dataset, premises: Premises) -> list[Expectation]:
    """Return the expectations for a variant.

    Args:
        premises: which statements of theory apply to the variant.
    """
    return list(_expectations(history.isel(recorded_epoch=0), premises))


def _expectation(
    fact: str, expected: str, measured: float, interval: Interval, holds: bool, source: str
) -> Expectation:
    value, low, high = (float(f"{number:.6g}") for number in (measured, *interval))
    return Expectation(fact, expected, value, low, high, bool(holds), source)


def _expectations(start: xr.Dataset, premises: Premises) -> Iterator[Expectation]:
    if premises.born_dead:
        yield _born_dead(start)
    if premises.gradients:
        living = start.isel(replica=record.living(start.expand_dims(recorded_epoch=1, axis=1)).values[:, 0])
        first = living.probe_gradient_mean_abs.isel(layer=0).values
        # A spread needs more than one replica, and a logarithm needs values above 0.
        if len(first) > 1 and bool((np.isfinite(first) & (first > 0)).all()):
            units = record.hidden(start).units.values.tolist()
            yield _gradient(living, units)
            yield _spread(living, units)
    if premises.saturation:
        yield from _saturation(start)


def _born_dead(start: xr.Dataset) -> Expectation:
    dead = record.blocking(start).any("layer").values
    hidden = record.hidden(start)
    bound = born_dead_bound(hidden.units.values, hidden.bypassed.values)
    interval = wilson(int(dead.sum()), len(dead))
    source = "1 - (1 - 2^-N)^(hidden - 1); Lu et al. 2020"
    return _expectation("share born dead", f"at most {bound:.3f}", dead.mean(), interval, interval.low <= bound, source)


def _gradient(living: xr.Dataset, units: list[int]) -> Expectation:
    values = record.hidden(living).probe_gradient_mean_abs.median("layer").values
    expected = gradient_band(units, float(living.attrs["train_constant_loss"])).median
    interval = median_interval(values)
    return _expectation(
        "mean |gradient| of a hidden kernel at epoch 0, median over living replicas",
        f"{expected:.2g}",
        float(np.median(values)),
        interval,
        interval.low <= expected <= interval.high,
        "shrinks by the factor 0.732 per layer at width 5 (Monte Carlo); Sussillo & Abbott 2014",
    )


def _spread(living: xr.Dataset, units: list[int]) -> Expectation:
    """Compare the spread of the first layer's gradient, in decades; the interval is chi-squared, as of a variance."""
    decades = np.log10(living.probe_gradient_mean_abs.isel(layer=0).values)
    expected = 2 * HALF_SPREAD * np.sqrt(beta(units))
    measured = 2 * 1.6449 * decades.std(ddof=1)  # 90% of normal values lie within 1.6449 deviations
    interval = Interval(*(measured * factor for factor in _deviation_factors(len(decades))))
    return _expectation(
        "decades between the 5% and 95% quantiles of the first layer's mean |gradient| at epoch 0",
        f"{expected:.2g}",
        measured,
        interval,
        interval.low <= expected <= interval.high,
        "grows as the root of beta; Hanin 2018",
    )


def _deviation_factors(count: int) -> tuple[float, float]:
    """Return the factors that turn the standard deviation of `count` values into the ends of its 95% interval."""
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(np.sqrt((count - 1) / chdtri(count - 1, above))) for above in (tail, 1 - tail))
    return low, high


def _saturation(start: xr.Dataset) -> Iterator[Expectation]:
    for layer, expected in enumerate(SATURATED_TANH, start=1):
        shares = start.saturated_share.sel(layer=layer).sel(slope_fraction=SATURATED_SLOPE, method="nearest").values
        mean, half = float(shares.mean()), 1.96 * float(shares.std()) / np.sqrt(len(shares))
        holds = abs(mean - expected) <= max(half, 0.005)
        fact, source = f"share of saturated units at epoch 0, layer {layer}", "Monte Carlo on the tutorial's points"
        yield _expectation(fact, f"{expected:.3f}", mean, Interval(mean - half, mean + half), holds, source)


def median_interval(values: np.ndarray) -> Interval:
    """Return the distribution-free 95% interval of a median, from order statistics; the range if values are few."""
    ordered, count = np.sort(values), len(values)
    rank = int(np.ceil(bdtrik((1 - CONFIDENCE) / 2, count, 0.5)))  # the binomial distribution's quantile
    return Interval(float(ordered[max(0, rank - 1)]), float(ordered[min(count - 1, count - rank)]))
