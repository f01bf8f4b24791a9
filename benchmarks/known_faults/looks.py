"""More of a run's record: the symptoms that known tools report, and its curves, for figures."""

from typing import Final

import keras
import numpy as np
import xarray as xr

from benchmarks.published_rules import RULES, TOOLS, Activation, RuleInputs
from pipeline.history import record
from pipeline.history.thinning import evenly_spaced

ROWS: Final = 1024
POINTS: Final = 25  # of a curve
# An activation's input, from its value; the rules ignore the input of ReLU.
INVERSES: Final = {
    "tanh": np.arctanh,
    "sigmoid": lambda value: np.log(value) - np.log1p(-value),
    "relu": lambda value: value,
}


def tool_symptoms(model: keras.Model, history: xr.Dataset, inputs: np.ndarray) -> dict[str, list[str]]:
    """Return the symptoms that the rules of each known tool report."""
    is_judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
    rule_inputs = RuleInputs(history.isel(layer=is_judged), _activations(model, inputs[:ROWS]))
    symptoms: dict[str, list[str]] = {tool: [] for tool in TOOLS}
    with np.errstate(all="ignore"):
        for (tool, symptom), rule in RULES.items():
            if rule(rule_inputs)[0]:
                symptoms[tool].append(symptom)
    return symptoms


def _activations(model: keras.Model, inputs: np.ndarray) -> list[Activation]:
    """Return the activations of all dense and convolutional layers but the last; none of a model without a graph."""
    layers = [
        each
        for each in model.layers
        if isinstance(each, keras.layers.Dense | keras.layers.Conv1D | keras.layers.Conv2D)
    ]
    functions = [(layer, getattr(layer.activation, "__name__", "")) for layer in layers[:-1]]
    known = [(layer, name) for layer, name in functions if name in INVERSES]
    if not known or not hasattr(model, "inputs"):
        return []
    values = keras.Model(model.inputs, [layer.output for layer, _ in known]).predict(inputs, verbose=0)
    activations = []
    with np.errstate(all="ignore"):
        for (_, name), value in zip(known, values if len(known) > 1 else [values], strict=True):
            after = np.asarray(value, np.float64).reshape(1, -1, value.shape[-1])
            activations.append(Activation(name, after, INVERSES[name](after)))
    return activations


def curves(history: xr.Dataset) -> dict[str, list[float | str]]:
    """Return curves over the epochs, and the gradient by layer, all over the baseline (a constant prediction's loss).

    loss: training loss in inference mode. logged: training loss as `fit` logs it, in training mode. held_out: loss on
    held-out rows. gradient: median over the epochs of the probe's mean |gradient|, by hidden and output layer.
    """
    baseline = float(history.attrs["train_constant_loss"])
    epochs = evenly_spaced(history.epoch.values, POINTS)
    is_judged = np.isin(history.role.values, (record.HIDDEN, record.OUTPUT))
    result = {"epoch": epochs.tolist(), "loss": _short(history.train_loss.values[0, epochs] / baseline)}
    if record.LOGGED_LOSS in history:
        result["logged"] = _short(history[record.LOGGED_LOSS].values[0, epochs] / baseline)
    part = record.judged_part(history)
    if part != "train":
        part_baseline = float(history.attrs[f"{part}_constant_loss"])
        result["held_out"] = _short(history[f"{part}_loss"].values[0, epochs] / part_baseline)
    if "probe_gradient_mean_abs" in history:
        gradients = history.probe_gradient_mean_abs.values[0][:, is_judged]
        result["gradient"] = _short(np.nanmedian(gradients, axis=0) / baseline)
    return result


def _short(values: np.ndarray) -> list[float | str]:
    return [float(f"{value:.3g}") if np.isfinite(value) else str(value) for value in values.tolist()]
