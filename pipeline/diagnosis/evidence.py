"""Measure the evidence of each replica: numbers from its history, which the rules compare with thresholds.

Evidence depends only on recorded values and derivatives, not on the names of variants, activations or initialisers, so
any history has evidence. A value that was not recorded is missing there. "Throughout" means the median over time, in
which each recorded epoch counts for the epochs around it; so it describes most of the training. The baseline is the
best constant prediction, and the baseline loss is the loss of that prediction on the training set.
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

REPLICA_COLUMNS = (  # values of the record that are evidence as they are
    *("nonfinite_share", "input_scale", "input_decades", "target_scale"),
    *("targets_told", "targets_beyond", "output_misfit"),
)
COLUMNS = {
    "nonfinite_epoch": "first epoch with a loss, or a layer's gradient or weights, that is NaN or infinite",
    "loss_growth": "greatest training loss / baseline loss",
    "dead_layer": "lowest hidden layer that is dead at the end, without layers that a skip connection bypasses; a "
    "layer that was born dead comes first",
    "born_dead": "1 if a layer that is dead at the end was dead before the first step",
    "died_after": "last recorded epoch before the final dead stretch",
    "died_by": "first recorded epoch of the final dead stretch, in which some layer is always dead",
    "saturated_layer": "hidden layer with the largest `saturated_share`",
    "saturated_share": "share of a layer's (input, unit) pairs that are saturated, at the start or throughout: the "
    "larger of the two",
    "smallest_layer": "hidden layer with the smallest mean |gradient| throughout, without layers that a skip "
    "connection bypasses",
    "gradient_ratio": "mean |gradient| of `smallest_layer` / mean |gradient| of the output layer, throughout",
    "gradient_scale": "largest mean |gradient| of a hidden layer throughout / baseline loss",
    "taken_gradient": "largest mean |gradient| that the optimizer got / baseline loss",
    "loss_fall": "relative fall of the training loss over the last epochs, 0 if it may be noise; with few epochs, only "
    "if every epoch lowered the loss",
    "fall_before": "`loss_fall` over the same number of epochs just before the last epochs",
    "first_change": "greatest change of a kernel over the first recorded epoch / size of the kernel before, both as L1 "
    "norms",
    "first_gradient": "largest mean |gradient| before the first step / baseline loss",
    "train_fit": "1 - training loss / baseline loss, at the end",
    "logged_fit": "`train_fit` for the loss that `fit` logged in training mode; only if nothing but the mode can make "
    "the two differ: a layer has modes (`has_modes` of the record), and the logged loss is of the same rows without "
    "weights (`logged_alike`)",
    "judged_fit": "`train_fit` on the judged part of the data; missing if that is the training set",
    "train_learned": "1 if the score on the training set is above the threshold of learning",
    "train_gain": "balanced accuracy on the training set, rescaled so that chance is 0 and perfect is 1; R² for a "
    "regression",
    "judged_gain": "`train_gain` on the judged part of the data; missing if that is the training set",
    "score_gap": "accuracy - balanced accuracy on the training set",
    "equal_layer": "lowest hidden layer of two units or more that are equal at the start, and at the end except for "
    "rounding",
    "frozen_layer": "lowest layer that has a gradient, but whose kernel or embedding's table never changed",
    "dead_output": "1 if every output is 0 with slope 0 on every training input at the end",
    **{name: record.REPLICA_VALUES[name] for name in REPLICA_COLUMNS},
}
# If one of these columns is NaN, there is no such epoch or layer, provided that the record could show one.
NAN_IS_NONE = ("nonfinite_epoch", "dead_layer", "died_after", "died_by", "equal_layer", "frozen_layer")


def measure(history: xr.Dataset, params: DiagnosisParams, train_learned: np.ndarray | None = None) -> pd.DataFrame:
    """Return the evidence, one row per replica, with the columns COLUMNS; NaN where a number does not exist.

    Args:
        train_learned: bool [replica], whether the score on the training set is above the threshold of learning; None
            without a rule.
    """
    columns = _measured(history, params)
    if train_learned is not None:
        columns["train_learned"] = train_learned.astype(float)
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(history.sizes["replica"]))


def is_measured(history: xr.Dataset, params: DiagnosisParams) -> pd.DataFrame:
    """Return whether each number of the evidence is known, bool, with the columns COLUMNS.

    A missing epoch or layer (NAN_IS_NONE) counts as known if the record has the values that would show it.
    """
    columns = _measured(history, params)
    known = {
        name: np.full(len(values), True) if name in NAN_IS_NONE else ~np.isnan(values.astype(float))
        for name, values in columns.items()
    }
    return pd.DataFrame(known, columns=list(COLUMNS), index=range(history.sizes["replica"])).eq(True)


def _measured(history: xr.Dataset, params: DiagnosisParams) -> dict[str, np.ndarray]:
    """Return the evidence by column, [replica], without the columns that the record cannot show."""
    columns: dict[str, np.ndarray] = {"nonfinite_epoch": _first_nonfinite_epoch(history)}
    columns["loss_growth"] = _finite_max(history.train_loss.values) / _baseline(history)
    if record.hidden(history).sizes["layer"]:
        if "dead" in history and record.has_seen_units(history):
            columns |= _dead_layers(history)
        if record.SATURATED in history and record.has_seen_units(history):
            columns |= _saturation(record.hidden(history), params.saturated_slope)
        if "probe_gradient_mean_abs" in history:
            columns |= _gradients(history)
    if "gradient_mean_abs" in history:
        columns["taken_gradient"] = _finite_max(history.gradient_mean_abs.values) / _baseline(history)
    losses = history.train_loss.values
    columns["loss_fall"] = np.array([_fall(loss, params.slow_window) for loss in losses])
    steps = _window(losses.shape[1], params.slow_window) - 1  # between the epochs of the window
    columns["fall_before"] = np.array(
        [_fall(loss[: len(loss) - steps], params.slow_window, steps + 1) for loss in losses]
    )
    if "weight_change_l1" in history and "weight_l1" in history:
        columns |= _weight_changes(history, params.vanishing_scale)
    return columns | _fits(history) | _inputs_and_outputs(history)


def _baseline(history: xr.Dataset) -> float:
    """Return the baseline loss.

    If all targets are equal, the baseline loss is 0. Then return the loss of a random guess among the classes, or 1 for
    a regression.
    """
    task = record.task_of(history)
    guess = float(np.log(len(task.names))) if task.is_classification else 1.0
    return history.attrs.get("train_constant_loss") or guess


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


def _finite_max(values: np.ndarray) -> np.ndarray:
    """Return the greatest finite value of each replica; NaN if no value is finite."""
    greatest = np.where(np.isfinite(values), values, -np.inf).reshape(len(values), -1).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(greatest), greatest, np.nan)


def _dead_layers(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the columns on dead layers, for the final dead stretch, because momentum may revive a layer before it."""
    blocking = record.blocking(history)
    is_dead = blocking.values  # [replica, recorded epoch, layer]
    at_end = is_dead[:, -1]
    born_dead = is_dead[:, 0] & at_end
    candidates = np.where(born_dead.any(axis=1)[:, None], born_dead, at_end)
    layer = np.where(candidates.any(axis=1), blocking.layer.values[candidates.argmax(axis=1)], np.nan)
    is_any_dead = blocking.any("layer").values
    is_final = np.logical_and.accumulate(is_any_dead[:, ::-1], axis=1)[:, ::-1]  # [replica, recorded epoch]
    start = is_final.argmax(axis=1)
    epochs = blocking.recorded_epoch.values.astype(float)
    died = is_final[:, -1] & (start > 0)
    return {
        "dead_layer": layer,
        "born_dead": born_dead.any(axis=1).astype(float),
        "died_after": np.where(died, epochs[np.maximum(start - 1, 0)], np.nan),
        "died_by": np.where(is_final[:, -1], epochs[start], np.nan),
    }


def _saturation(hidden: xr.Dataset, slope: float) -> dict[str, np.ndarray]:
    shares = np.nan_to_num(saturated_at(hidden, slope))  # a layer without an activation never saturates
    throughout = _throughout(shares, hidden.recorded_epoch.values)  # [replica, layer]
    larger = np.fmax(shares[:, 0], throughout)
    layer = larger.argmax(axis=1)
    return {
        "saturated_layer": hidden.layer.values[layer],
        "saturated_share": larger[np.arange(len(layer)), layer],
    }


def saturated_at(history: xr.Dataset, slope: float) -> np.ndarray:
    """Return the share of (input, unit) pairs whose slope is below a limit, [replica, recorded epoch, layer].

    Shares between two recorded slope fractions are interpolated, linearly in the logarithm of the fraction.

    Args:
        slope: the limit, as a fraction of the activation's greatest slope.
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
    # Leave out layers that a skip connection bypasses: if they have no gradient, other layers get theirs nevertheless.
    candidates = np.where((parts[0].bypassed.values == 1) | np.isnan(hidden), np.inf, hidden)
    smallest, has_candidate = candidates.argmin(axis=1), np.isfinite(candidates).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = candidates[np.arange(len(smallest)), smallest] / _finite_max(outputs)
    return {
        "smallest_layer": np.where(has_candidate, parts[0].layer.values[smallest], np.nan),
        "gradient_ratio": np.where(has_candidate, ratio, np.nan),
        "gradient_scale": _finite_max(hidden) / _baseline(history),
    }


def _weight_changes(history: xr.Dataset, vanishing: float) -> dict[str, np.ndarray]:
    """Return how much the kernels changed, compared with their sizes and gradients.

    Args:
        vanishing: a gradient below this fraction of the baseline loss may be too small to change a float32.
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
        largest_change = np.nan_to_num(change[:, 1:], nan=1.0).max(axis=1, initial=0.0)
        has_gradient = np.nan_to_num(gradient, nan=0.0).max(axis=1) > vanishing * _baseline(history)
        has_role = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
        # An embedding's mean gradient is small, because most rows of its table belong to no input.
        is_table = (history.kind.values == "Embedding") & (history.trainable.values == 0)
        is_table = is_table & (np.nan_to_num(gradient, nan=0.0).max(axis=1) > 0)
        is_frozen = (largest_change == 0) & (has_gradient & has_role | is_table) & (change.shape[1] > 1)
        do_others_change = (largest_change[:, has_role].max(axis=1, initial=0.0) > 0)[:, None]
        columns["frozen_layer"] = _lowest_layer(is_frozen & do_others_change, history)
    return columns


def _fits(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return how well the network fits each part of the data at the end, by loss and by score."""
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


def _inputs_and_outputs(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the columns on inputs, targets and the output's range, on equal units, and on a dead output."""
    columns = {name: history[name].values.astype(float) for name in REPLICA_COLUMNS if name in history}
    if record.task_of(history).is_classification:
        columns.pop("target_scale", None)  # labels have no scale
    if record.UNIT_SPREAD in history:
        is_hidden = history.role.values == record.HIDDEN
        spread = history[record.UNIT_SPREAD].values
        are_equal = (spread[:, 0] < EQUAL_AT_START) & (spread[:, -1] < EQUAL_AT_END)
        columns["equal_layer"] = _lowest_layer(are_equal & is_hidden, history)
    outputs = record.output(history)
    if "dead" in outputs and outputs.sizes["layer"]:
        columns["dead_output"] = (outputs.dead.values[:, -1] == 1).all(axis=1).astype(float)
    return columns


def _lowest_layer(holds: np.ndarray, history: xr.Dataset) -> np.ndarray:
    """Return the number of the first layer that is true in bool [replica, layer]; NaN if no layer is."""
    return np.where(holds.any(axis=1), history.layer.values[holds.argmax(axis=1)].astype(float), np.nan)


def _throughout(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return the lower median over time of the finite values, [replica, layer]; NaN if no value is finite.

    Args:
        values: float [replica, recorded epoch, layer].
        epochs: the recorded epochs; each counts for the epochs up to halfway to its neighbours.
    """
    edges = np.concatenate([epochs[:1], (epochs[1:] + epochs[:-1]) / 2, epochs[-1:]])
    spans = np.diff(edges) if len(epochs) > 1 else np.ones(1)
    finite = np.isfinite(values)
    order = np.where(finite, values, np.inf).argsort(axis=1)
    weights = np.take_along_axis(np.where(finite, spans[:, None], 0.0), order, axis=1).cumsum(axis=1)
    middle = (weights >= weights[:, -1:] / 2).argmax(axis=1)[:, None]
    median = np.take_along_axis(np.take_along_axis(values, order, axis=1), middle, axis=1)[:, 0]
    return np.where(finite.any(axis=1), median, np.nan)


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
