"""The rules of known tools beside ours, on the replicas that `dvc repro` left: right causes, and false alarms.

The right cause is found without our probes or thresholds: a layer is dead if a NumPy forward pass of the final weights
over all training points is 0 at every unit; a tanh network with kernels from U(0, 1) that did not learn is saturated
(its own remedy, kernels by Glorot, makes all of them learn); a replica that is neither has no certain cause and is left
out of that column.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.published_rules import DEAD, RULES, SATURATED, VANISHING, Activation, Trained
from pipeline.data.split.files import load_split
from pipeline.diagnosis.causes import alarms
from pipeline.evaluation.files import load_evaluation
from pipeline.history.files import load_history, load_weights
from pipeline.params.params import read

FUNCTIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}
OURS = {DEAD: ("born_dead", "died_in_training"), SATURATED: (SATURATED,), VANISHING: (VANISHING,)}


@dataclass(frozen=True)
class Case:
    """A variant after training, [replica] each. learned; the right cause, or ""; ours: cause or alarm."""

    trained: Trained
    learned: np.ndarray
    truth: np.ndarray
    ours: np.ndarray


def case(name: str) -> Case:
    """Read a variant's files, and find the right causes."""
    recipe = read().variant(name)
    activation = recipe.activation.class_name
    stacks, signal = load_weights(name), load_split().train.inputs[None].astype(np.float32)
    activations: list[Activation] = []
    for number in range(1, recipe.hidden_layers + 1):
        kernel, bias = stacks[f"hidden_{number:02d}/kernel"], stacks[f"hidden_{number:02d}/bias"]
        before = signal @ kernel + bias[:, None]
        signal = FUNCTIONS[activation](before)
        activations.append(Activation(activation, signal, before))
    table = load_evaluation(name).replicas
    learned = (table.outcome == "learned").to_numpy()
    dead = np.any([(each.after == 0).all(axis=(1, 2)) for each in activations], axis=0)
    uniform = recipe.kernel_initializer.class_name == "RandomUniform"
    truth = np.where(dead, DEAD, np.where(np.full(len(dead), uniform and activation == "tanh"), SATURATED, ""))
    return Case(Trained(load_history(name), activations), learned, np.where(learned, "", truth), _our_alarms(table))


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
    fired_by = {key: [rule(each.trained) for each in cases] for key, rule in RULES.items()}
    fired_by |= {("ours", cause): [np.isin(each.ours, names) for each in cases] for cause, names in OURS.items()}
    for (tool, cause), fired in fired_by.items():
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
