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
from pipeline.params.diagnosis_params import DiagnosisParams

USED_SIDES = (
    *("nonfinite_share", "input_scale", "input_decades", "target_scale"),
    *("targets_told", "targets_beyond", "output_misfit"),
)
COLUMNS = {
    "nonfinite_epoch": "first epoch with a loss, or a gradient or weight by layer, that is infinite or not a number",
    "loss_growth": "greatest training loss over the loss of the best constant prediction",
    "dead_layer": "lowest hidden layer that is dead at the end and no path bypasses, of those born dead if any",
    "born_dead": "1 if a layer that is dead at the end was dead before the first step",
    "died_after": "last recorded epoch at which no layer of the final dead stretch was dead",
    "died_by": "first recorded epoch of the final unbroken dead stretch",
    "saturated_layer": "hidden layer with most saturated (input, unit) pairs, at the start or throughout",
    "saturated_share": "their share, the greater of the two",
    "smallest_layer": "hidden layer with the smallest mean |gradient| throughout, of those that no path bypasses",
    "gradient_ratio": "its mean |gradient| over the output layer's",
    "gradient_scale": "largest hidden mean |gradient| throughout, over the loss of the best constant prediction",
    "taken_gradient": "largest mean |gradient| that the optimizer got, over the loss of the best constant prediction",
    "loss_fall": "relative fall of the training loss over the last epochs, where it is beyond its noise",
    "fall_before": "the same over as many epochs before those",
    "first_change": "greatest change of a kernel over its first recorded epoch, over its size before, both as L1 norms",
    "first_gradient": "largest mean |gradient| before the first step, over the loss of the best constant prediction",
    "train_fit": "1 - training loss / that of the best constant prediction, at the end",
    "logged_fit": "the same of the loss that `fit` logged, in training mode; only where the mode alone can change it",
    "judged_fit": "as `train_fit`, on the set that decides; no value where that is the training set",
    "train_learned": "1 if the training set alone passes the rule of learning",
    "train_gain": "balanced accuracy on the training set, from 0 by chance to 1; of a regression R²",
    "judged_gain": "the same on the set that decides; no value where that is the training set",
    "score_gap": "accuracy less balanced accuracy on the training set",
    "equal_layer": "lowest hidden layer of several units that are all equal, at first and at the end but for rounding",
    "frozen_layer": "lowest layer with a gradient whose kernel, or embedding's table, never moved",
    "dead_output": "1 if every output is off on every training input at the end",
    **{name: record.REPLICA_VALUES[name] for name in USED_SIDES},
}
NO_VALUE_IS_NONE = ("nonfinite_epoch", "dead_layer", "died_after", "died_by", "equal_layer", "frozen_layer")
SIGNIFICANT = 0.01  # of the slope of the loss
FEW = 6  # epochs, of which no slope is significant: there the loss falls if it fell in each of them
EQUAL, STILL_EQUAL = 1e-3, 0.1  # of `unit_spread`, at first and at the end: rounding alone drives equal units apart


def measure(history: xr.Dataset, params: DiagnosisParams, train_learned: np.ndarray | None = None) -> pd.DataFrame:
    """The evidence, one row per replica, with the columns COLUMNS; NaN where a number does not exist.

    Args:
        train_learned: bool [replica], whether the training set alone passes the rule of learning, where one is known.
    """
    columns = _measured(history, params)
    if train_learned is not None:
        columns["train_learned"] = train_learned.astype(float)
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(history.sizes["replica"]))


def is_measured(history: xr.Dataset, params: DiagnosisParams) -> pd.DataFrame:
    """Return whether each number is known, bool, with the columns COLUMNS.

    An epoch or a layer that is NaN in the evidence is known where the record holds what it is read from: there is none.
    """
    columns = _measured(history, params)
    known = {
        name: np.full(len(values), True) if name in NO_VALUE_IS_NONE else ~np.isnan(values.astype(float))
        for name, values in columns.items()
    }
    return pd.DataFrame(known, columns=list(COLUMNS), index=range(history.sizes["replica"])).eq(True)


def _measured(history: xr.Dataset, params: DiagnosisParams) -> dict[str, np.ndarray]:
    """The evidence by column, [replica]; a column that the record cannot tell is left out."""
    columns: dict[str, np.ndarray] = {"nonfinite_epoch": _first_not_finite(history)}
    columns["loss_growth"] = _finite_max(history.train_loss.values) / _guess(history)
    if record.hidden(history).sizes["layer"]:
        if "dead" in history and record.has_seen_units(history):
            columns |= _death(history)
        if record.SATURATED in history and record.has_seen_units(history):
            columns |= _saturation(record.hidden(history), params.saturated_slope)
        if "probe_gradient_mean_abs" in history:
            columns |= _gradients(history)
    if "gradient_mean_abs" in history:
        columns["taken_gradient"] = _finite_max(history.gradient_mean_abs.values) / _guess(history)
    losses = history.train_loss.values
    columns["loss_fall"] = np.array([_fall(loss, params.slow_window) for loss in losses])
    last = _window(losses.shape[1], params.slow_window) - 1
    columns["fall_before"] = np.array(
        [_fall(loss[: len(loss) - last], params.slow_window, last + 1) for loss in losses]
    )
    if "weight_change_l1" in history and "weight_l1" in history:
        columns |= _movement(history, params.vanishing_scale)
    return columns | _fits(history) | _sides(history)


def _guess(history: xr.Dataset) -> float:
    """The reference loss: the best constant prediction's. Where all targets are equal and it is 0, that of a guess at
    random among the classes; of a regression, 1."""
    task = record.task_of(history)
    at_random = float(np.log(len(task.names))) if task.is_classification else 1.0
    return history.attrs.get("train_constant_loss") or at_random


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
    """The greatest finite value of each replica; NaN where there is none."""
    found = np.where(np.isfinite(values), values, -np.inf).reshape(len(values), -1).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(found), found, np.nan)


def _death(history: xr.Dataset) -> dict[str, np.ndarray]:
    """The final unbroken stretch in which some layer is dead; momentum may have revived it before."""
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
    every = np.nan_to_num(saturated_at(hidden, slope))  # a layer without an activation saturates nothing
    throughout = _throughout(every, hidden.recorded_epoch.values)  # [replica, layer]
    at_slope = np.fmax(every[:, 0], throughout)
    greatest = at_slope.argmax(axis=1)
    rows = np.arange(len(greatest))
    return {
        "saturated_layer": hidden.layer.values[greatest],
        "saturated_share": at_slope[rows, greatest],
    }


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
    passed = np.where((parts[0].bypassed.values == 1) | np.isnan(hidden), np.inf, hidden)
    smallest, is_one = passed.argmin(axis=1), np.isfinite(passed).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = passed[np.arange(len(smallest)), smallest] / _finite_max(outputs)
    return {
        "smallest_layer": np.where(is_one, parts[0].layer.values[smallest], np.nan),
        "gradient_ratio": np.where(is_one, ratio, np.nan),
        "gradient_scale": _finite_max(hidden) / _guess(history),
    }


def _movement(history: xr.Dataset, vanishing: float) -> dict[str, np.ndarray]:
    """How far the kernels moved, against their sizes and gradients.

    Args:
        vanishing: a gradient below this part of a constant guess's loss may be too small to move a float32.
    """
    change, size = history.weight_change_l1.values, history.weight_l1.values  # [replica, recorded epoch, layer]
    found: dict[str, np.ndarray] = {}
    if history.sizes["recorded_epoch"] > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(size[:, 0] > 0, change[:, 1] / size[:, 0], np.nan)
        broken = ~np.isfinite(size[:, 1]).all(axis=1)
        greatest = np.nan_to_num(first, nan=0.0, posinf=np.inf).max(axis=1)
        found["first_change"] = np.where(broken, np.inf, greatest)
    if "probe_gradient_mean_abs" in history:
        gradient = history.probe_gradient_mean_abs.values
        found["first_gradient"] = np.nan_to_num(gradient[:, 0], nan=np.inf).max(axis=1) / _guess(history)
        moved = np.nan_to_num(change[:, 1:], nan=1.0).max(axis=1, initial=0.0)
        pushed = np.nan_to_num(gradient, nan=0.0).max(axis=1) > vanishing * _guess(history)
        judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
        # An embedding's mean gradient is small for the many rows of its table that no input names.
        table = (history.kind.values == "Embedding") & (history.trainable.values == 0)
        table = table & (np.nan_to_num(gradient, nan=0.0).max(axis=1) > 0)
        still = (moved == 0) & (pushed & judged | table) & (change.shape[1] > 1)
        found["frozen_layer"] = _lowest(still & (moved[:, judged].max(axis=1, initial=0.0) > 0)[:, None], history)
    return found


def _fits(history: xr.Dataset) -> dict[str, np.ndarray]:
    """How well the parts are fitted at the end, by loss and score."""
    guess, judged = _guess(history), record.judged_part(history)
    last = history.isel(epoch=-1)
    found = {"train_fit": 1 - last.train_loss.values / guess, "train_gain": _gain(last, "train")}
    if record.LOGGED_LOSS in history:
        logged = 1 - last[record.LOGGED_LOSS].values / guess
        found["logged_fit"] = np.where(_modes_compare(history), logged, np.nan)
    if judged != "train":
        found["judged_gain"] = _gain(last, judged)
        constant = history.attrs.get(f"{judged}_constant_loss")
        if constant:
            found["judged_fit"] = 1 - last[f"{judged}_loss"].values / constant
    if "train_balanced_accuracy" in last and "train_accuracy" in last:
        found["score_gap"] = last.train_accuracy.values - last.train_balanced_accuracy.values
    return found


def _modes_compare(history: xr.Dataset) -> np.ndarray:
    """bool [replica], whether the loss that `fit` logged and the record's can differ by the mode alone.

    A record that does not say so, as an earlier version wrote it, has no such replica.
    """
    known = [history[name].values == 1 for name in ("has_modes", "logged_alike") if name in history]
    return np.logical_and(*known) if len(known) == 2 else np.zeros(history.sizes["replica"], bool)


def _gain(last: xr.Dataset, part: str) -> np.ndarray:
    """[replica]; of what a constant prediction reaches 0, of a perfect one 1."""
    task = record.task_of(last)
    if task.is_classification and f"{part}_balanced_accuracy" in last:
        chance = 1 / len(task.names)
        return (last[f"{part}_balanced_accuracy"].values - chance) / (1 - chance)
    if f"{part}_r2" in last:
        return last[f"{part}_r2"].values
    return np.full(last.sizes["replica"], np.nan)


def _sides(history: xr.Dataset) -> dict[str, np.ndarray]:
    """What the model is given and can give, and layers that cannot tell."""
    found = {name: history[name].values.astype(float) for name in USED_SIDES if name in history}
    if record.task_of(history).is_classification:
        found.pop("target_scale", None)  # labels are no scale
    if record.UNIT_SPREAD in history:
        hidden = history.role.values == record.HIDDEN
        spread = history[record.UNIT_SPREAD].values
        found["equal_layer"] = _lowest((spread[:, 0] < EQUAL) & (spread[:, -1] < STILL_EQUAL) & hidden, history)
    outputs = record.output(history)
    if "dead" in outputs and outputs.sizes["layer"]:
        found["dead_output"] = (outputs.dead.values[:, -1] == 1).all(axis=1).astype(float)
    return found


def _lowest(holds: np.ndarray, history: xr.Dataset) -> np.ndarray:
    """The first layer of which bool [replica, layer] holds; NaN where it holds of none."""
    return np.where(holds.any(axis=1), history.layer.values[holds.argmax(axis=1)].astype(float), np.nan)


def _throughout(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The lower median over time of [replica, recorded epoch, layer]; what is not finite has no weight, and where
    nothing is finite, it is NaN."""
    edges = np.concatenate([epochs[:1], (epochs[1:] + epochs[:-1]) / 2, epochs[-1:]])
    spans = np.diff(edges) if len(epochs) > 1 else np.ones(1)
    finite = np.isfinite(values)
    order = np.where(finite, values, np.inf).argsort(axis=1)
    weights = np.take_along_axis(np.where(finite, spans[:, None], 0.0), order, axis=1).cumsum(axis=1)
    middle = (weights >= weights[:, -1:] / 2).argmax(axis=1)[:, None]
    found = np.take_along_axis(np.take_along_axis(values, order, axis=1), middle, axis=1)[:, 0]
    return np.where(finite.any(axis=1), found, np.nan)


def _window(epochs: int, part: float) -> int:
    """Epochs in the last part of them, with both ends."""
    return max(3, round(part * (epochs - 1)) + 1)


def _fall(loss: np.ndarray, window: float, count: int | None = None) -> float:
    """Relative fall of the fitted line over the last part of the epochs, 0 where the slope may be noise.

    Args:
        count: of the epochs in it, in place of the part `window`.
    """
    last = loss[-(count or _window(len(loss), window)) :].astype(float)
    if 2 <= len(loss) <= FEW + 1 and np.isfinite(loss).all() and (loss[1:] < loss[:-1]).all():
        return float((last[0] - last[-1]) / last.mean())
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
