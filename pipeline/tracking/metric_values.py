"""Compute the values of the metrics of a variant's run; `metric_keys` has their keys."""

import numpy as np
import pandas as pd

from pipeline.evaluation.summary import QUARTILES
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.history.thinning import CURVE_EPOCHS, evenly_spaced, log_spaced
from pipeline.history.time_profiles import RECURRENT_CALL, TIME
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.metric_keys import Point

MOST_TIME_PROFILES = 8  # calls of recurrent layers whose profiles are written


def variant_points(evaluation: VariantEvaluation, params: TrackingParams) -> list[Point]:
    """Return all metrics of a variant's run, without values that are missing, NaN or infinite."""
    metrics, curves, layers = evaluation.metrics, evaluation.curves, evaluation.layers
    points = [
        Point(keys.LEARNED_RATE.of(), metrics.learned.rate),
        Point(keys.LEARNED_RATE_LOW.of(), metrics.learned.interval.low),
        Point(keys.LEARNED_RATE_HIGH.of(), metrics.learned.interval.high),
        Point(keys.DIVERGED.of(), metrics.diverged),
    ]
    for score, spread in {**metrics.scores, **metrics.predicted}.items():
        points += [Point(keys.SCORE.of(score=score, quartile=name), value) for name, value in spread.known.items()]
    to_learn, references = metrics.epochs_to_learn.known, evaluation.rule.references
    points += [Point(keys.EPOCHS_TO_LEARN.of(quartile=name), value) for name, value in to_learn.items()]
    points += [Point(keys.REFERENCE.of(model=model), value) for model, value in references.items()]
    points += [Point(keys.OUTCOMES.of(outcome=name), count) for name, count in metrics.outcomes.items()]
    points += _series(curves, "learned_share", keys.LEARNED_SHARE.of())
    points += _series(curves, "alive_share", keys.ALIVE_SHARE.of())
    for score in metrics.scores:
        part, _, kind = score.partition("_")
        for name in (kind, "loss"):
            for quartile in QUARTILES:
                key = keys.CURVE.of(curve=name, part=part, quartile=quartile)
                points += _series(curves, f"{part}_{name}_{quartile}", key)
    recorded = np.unique(layers.epoch)
    for layer, rows in layers[layers.epoch.isin(log_spaced(recorded, params.layer_epochs))].groupby("layer"):
        for name in (name for name in keys.LAYER_SERIES if f"{name}_median" in rows):
            points += _series(rows, f"{name}_median", keys.LAYER.of(value=name, layer=layer))
    for epoch in log_spaced(recorded, params.profile_epochs):
        points += keys.profile(int(epoch), layers[layers.epoch == epoch].probe_gradient_mean_abs_median)
    if len(evaluation.times):
        points += time_points(evaluation.times)
    return keys.finite(points)


def time_points(times: pd.DataFrame) -> list[Point]:
    """Return the profiles through time at the first and the last recorded epoch.

    Args:
        times: the evaluation's table, one row per recorded epoch, call of a recurrent layer and time step.
    """
    shown = times[
        times.epoch.isin([times.epoch.min(), times.epoch.max()]) & (times[RECURRENT_CALL] <= MOST_TIME_PROFILES)
    ]
    return [
        point
        for (epoch, call), rows in shown.groupby(["epoch", RECURRENT_CALL])
        for point in keys.time_profile(int(epoch), int(call), rows[TIME], rows.gradient_norm_by_time_median)
    ]


def _series(table: pd.DataFrame, column: str, key: str) -> list[Point]:
    values = table[column].to_numpy(float)
    is_recorded = ~np.isnan(values)
    epochs, values = table.epoch.to_numpy()[is_recorded], values[is_recorded]
    is_chosen = np.isin(epochs, evenly_spaced(epochs, CURVE_EPOCHS))
    pairs = zip(epochs[is_chosen].tolist(), values[is_chosen].tolist(), strict=True)
    return [Point(key, value, int(epoch)) for epoch, value in pairs]
