"""What else is kept of a run: what known tools' rules say of it, and its curves, for figures."""

from typing import Final

import keras
import numpy as np
import xarray as xr

from benchmarks.published_rules import RULES, TOOLS, Activation, Trained
from pipeline.history import record
from pipeline.history.thinning import evenly_spaced

ROWS: Final = 1024
POINTS: Final = 25  # of a curve
# What an activation was given, from what it gave; the rules ask it of no rectifier.
BEFORE: Final = {
    "tanh": np.arctanh,
    "sigmoid": lambda value: np.log(value) - np.log1p(-value),
    "relu": lambda value: value,
}


def said_by_tools(model: keras.Model, history: xr.Dataset, inputs: np.ndarray) -> dict[str, list[str]]:
    """By tool, the symptoms that its rules find."""
    judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
    trained = Trained(history.isel(layer=judged), _activations(model, inputs[:ROWS]))
    found: dict[str, list[str]] = {tool: [] for tool in TOOLS}
    with np.errstate(all="ignore"):
        for (tool, symptom), rule in RULES.items():
            if rule(trained)[0]:
                found[tool].append(symptom)
    return found


def _activations(model: keras.Model, inputs: np.ndarray) -> list[Activation]:
    """Of all dense and convolutional layers but the last."""
    layers = [
        each
        for each in model.layers
        if isinstance(each, keras.layers.Dense | keras.layers.Conv1D | keras.layers.Conv2D)
    ]
    named = [(layer, getattr(layer.activation, "__name__", "")) for layer in layers[:-1]]
    known = [(layer, name) for layer, name in named if name in BEFORE]
    if not known:
        return []
    values = keras.Model(model.inputs, [layer.output for layer, _ in known]).predict(inputs, verbose=0)
    found = []
    with np.errstate(all="ignore"):
        for (_, name), value in zip(known, values if len(known) > 1 else [values], strict=True):
            after = np.asarray(value, np.float64).reshape(1, -1, value.shape[-1])
            found.append(Activation(name, after, BEFORE[name](after)))
    return found


def curves(history: xr.Dataset) -> dict[str, list[float]]:
    """Over the epochs the training loss, as `logged` in training mode too, and that of the rows `held_out`; by hidden
    and output layer the median mean |gradient| of the probe; each over the loss of the best constant prediction."""
    guess = float(history.attrs["train_constant_loss"])
    epochs = evenly_spaced(history.epoch.values, POINTS)
    judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
    found = {"epoch": epochs.tolist(), "loss": _short(history.train_loss.values[0, epochs] / guess)}
    if record.LOGGED_LOSS in history:
        found["logged"] = _short(history[record.LOGGED_LOSS].values[0, epochs] / guess)
    part = record.judged_part(history)
    if part != "train":
        constant = float(history.attrs[f"{part}_constant_loss"])
        found["held_out"] = _short(history[f"{part}_loss"].values[0, epochs] / constant)
    if "probe_gradient_mean_abs" in history:
        found["gradient"] = _short(np.nanmedian(history.probe_gradient_mean_abs.values[0][:, judged], axis=0) / guess)
    return found


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.3g}") if np.isfinite(value) else str(value) for value in values.tolist()]
