"""The rules of known tools beside ours, on the replicas that `dvc repro` left: right causes, and false alarms.

A reference, written from the published thresholds and used nowhere in the pipeline. Each rule is asked at the last
recorded epoch, which is kind to it: fewer replicas that learned are in a bad moment there.

The right cause is found without our probes or thresholds: a layer is dead if a NumPy forward pass of the final weights
over all training points is 0 at every unit; a tanh network with kernels from U(0, 1) that did not learn is saturated
(its own remedy, kernels by Glorot, makes all of them learn); a replica that is neither has no certain cause and is left
out of that column.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from rich.console import Console
from rich.table import Table

from pipeline.data.split_files import load_split
from pipeline.diagnosis.causes import alarms
from pipeline.evaluation.files import load_evaluation
from pipeline.history.files import load_history, load_weights
from pipeline.params.params import read

DEAD, SATURATED = "dead", "saturated"
FUNCTIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


@dataclass(frozen=True)
class Case:
    """A variant after training. activations: of each hidden layer, [replica, sample, unit]."""

    history: xr.Dataset
    activation: str
    activations: list[np.ndarray]
    pre_activations: list[np.ndarray]
    learned: np.ndarray
    truth: np.ndarray
    ours: np.ndarray


def last(case: Case, name: str) -> np.ndarray:
    """A per-layer value at the last epoch, [replica, layer]."""
    return case.history[name].isel(recorded_epoch=-1).values


def most_units(flags: list[np.ndarray]) -> np.ndarray:
    """bool [replica]: more than half of some layer's units, from bool [replica, unit] for each layer."""
    return np.any([flag.mean(axis=1) > 0.5 for flag in flags], axis=0)


def is_relu(case: Case) -> np.ndarray:
    return np.full(len(case.learned), case.activation == "relu")


Rule = Callable[[Case], np.ndarray]
RULES: dict[tuple[str, str], Rule] = {
    ("SageMaker Debugger", "vanishing"): lambda c: (last(c, "gradient_mean_abs") < 1e-7).any(axis=1),
    ("SageMaker Debugger", DEAD): lambda c: (
        is_relu(c) & most_units([(a > 0).mean(axis=1) < 0.01 for a in c.activations])
    ),
    ("SageMaker Debugger", SATURATED): lambda c: (
        ~is_relu(c) & most_units([(np.abs(z) > 9.5).mean(axis=1) > 0.5 for z in c.pre_activations])
    ),
    ("AutoTrainer", "vanishing"): lambda c: (
        (last(c, "gradient_norm")[:, 0] < 1e-3 * last(c, "gradient_norm")[:, -1])
        & (last(c, "gradient_norm")[:, 0] < 1e-4)
    ),
    ("AutoTrainer", DEAD): lambda c: is_relu(c) & (last(c, "gradient_zero_share").mean(axis=1) >= 0.7),
    ("DeepDiagnosis", "vanishing"): lambda c: (last(c, "gradient_mean_abs") < 1e-7).any(axis=1),
    ("DeepDiagnosis", DEAD): lambda c: (
        is_relu(c) & np.any([(a <= 0).mean(axis=(1, 2)) >= 0.7 for a in c.activations], axis=0)
    ),
    ("DeepDiagnosis", SATURATED): lambda c: (
        ~is_relu(c) & np.any([(np.abs(z) > 5).mean(axis=(1, 2)) > 0.5 for z in c.pre_activations], axis=0)
    ),
    ("TheDeepChecker", "vanishing"): lambda c: (last(c, "gradient_mean_abs") < 1e-6).any(axis=1),
    ("TheDeepChecker", DEAD): lambda c: (
        is_relu(c) & most_units([np.quantile(a, 0.95, axis=1) < 1e-5 for a in c.activations])
    ),
    ("ours", DEAD): lambda c: np.isin(c.ours, ["born_dead", "died_in_training"]),
    ("ours", SATURATED): lambda c: c.ours == SATURATED,
    ("ours", "vanishing"): lambda c: c.ours == "vanishing",
}


def case(name: str) -> Case:
    """Read a variant's files, and find the right causes."""
    recipe = read().variant(name)
    activation = recipe.activation.class_name
    stacks, signal = load_weights(name), load_split().train.inputs[None].astype(np.float32)
    activations, before = [], []
    for number in range(1, recipe.hidden_layers + 1):
        kernel, bias = stacks[f"hidden_{number:02d}/kernel"], stacks[f"hidden_{number:02d}/bias"]
        before.append(signal @ kernel + bias[:, None])
        signal = FUNCTIONS[activation](before[-1])
        activations.append(signal)
    table = load_evaluation(name).replicas
    learned = (table.outcome == "learned").to_numpy()
    dead = np.any([(a == 0).all(axis=(1, 2)) for a in activations], axis=0)
    uniform = recipe.kernel_initializer.class_name == "RandomUniform"
    truth = np.where(dead, DEAD, np.where(np.full(len(dead), uniform and activation == "tanh"), SATURATED, ""))
    alarms = _our_alarms(table)
    return Case(load_history(name), activation, activations, before, learned, np.where(learned, "", truth), alarms)


def _our_alarms(table: pd.DataFrame) -> np.ndarray:
    """Our cause; for a replica that learned the first alarm that our conditions raise all the same."""
    raised = alarms(table, read().diagnosis)
    first = np.select([raised[cause].to_numpy() for cause in raised], list(raised), default="")
    return np.where(table.outcome == "learned", first, table.cause)


def main() -> None:
    """Print the table."""
    cases = [case(name) for name in read().variants]
    learned = sum(int(each.learned.sum()) for each in cases)
    table = Table("tool", "rule", "names the right cause", "alarms on replicas that learned")
    for (tool, cause), rule in RULES.items():
        fired = [rule(each) for each in cases]
        wanted = sum(int((each.truth == cause).sum()) for each in cases)
        right = sum(int((found & (each.truth == cause)).sum()) for found, each in zip(fired, cases, strict=True))
        false = sum(int((found & each.learned).sum()) for found, each in zip(fired, cases, strict=True))
        others = [(each.truth != "") & (each.truth != cause) for each in cases]
        wrong = sum(int((found & other).sum()) for found, other in zip(fired, others, strict=True))
        named = f"{right} of {wanted}" if wanted else f"no such; {wrong} named so wrongly"
        table.add_row(tool, cause, named, f"{false} of {learned}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
