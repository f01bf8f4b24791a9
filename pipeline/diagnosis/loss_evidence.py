"""Measure the evidence in losses and scores: how they grow, fall and compare; each column has the shape [replica]."""

import numpy as np
import xarray as xr
from scipy.special import stdtr

from pipeline.diagnosis.constants import FEW_EPOCHS, FEWEST_EPOCHS, SIGNIFICANT
from pipeline.history import record


def loss_columns(history: xr.Dataset, window: float) -> dict[str, np.ndarray]:
    """Return the evidence in losses and scores, [replica] by column, without the columns that the record cannot show.

    Args:
        window: the last epochs, whose fall counts, as a fraction of all.
    """
    losses = excess_losses(history, "train").values
    steps = _window(losses.shape[1], window) - 1  # between the epochs of the window
    return {
        "nonfinite_epoch": _first_nonfinite_epoch(history),
        "loss_growth": finite_max(losses) / baseline(history),
        "loss_fall": np.array([_fall(loss, window) for loss in losses]),
        "fall_before": np.array([_fall(loss[: len(loss) - steps], window, steps + 1) for loss in losses]),
        **_fits(history),
    }


def baseline(history: xr.Dataset) -> float:
    """Return the baseline loss.

    If all targets are equal, the baseline loss is 0. Then return the loss of a random guess among the classes, or 1 for
    a regression. Some losses, such as Poisson's, are not 0 for perfect outputs; theirs is subtracted, as in
    `excess_losses`.
    """
    task = record.task_of(history)
    guess = float(np.log(len(task.names))) if task.is_classification else 1.0
    return _excess_constant(history, "train") or guess


def excess_losses(history: xr.Dataset, part: str) -> xr.DataArray:
    """Return how far the loss is above that of perfect outputs, [replica, epoch]."""
    return history[f"{part}_loss"] - _attribute(history, f"{part}_{record.PERFECT_LOSS}")


def _excess_constant(history: xr.Dataset, part: str) -> float:
    """Return how far the loss of a constant output is above that of perfect outputs; 0 if it is not known."""
    if f"{part}_constant_loss" not in history.attrs:
        return 0.0
    return _attribute(history, f"{part}_constant_loss") - _attribute(history, f"{part}_{record.PERFECT_LOSS}")


def _attribute(history: xr.Dataset, name: str) -> float:
    """Return an attribute in double precision, which a file's has too, so that both records give the same evidence.

    Arithmetic of float32 with Python's own float would remain in single precision. 0 if the record has none.
    """
    return np.float64(history.attrs[name]) if name in history.attrs else 0.0


def _first_nonfinite_epoch(history: xr.Dataset) -> np.ndarray:
    is_broken = ~record.finite_losses(history).values
    first = np.where(is_broken.any(axis=1), is_broken.argmax(axis=1).astype(float), np.inf)
    for name in ("probe_gradient_mean_abs", "weight_l1"):
        if name not in history:
            continue
        is_broken = ~np.isfinite(history[name].values).all(axis=2)
        epochs = history.recorded_epoch.values[is_broken.argmax(axis=1)].astype(float)
        first = np.minimum(first, np.where(is_broken.any(axis=1), epochs, np.inf))
    return np.where(np.isinf(first), np.nan, first)


def finite_max(values: np.ndarray) -> np.ndarray:
    """Return the greatest finite value of each replica; NaN if no value is finite."""
    greatest = np.where(np.isfinite(values), values, -np.inf).reshape(len(values), -1).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(greatest), greatest, np.nan)


def _fits(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return how well the network fits each part of the data at the end, by loss and by score."""
    constant_loss, judged = baseline(history), record.judged_part(history)
    last = history.isel(epoch=-1)
    columns = {"train_fit": 1 - excess_losses(last, "train").values / constant_loss, "train_gain": _gain(last, "train")}
    if record.LOGGED_LOSS in history:
        logged_loss = last[record.LOGGED_LOSS].values - _attribute(history, f"train_{record.PERFECT_LOSS}")
        logged = 1 - logged_loss / constant_loss
        columns["logged_fit"] = np.where(_are_modes_comparable(history), logged, np.nan)
        columns["logged_gap"] = logged - columns["train_fit"]
    if judged != "train":
        columns["judged_gain"] = _gain(last, judged)
        if constant := _excess_constant(history, judged):
            columns["judged_fit"] = 1 - excess_losses(last, judged).values / constant
    if "train_balanced_accuracy" in last and "train_accuracy" in last:
        columns["score_gap"] = last.train_accuracy.values - last.train_balanced_accuracy.values
    return columns


def _are_modes_comparable(history: xr.Dataset) -> np.ndarray:
    """Return bool [replica]: whether only the mode can make the logged loss and the record's loss differ.

    False for a record of an earlier version, which lacks these values.
    """
    conditions = [history[name].values == 1 for name in ("has_modes", "logged_alike") if name in history]
    return np.logical_and(*conditions) if len(conditions) == 2 else np.zeros(history.sizes["replica"], bool)


def _gain(last: xr.Dataset, part: str) -> np.ndarray:
    """Return the score, [replica], rescaled so that a constant prediction has 0 and a perfect prediction has 1."""
    task = record.task_of(last)
    if task.is_classification and f"{part}_balanced_accuracy" in last:
        chance = 1 / len(task.names)
        return (last[f"{part}_balanced_accuracy"].values - chance) / (1 - chance)
    if f"{part}_r2" in last:
        return last[f"{part}_r2"].values
    return np.full(last.sizes["replica"], np.nan)


def _window(epochs: int, fraction: float) -> int:
    """Return the number of epochs in the last fraction of the training, with both ends."""
    return max(FEWEST_EPOCHS, round(fraction * (epochs - 1)) + 1)


def _fall(loss: np.ndarray, window: float, count: int | None = None) -> float:
    """Return the relative fall of a line fitted to the last losses, 0 if the slope may be noise.

    Args:
        loss: float [epoch].
        window: the last losses, as a fraction of all.
        count: the number of last losses, instead of `window`.
    """
    last = loss[-(count or _window(len(loss), window)) :].astype(float)
    if 2 <= len(loss) <= FEW_EPOCHS + 1 and np.isfinite(loss).all() and (loss[1:] < loss[:-1]).all():
        return float((last[0] - last[-1]) / last.mean())
    if len(last) < FEWEST_EPOCHS or not np.isfinite(last).all() or last.mean() <= 0:
        return np.nan
    if np.ptp(last) == 0:
        return 0.0
    slope, significance = _slope(last)
    return float(-slope * (len(last) - 1) / last.mean()) if significance < SIGNIFICANT else 0.0


def _slope(values: np.ndarray) -> tuple[float, float]:
    """Return the slope of the least-squares line, and its two-sided p-value (Student's t; null hypothesis: slope 0)."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = (steps @ values) / (steps @ steps)
    residuals = values - values.mean() - slope * steps
    freedom = len(values) - 2
    error = np.sqrt((residuals @ residuals) / freedom / (steps @ steps))
    return float(slope), float(2 * stdtr(freedom, -abs(slope) / error)) if error > 0 else 0.0
