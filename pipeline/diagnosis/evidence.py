"""What a history says of each replica, as numbers that are compared with the thresholds.

It reads values and derivatives alone, no name of a variant, an activation or an initialiser, and works on any history;
what was not recorded gives no evidence.
"Throughout" below is the median over time, each recorded epoch weighing as much as the epochs that it stands for: what
a layer was like for most of the training.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import stdtr

from pipeline.history import record
from pipeline.params.diagnosis import DiagnosisParams

COLUMNS = {
    "nonfinite_epoch": "first epoch with a loss, or a gradient or weight by layer, that is infinite or not a number",
    "loss_growth": "greatest training loss over the loss of the best constant prediction",
    "dead_layer": "lowest hidden layer that is dead at the end, of those that no path bypasses",
    "born_dead": "1 if a layer that is dead at the end was dead before the first step",
    "died_after": "last recorded epoch at which no layer of the final dead stretch was dead",
    "died_by": "first recorded epoch of the final unbroken dead stretch",
    "saturated_layer": "hidden layer with most saturated (input, unit) pairs, at the start or throughout",
    "saturated_share": "their share, the greater of the two",
    "smallest_layer": "hidden layer with the smallest mean |gradient| throughout, of those that no path bypasses",
    "gradient_ratio": "its mean |gradient| over the output layer's",
    "gradient_scale": "largest hidden mean |gradient| throughout, over the loss of the best constant prediction",
    "loss_fall": "relative fall of the training loss over the last epochs, where it is beyond its noise",
}
SIGNIFICANT = 0.01  # of the slope of the loss


def measure(history: xr.Dataset, params: DiagnosisParams) -> pd.DataFrame:
    """The evidence, one row per replica, with the columns COLUMNS; NaN where a number does not exist."""
    columns: dict[str, np.ndarray] = {"nonfinite_epoch": _first_not_finite(history)}
    columns["loss_growth"] = _finite_max(history.train_loss.values) / _guess(history)
    if record.hidden(history).sizes["layer"]:
        if "dead" in history:
            columns |= _death(history)
        if record.SATURATED in history:
            columns |= _saturation(record.hidden(history), params.saturated_slope)
        if "probe_gradient_mean_abs" in history:
            columns |= _gradients(history)
    columns["loss_fall"] = np.array([_fall(loss, params.slow_window) for loss in history.train_loss.values])
    return pd.DataFrame(columns, columns=list(COLUMNS))


def _guess(history: xr.Dataset) -> float:
    """The reference loss: the best constant prediction's. Where all targets are equal and it is 0, that of a guess at
    random among the classes; of a regression, 1."""
    task = record.task_of(history)
    at_random = float(np.log(len(task.names))) if task.is_classification else 1.0
    return history.attrs["train_constant_loss"] or at_random


def _first_not_finite(history: xr.Dataset) -> np.ndarray:
    curves = ~record.finite_losses(history).values
    found = np.where(curves.any(axis=1), curves.argmax(axis=1).astype(float), np.inf)
    for name in ("probe_gradient_mean_abs", "weight_l1"):
        if name not in history:
            continue
        broken = ~np.isfinite(history[name].values).all(axis=2)
        epochs = history.recorded_epoch.values[broken.argmax(axis=1)].astype(float)
        found = np.minimum(found, np.where(broken.any(axis=1), epochs, np.inf))
    return np.where(np.isinf(found), np.nan, found)


def _finite_max(values: np.ndarray) -> np.ndarray:
    found = np.where(np.isfinite(values), values, -np.inf).max(axis=1)
    return np.where(np.isfinite(found), found, np.nan)


def _death(history: xr.Dataset) -> dict[str, np.ndarray]:
    """The final unbroken stretch in which some layer is dead; momentum may have revived it before."""
    blocking = record.blocking(history)
    dead = blocking.values  # [replica, recorded epoch, layer]
    at_end = dead[:, -1]
    layer = np.where(at_end.any(axis=1), blocking.layer.values[at_end.argmax(axis=1)], np.nan)
    any_dead = blocking.any("layer").values
    stretch = np.logical_and.accumulate(any_dead[:, ::-1], axis=1)[:, ::-1]
    begins = stretch.argmax(axis=1)
    epochs = blocking.recorded_epoch.values.astype(float)
    dying = stretch[:, -1] & (begins > 0)
    return {
        "dead_layer": layer,
        "born_dead": (dead[:, 0] & at_end).any(axis=1).astype(float),
        "died_after": np.where(dying, epochs[np.maximum(begins - 1, 0)], np.nan),
        "died_by": np.where(stretch[:, -1], epochs[begins], np.nan),
    }


def _saturation(hidden: xr.Dataset, slope: float) -> dict[str, np.ndarray]:
    every = np.nan_to_num(saturated_at(hidden, slope))  # a layer without an activation saturates nothing
    at_slope = np.fmax(every[:, 0], _throughout(every, hidden.recorded_epoch.values))  # [replica, layer]
    greatest = at_slope.argmax(axis=1)
    rows = np.arange(len(greatest))
    return {"saturated_layer": hidden.layer.values[greatest], "saturated_share": at_slope[rows, greatest]}


def saturated_at(history: xr.Dataset, slope: float) -> np.ndarray:
    """Share of saturated (input, unit) pairs at a slope, [replica, recorded epoch, layer]; between two recorded
    fractions linear in the fraction's logarithm."""
    fractions = np.log(history.slope_fraction.values.astype(float))
    shares = history.saturated_share.values
    above = int(np.clip(np.searchsorted(fractions, np.log(slope)), 1, len(fractions) - 1))
    part = np.clip((np.log(slope) - fractions[above - 1]) / (fractions[above] - fractions[above - 1]), 0, 1)
    return shares[..., above - 1] * (1 - part) + shares[..., above] * part


def _gradients(history: xr.Dataset) -> dict[str, np.ndarray]:
    parts = (record.hidden(history), record.output(history))
    hidden, outputs = (
        _throughout(part.probe_gradient_mean_abs.values, part.recorded_epoch.values) for part in parts
    )  # [replica, layer] each
    # A layer that a path bypasses, dead ones among them, may have no gradient: it reaches the others all the same.
    passed = np.where(parts[0].bypassed.values == 1, np.inf, hidden)
    smallest = passed.argmin(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = passed[np.arange(len(smallest)), smallest] / outputs.max(axis=1)
    return {
        "smallest_layer": parts[0].layer.values[smallest],
        "gradient_ratio": ratio,
        "gradient_scale": hidden.max(axis=1) / _guess(history),
    }


def _throughout(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The lower median over time of [replica, recorded epoch, layer]; what is not finite has no weight, and where
    nothing is, it is 0."""
    edges = np.concatenate([epochs[:1], (epochs[1:] + epochs[:-1]) / 2, epochs[-1:]])
    spans = np.diff(edges) if len(epochs) > 1 else np.ones(1)
    finite = np.isfinite(values)
    order = np.where(finite, values, np.inf).argsort(axis=1)
    weights = np.take_along_axis(np.where(finite, spans[:, None], 0.0), order, axis=1).cumsum(axis=1)
    middle = (weights >= weights[:, -1:] / 2).argmax(axis=1)[:, None]
    found = np.take_along_axis(np.take_along_axis(values, order, axis=1), middle, axis=1)[:, 0]
    return np.where(finite.any(axis=1), found, 0.0)


def _fall(loss: np.ndarray, window: float) -> float:
    """Relative fall of the fitted line over the last part of the epochs, 0 where the slope may be noise."""
    count = max(3, round(window * (len(loss) - 1)) + 1)
    last = loss[-count:].astype(float)
    if len(last) < 3 or not np.isfinite(last).all() or last.mean() <= 0:
        return np.nan
    if np.ptp(last) == 0:
        return 0.0
    slope, significance = _slope(last)
    return float(-slope * (len(last) - 1) / last.mean()) if significance < SIGNIFICANT else 0.0


def _slope(values: np.ndarray) -> tuple[float, float]:
    """Slope of the least-squares line over equal steps, and its p-value (Student's t, null hypothesis: slope 0)."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = (steps @ values) / (steps @ steps)
    noise = values - values.mean() - slope * steps
    freedom = len(values) - 2
    error = np.sqrt((noise @ noise) / freedom / (steps @ steps))
    return float(slope), float(2 * stdtr(freedom, -abs(slope) / error)) if error > 0 else 0.0
