"""Look up how often each remedy fixed a failing run in our benchmark, and sort suggested remedies by that share.

`python3 -m benchmarks.known_faults --try` writes measured.json. For each cause and each remedy tried against it, the
file has two numbers: the runs in which the network learned with the remedy, and all runs with the remedy.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).with_name("measured.json")


class Counts(NamedTuple):
    """The results of a remedy against a cause.

    learned: the number of runs in which the network learned with the remedy.
    runs: the number of runs in which the remedy was tried.
    """

    learned: int
    runs: int

    @property
    def promise(self) -> float:
        """The estimated share of runs that learn, by Laplace's rule of succession: near a half if runs are few."""
        return (self.learned + 1) / (self.runs + 2)


def counts(cause: str, remedy: str) -> Counts:
    """Return the counts of a remedy against a cause; both are 0 if it was not tried."""
    return Counts(*_table().get(cause, {}).get(remedy, (0, 0)))


def best_first(cause: str, remedies: Iterable[str]) -> list[str]:
    """Return remedies sorted by `promise` against a cause, the most promising first; equals keep their order."""
    return sorted(remedies, key=lambda remedy: counts(cause, remedy).promise, reverse=True)


@cache
def _table() -> dict[str, dict[str, list[int]]]:
    table: dict[str, dict[str, list[int]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return table
