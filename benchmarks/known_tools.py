"""Compare the rules of known tools with ours on the replicas of the last `dvc repro`: right causes and false alarms.

The right causes do not come from our probes or thresholds. A layer is dead if a NumPy forward pass of the final weights
over all training points is 0 at every unit. A tanh network with kernels from U(0, 1) that did not learn is saturated:
with Glorot's kernels all of them learn. A replica that is neither has no certain cause and is left out of that column.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.published_rules import DEAD, RULES, SATURATED, VANISHING, Activation, RuleInputs
from pipeline.data.split.files import load_split
from pipeline.diagnosis.causes import alarms
from pipeline.evaluation.files import load_evaluation
from pipeline.history.files import load_history, load_weights
from pipeline.params.params import read

FUNCTIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}
OURS = {DEAD: ("born_dead", "died_in_training"), SATURATED: (SATURATED,), VANISHING: (VANISHING,)}


@dataclass(frozen=True)
class Case:
    """A variant after training.

    has_learned: bool [replica]. truth: the right cause, or "", [replica]. ours: our cause or alarm, or "", [replica].
    """

    inputs: RuleInputs
    has_learned: np.ndarray
    truth: np.ndarray
    ours: np.ndarray


def case(name: str) -> Case:
    """Read a variant's files and derive the right causes."""
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
    has_learned = (table.outcome == "learned").to_numpy()
    is_dead = np.any([(each.after == 0).all(axis=(1, 2)) for each in activations], axis=0)
    is_saturated = activation == "tanh" and recipe.kernel_initializer.class_name == "RandomUniform"
    truth = np.where(has_learned, "", np.where(is_dead, DEAD, SATURATED if is_saturated else ""))
    return Case(RuleInputs(load_history(name), activations), has_learned, truth, _our_alarms(table))


def _our_alarms(table: pd.DataFrame) -> np.ndarray:
    """Return our cause, or of a replica that learned our first alarm."""
    by_cause = alarms(table, read().diagnosis)
    first = np.select([by_cause[cause].to_numpy() for cause in by_cause], list(by_cause), default="")
    return np.where(table.outcome == "learned", first, table.cause)


def main() -> None:
    """Print the table."""
    cases = [case(name) for name in read().variants]
    learned = sum(int(each.has_learned.sum()) for each in cases)
    table = Table("tool", "rule", "names the right cause", "alarms on replicas that learned")
    alarms_by_rule = {key: [rule(each.inputs) for each in cases] for key, rule in RULES.items()}
    alarms_by_rule |= {("ours", cause): [np.isin(each.ours, names) for each in cases] for cause, names in OURS.items()}
    for (tool, cause), is_raised in alarms_by_rule.items():
        pairs = list(zip(is_raised, cases, strict=True))
        total = sum(int((each.truth == cause).sum()) for each in cases)
        right = sum(int((raised & (each.truth == cause)).sum()) for raised, each in pairs)
        wrong = sum(int((raised & (each.truth != "") & (each.truth != cause)).sum()) for raised, each in pairs)
        false_alarms = sum(int((raised & each.has_learned).sum()) for raised, each in pairs)
        named = f"{right} of {total}" if total else f"no such replica; {wrong} named so wrongly"
        table.add_row(tool, cause, named, f"{false_alarms} of {learned}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
