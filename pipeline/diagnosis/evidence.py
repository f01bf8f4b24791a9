"""Measure a history: numbers of each replica, which the rules compare with thresholds.

Only values and derivatives are read, no name of a variant, an activation or an initialiser, so any history will do;
what was not recorded gives no evidence. "Throughout" is the median over time, in which each recorded epoch weighs as
much as the epochs that it stands for: what a layer was like for most of the training. The baseline is the best constant
prediction, and its loss on the training set the baseline loss.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import stdtr

from pipeline.diagnosis.constants import (
    EQUAL_AT_END,
    EQUAL_AT_START,
    FEW_EPOCHS,
    FEWEST_EPOCHS,
    SIGNIFICANT,
)
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams

USED_SIDES = (
    *("nonfinite_share", "input_scale", "input_decades", "target_scale"),
    *("targets_told", "targets_beyond", "output_misfit"),
)
COLUMNS = {
    "nonfinite_epoch": "first epoch with a loss, or a layer's gradient or weights, that is NaN or infinite",
    "loss_growth": "greatest training loss / baseline loss",
    "dead_layer": "lowest hidden layer that is dead at the end and no skip connection bypasses; one born dead first",
    "born_dead": "1 if a layer that is dead at the end was dead before the first step",
    "died_after": "last recorded epoch before the final dead stretch",
    "died_by": "first recorded epoch of the final dead stretch, in which some layer is always dead",
    "saturated_layer": "hidden layer with the largest `saturated_share`",
    "saturated_share": "share of a layer's (input, unit) pairs that are saturated: at the start or throughout, if "
    "larger",
    "smallest_layer": "hidden layer with the smallest mean |gradient| throughout, without those that a skip connection "
    "bypasses",
    "gradient_ratio": "mean |gradient| of `smallest_layer` / that of the output layer, throughout",
    "gradient_scale": "largest mean |gradient| of a hidden layer throughout / baseline loss",
    "taken_gradient": "largest mean |gradient| that the optimizer got / baseline loss",
    "loss_fall": "relative fall of the training loss over the last epochs, 0 within its noise; with few epochs, where "
    "every epoch lowered it",
    "fall_before": "`loss_fall` over as many epochs before those",
    "first_change": "greatest change of a kernel over the first recorded epoch / its size before, both as L1 norms",
    "first_gradient": "largest mean |gradient| before the first step / baseline loss",
    "train_fit": "1 - training loss / baseline loss, at the end",
    "logged_fit": "`train_fit` of the loss that `fit` logged, in training mode; only where nothing but the mode can "
    "make the two differ: a layer has modes (`has_modes` of the record), and the logged loss is of the same rows "
    "without weights (`logged_alike`)",
    "judged_fit": "`train_fit` on the rows that decide; no value where these are the training rows",
    "train_learned": "1 if the training set alone passes the rule of learning",
    "train_gain": "balanced accuracy on the training set, rescaled so that chance is 0 and perfect 1; of a regression "
    "R²",
    "judged_gain": "`train_gain` on the rows that decide; no value where these are the training rows",
    "score_gap": "accuracy - balanced accuracy on the training set",
    "equal_layer": "lowest hidden layer whose units, more than one, are all equal, at first and but for rounding at "
    "the end",
    "frozen_layer": "lowest layer with a gradient whose kernel, or embedding's table, never changed",
    "dead_output": "1 if every output is 0 with slope 0 on every training input at the end",
    **{name: record.REPLICA_VALUES[name] for name in USED_SIDES},
}
# Columns whose missing value means that there is no such epoch or layer, if the record could show one.
NO_VALUE_IS_NONE = ("nonfinite_epoch", "dead_layer", "died_after", "died_by", "equal_layer", "frozen_layer")


def measure(history: xr.Dataset, params: DiagnosisParams, train_learned: np.ndarray | None = None) -> pd.DataFrame:
    """Return the evidence, one row per replica, with the columns COLUMNS; NaN where a number does not exist.

    Args:
        train_learned: bool [replica], whether the training set alone passes the rule of learning; None without a rule.
    """
    columns = _measured(history, params)
    if train_learned is not None:
        columns["train_learned"] = train_learned.astype(float)
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(history.sizes["replica"]))


def is_measured(history: xr.Dataset, params: DiagnosisParams) -> pd.DataFrame:
    """Return whether each number is known, bool, with the columns COLUMNS.

    An epoch or a layer that is NaN in the evidence is known not to exist where the record holds what shows it.
    """
    columns = _measured(history, params)
    known = {
        name: np.full(len(values), True) if name in NO_VALUE_IS_NONE else ~np.isnan(values.astype(float))
        for name, values in columns.items()
    }
    return pd.DataFrame(known, columns=list(COLUMNS), index=range(history.sizes["replica"])).eq(True)


def _measured(history: xr.Dataset, params: DiagnosisParams) -> dict[str, np.ndarray]:
    """Return the evidence by column, [replica], without the columns that the record does not show."""
    columns: dict[str, np.ndarray] = {"nonfinite_epoch": _first_not_finite(history)}
    columns["loss_growth"] = _finite_max(history.train_loss.values) / _baseline(history)
    if record.hidden(history).sizes["layer"]:
        if "dead" in history and record.has_seen_units(history):
            columns |= _death(history)
        if record.SATURATED in history and record.has_seen_units(history):
            columns |= _saturation(record.hidden(history), params.saturated_slope)
        if "probe_gradient_mean_abs" in history:
            columns |= _gradients(history)
    if "gradient_mean_abs" in history:
        columns["taken_gradient"] = _finite_max(history.gradient_mean_abs.values) / _baseline(history)
    losses = history.train_loss.values
    columns["loss_fall"] = np.array([_fall(loss, params.slow_window) for loss in losses])
    last = _window(losses.shape[1], params.slow_window) - 1
    columns["fall_before"] = np.array(
        [_fall(loss[: len(loss) - last], params.slow_window, last + 1) for loss in losses]
    )
    if "weight_change_l1" in history and "weight_l1" in history:
        columns |= _movement(history, params.vanishing_scale)
    return columns | _fits(history) | _sides(history)


def _baseline(history: xr.Dataset) -> float:
    """Return the baseline loss. Where it is 0, because all targets are equal: the loss of a random guess among the
    classes, or 1 for a regression."""
    task = record.task_of(history)
    at_random = float(np.log(len(task.names))) if task.is_classification else 1.0
    return history.attrs.get("train_constant_loss") or at_random


def _first_not_finite(history: xr.Dataset) -> np.ndarray:
    is_broken = ~record.finite_losses(history).values
    first = np.where(is_broken.any(axis=1), is_broken.argmax(axis=1).astype(float), np.inf)
    for name in ("probe_gradient_mean_abs", "weight_l1"):
        if name not in history:
            continue
        is_broken = ~np.isfinite(history[name].values).all(axis=2)
        epochs = history.recorded_epoch.values[is_broken.argmax(axis=1)].astype(float)
        first = np.minimum(first, np.where(is_broken.any(axis=1), epochs, np.inf))
    return np.where(np.isinf(first), np.nan, first)


def _finite_max(values: np.ndarray) -> np.ndarray:
    """Return the greatest finite value of each replica; NaN where there is none."""
    greatest = np.where(np.isfinite(values), values, -np.inf).reshape(len(values), -1).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(greatest), greatest, np.nan)


def _death(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the columns on death; the final stretch counts, because momentum may have revived a layer before."""
    blocking = record.blocking(history)
    dead = blocking.values  # [replica, recorded epoch, layer]
    at_end = dead[:, -1]
    born = dead[:, 0] & at_end
    named = np.where(born.any(axis=1)[:, None], born, at_end)
    layer = np.where(named.any(axis=1), blocking.layer.values[named.argmax(axis=1)], np.nan)
    any_dead = blocking.any("layer").values
    stretch = np.logical_and.accumulate(any_dead[:, ::-1], axis=1)[:, ::-1]
    begins = stretch.argmax(axis=1)
    epochs = blocking.recorded_epoch.values.astype(float)
    dying = stretch[:, -1] & (begins > 0)
    return {
        "dead_layer": layer,
        "born_dead": born.any(axis=1).astype(float),
        "died_after": np.where(dying, epochs[np.maximum(begins - 1, 0)], np.nan),
        "died_by": np.where(stretch[:, -1], epochs[begins], np.nan),
    }


def _saturation(hidden: xr.Dataset, slope: float) -> dict[str, np.ndarray]:
    shares = np.nan_to_num(saturated_at(hidden, slope))  # a layer without an activation never saturates
    throughout = _throughout(shares, hidden.recorded_epoch.values)  # [replica, layer]
    at_slope = np.fmax(shares[:, 0], throughout)
    greatest = at_slope.argmax(axis=1)
    rows = np.arange(len(greatest))
    return {
        "saturated_layer": hidden.layer.values[greatest],
        "saturated_share": at_slope[rows, greatest],
    }


def saturated_at(history: xr.Dataset, slope: float) -> np.ndarray:
    """Return the share of (input, unit) pairs below a slope, [replica, recorded epoch, layer].

    Between two recorded fractions it is linear in the fraction's logarithm.
    """
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
    # A layer that a skip connection bypasses may have no gradient: the other layers get theirs all the same.
    passed = np.where((parts[0].bypassed.values == 1) | np.isnan(hidden), np.inf, hidden)
    smallest, is_one = passed.argmin(axis=1), np.isfinite(passed).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = passed[np.arange(len(smallest)), smallest] / _finite_max(outputs)
    return {
        "smallest_layer": np.where(is_one, parts[0].layer.values[smallest], np.nan),
        "gradient_ratio": np.where(is_one, ratio, np.nan),
        "gradient_scale": _finite_max(hidden) / _baseline(history),
    }


def _movement(history: xr.Dataset, vanishing: float) -> dict[str, np.ndarray]:
    """Return how far the kernels moved, compared with their sizes and gradients.

    Args:
        vanishing: a gradient below this part of the baseline loss may be too small to change a float32.
    """
    change, size = history.weight_change_l1.values, history.weight_l1.values  # [replica, recorded epoch, layer]
    columns: dict[str, np.ndarray] = {}
    if history.sizes["recorded_epoch"] > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(size[:, 0] > 0, change[:, 1] / size[:, 0], np.nan)
        is_broken = ~np.isfinite(size[:, 1]).all(axis=1)
        greatest = np.nan_to_num(first, nan=0.0, posinf=np.inf).max(axis=1)
        columns["first_change"] = np.where(is_broken, np.inf, greatest)
    if "probe_gradient_mean_abs" in history:
        gradient = history.probe_gradient_mean_abs.values
        columns["first_gradient"] = np.nan_to_num(gradient[:, 0], nan=np.inf).max(axis=1) / _baseline(history)
        movement = np.nan_to_num(change[:, 1:], nan=1.0).max(axis=1, initial=0.0)
        is_pushed = np.nan_to_num(gradient, nan=0.0).max(axis=1) > vanishing * _baseline(history)
        is_judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
        # An embedding's mean gradient is small for the many rows of its table that no input names.
        is_table = (history.kind.values == "Embedding") & (history.trainable.values == 0)
        is_table = is_table & (np.nan_to_num(gradient, nan=0.0).max(axis=1) > 0)
        is_still = (movement == 0) & (is_pushed & is_judged | is_table) & (change.shape[1] > 1)
        others_move = (movement[:, is_judged].max(axis=1, initial=0.0) > 0)[:, None]
        columns["frozen_layer"] = _lowest(is_still & others_move, history)
    return columns


def _fits(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return how well each part of the data is fitted at the end, by loss and score."""
    baseline, judged = _baseline(history), record.judged_part(history)
    last = history.isel(epoch=-1)
    columns = {"train_fit": 1 - last.train_loss.values / baseline, "train_gain": _gain(last, "train")}
    if record.LOGGED_LOSS in history:
        logged = 1 - last[record.LOGGED_LOSS].values / baseline
        columns["logged_fit"] = np.where(_are_modes_comparable(history), logged, np.nan)
    if judged != "train":
        columns["judged_gain"] = _gain(last, judged)
        constant = history.attrs.get(f"{judged}_constant_loss")
        if constant:
            columns["judged_fit"] = 1 - last[f"{judged}_loss"].values / constant
    if "train_balanced_accuracy" in last and "train_accuracy" in last:
        columns["score_gap"] = last.train_accuracy.values - last.train_balanced_accuracy.values
    return columns


def _are_modes_comparable(history: xr.Dataset) -> np.ndarray:
    """Return bool [replica]: nothing but the mode can make the logged loss and the record's loss differ.

    False for a record of an earlier version, which does not say so.
    """
    known = [history[name].values == 1 for name in ("has_modes", "logged_alike") if name in history]
    return np.logical_and(*known) if len(known) == 2 else np.zeros(history.sizes["replica"], bool)


def _gain(last: xr.Dataset, part: str) -> np.ndarray:
    """Return the score, [replica], rescaled so that a constant prediction has 0 and a perfect one 1."""
    task = record.task_of(last)
    if task.is_classification and f"{part}_balanced_accuracy" in last:
        chance = 1 / len(task.names)
        return (last[f"{part}_balanced_accuracy"].values - chance) / (1 - chance)
    if f"{part}_r2" in last:
        return last[f"{part}_r2"].values
    return np.full(last.sizes["replica"], np.nan)


def _sides(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return inputs, targets and limits of the output, equal units, and whether the output is dead."""
    columns = {name: history[name].values.astype(float) for name in USED_SIDES if name in history}
    if record.task_of(history).is_classification:
        columns.pop("target_scale", None)  # labels have no scale
    if record.UNIT_SPREAD in history:
        hidden = history.role.values == record.HIDDEN
        spread = history[record.UNIT_SPREAD].values
        are_equal = (spread[:, 0] < EQUAL_AT_START) & (spread[:, -1] < EQUAL_AT_END)
        columns["equal_layer"] = _lowest(are_equal & hidden, history)
    outputs = record.output(history)
    if "dead" in outputs and outputs.sizes["layer"]:
        columns["dead_output"] = (outputs.dead.values[:, -1] == 1).all(axis=1).astype(float)
    return columns


def _lowest(holds: np.ndarray, history: xr.Dataset) -> np.ndarray:
    """Return the first layer for which bool [replica, layer] holds; NaN where it holds for none."""
    return np.where(holds.any(axis=1), history.layer.values[holds.argmax(axis=1)].astype(float), np.nan)


def _throughout(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return the lower median over time of [replica, recorded epoch, layer], without NaN and infinite values; NaN where
    no value is finite."""
    edges = np.concatenate([epochs[:1], (epochs[1:] + epochs[:-1]) / 2, epochs[-1:]])
    spans = np.diff(edges) if len(epochs) > 1 else np.ones(1)
    finite = np.isfinite(values)
    order = np.where(finite, values, np.inf).argsort(axis=1)
    weights = np.take_along_axis(np.where(finite, spans[:, None], 0.0), order, axis=1).cumsum(axis=1)
    middle = (weights >= weights[:, -1:] / 2).argmax(axis=1)[:, None]
    median = np.take_along_axis(np.take_along_axis(values, order, axis=1), middle, axis=1)[:, 0]
    return np.where(finite.any(axis=1), median, np.nan)


def _window(epochs: int, part: float) -> int:
    """Return the number of epochs in the last part of them, with both ends."""
    return max(FEWEST_EPOCHS, round(part * (epochs - 1)) + 1)


def _fall(loss: np.ndarray, window: float, count: int | None = None) -> float:
    """Return the relative fall of the fitted line over the last part of the epochs, 0 where the slope may be noise.

    Args:
        window: the last part. count: number of epochs in it, instead of `window`.
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
    """Return the slope of the least-squares line over equal steps, and its p-value (Student's t; null: slope 0)."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = (steps @ values) / (steps @ steps)
    noise = values - values.mean() - slope * steps
    freedom = len(values) - 2
    error = np.sqrt((noise @ noise) / freedom / (steps @ steps))
    return float(slope), float(2 * stdtr(freedom, -abs(slope) / error)) if error > 0 else 0.0
