"""Measure the evidence in layers: dead and saturated layers, gradients, equal units, and changes of weights.

Layers are numbers, as in the record's layer table. Each column has the shape [replica].
"""

import numpy as np
import xarray as xr

from pipeline.diagnosis.constants import DEEP, EQUAL_AT_END, EQUAL_AT_START, FIRST_RECORDS
from pipeline.diagnosis.loss_evidence import baseline, finite_max
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams


def layer_columns(history: xr.Dataset, params: DiagnosisParams) -> dict[str, np.ndarray]:
    """Return the evidence in layers, [replica] by column, without the columns that the record cannot show."""
    columns: dict[str, np.ndarray] = {}
    hidden = record.hidden(history)
    if hidden.sizes["layer"]:
        has_seen_units = record.has_seen_units(history)
        if "dead" in history and has_seen_units:
            columns |= _dead_layers(history)
        if record.SATURATED in history and has_seen_units:
            columns |= _saturation(hidden, params.saturated_slope)
        if "probe_gradient_mean_abs" in history:
            columns |= _gradients(history)
    if "gradient_mean_abs" in history:
        columns["taken_gradient"] = finite_max(history.gradient_mean_abs.values) / baseline(history)
        if "probe_gradient_mean_abs" in history:
            columns["step_ratio"] = _step_ratio(history)
    if "weight_change_l1" in history and "weight_l1" in history:
        columns |= _weight_changes(history, params.vanishing_scale)
    if record.UNIT_SPREAD in history:
        is_hidden = history.role.values == record.HIDDEN
        spread = history[record.UNIT_SPREAD].values
        are_equal = (spread[:, 0] < EQUAL_AT_START) & (spread[:, -1] < EQUAL_AT_END)
        columns["equal_layer"] = _lowest_layer(are_equal & is_hidden, history)
    outputs = record.output(history)
    if "dead" in outputs and outputs.sizes["layer"]:
        columns["dead_output"] = (outputs.dead.values[:, -1] == 1).all(axis=1).astype(float)
    return columns


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
    larger = np.fmax(shares[:, 0], throughout(shares, hidden.recorded_epoch.values))  # [replica, layer]
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
        throughout(part.probe_gradient_mean_abs.values, part.recorded_epoch.values) for part in parts
    )  # [replica, layer] each
    # Leave out layers that a skip connection bypasses: if they have no gradient, other layers get theirs nevertheless.
    candidates = np.where((parts[0].bypassed.values == 1) | np.isnan(hidden), np.inf, hidden)
    smallest, has_candidate = candidates.argmin(axis=1), np.isfinite(candidates).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = candidates[np.arange(len(smallest)), smallest] / finite_max(outputs)
    return {
        "smallest_layer": np.where(has_candidate, parts[0].layer.values[smallest], np.nan),
        "gradient_ratio": np.where(has_candidate, ratio, np.nan),
        "gradient_profile": _profile(hidden, finite_max(outputs), parts[0].bypassed.values == 1),
        "gradient_scale": finite_max(hidden) / baseline(history),
    }


def _profile(gradients: np.ndarray, output: np.ndarray, is_bypassed: np.ndarray) -> np.ndarray:
    """Return the largest quotient of a hidden layer's gradient and the next layer's, [replica]; NaN for a short stack.

    Args:
        gradients, output: mean |gradient| of hidden layers, [replica, layer], and the largest of the output layers.
        is_bypassed: bool [layer], whether a skip connection goes around the layer; then layers are no chain.
    """
    if gradients.shape[1] < DEEP or is_bypassed.any():
        return np.full(len(gradients), np.nan)
    upper = np.concatenate([gradients[:, 1:], output[:, None]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (gradients / upper).max(axis=1)


def _step_ratio(history: xr.Dataset) -> np.ndarray:
    """Return the optimizer's gradient / the probe's, [replica]: the median over layers and the first recorded epochs.

    The probe's gradient counts before and after the epoch, the smaller of both, because it may rise within the epoch.
    """
    has_role = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
    steps = slice(1, 1 + FIRST_RECORDS)
    taken = history.gradient_mean_abs.values[:, steps, has_role].astype(float)
    probe = history.probe_gradient_mean_abs.values[:, :, has_role].astype(float)
    smaller = np.fmin(probe[:, :-1], probe[:, 1:])[:, : taken.shape[1]]
    ratios = np.divide(taken, smaller, out=np.full(taken.shape, np.nan), where=smaller > 0).reshape(len(taken), -1)
    ratios = np.where(np.isfinite(ratios), ratios, np.nan)
    if not ratios.size:
        return np.full(len(taken), np.nan)
    has_ratio = np.asarray(np.isfinite(ratios).any(axis=1))
    return np.where(has_ratio, np.nanmedian(np.where(has_ratio[:, None], ratios, 0.0), axis=1), np.nan)


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
        columns["largest_change"] = np.nan_to_num(change[:, 1:], nan=np.inf).max(axis=(1, 2), initial=0.0)
    if "probe_gradient_mean_abs" in history:
        gradient = history.probe_gradient_mean_abs.values
        columns["first_gradient"] = np.nan_to_num(gradient[:, 0], nan=np.inf).max(axis=1) / baseline(history)
        largest_change = np.nan_to_num(change[:, 1:], nan=1.0).max(axis=1, initial=0.0)
        has_gradient = np.nan_to_num(gradient, nan=0.0).max(axis=1) > vanishing * baseline(history)
        has_role = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
        # An embedding's mean gradient is small, because most rows of its table belong to no input.
        is_table = (history.kind.values == "Embedding") & (history.trainable.values == 0)
        is_table = is_table & (np.nan_to_num(gradient, nan=0.0).max(axis=1) > 0)
        is_frozen = (largest_change == 0) & (has_gradient & has_role | is_table) & (change.shape[1] > 1)
        do_others_change = (largest_change[:, has_role].max(axis=1, initial=0.0) > 0)[:, None]
        columns["frozen_layer"] = _lowest_layer(is_frozen & do_others_change, history)
    return columns


def _lowest_layer(holds: np.ndarray, history: xr.Dataset) -> np.ndarray:
    """Return the number of the first layer that is true in bool [replica, layer]; NaN if no layer is."""
    return np.where(holds.any(axis=1), history.layer.values[holds.argmax(axis=1)].astype(float), np.nan)


def throughout(values: np.ndarray, epochs: np.ndarray) -> np.ndarray:
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
