"""How often each remedy fixed a failing run in our benchmark, which orders what is suggested.

measured.json is written by `python3 -m benchmarks.known_faults --try`: for each cause, and each remedy that was tried
against it, in how many runs the network then learned, and in how many the remedy was tried.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).with_name("measured.json")


class Counts(NamedTuple):
    """learned: in how many of the runs the network learned."""

    learned: int
    runs: int

    @property
    def promise(self) -> float:
        """The share that learned, drawn towards a half where runs are few (Laplace's rule of succession)."""
        return (self.learned + 1) / (self.runs + 2)


def counts(cause: str, remedy: str) -> Counts:
    """Return the counts of a remedy against a cause; 0 of 0 where it was not tried."""
    return Counts(*_table().get(cause, {}).get(remedy, (0, 0)))


def best_first(cause: str, remedies: Iterable[str]) -> list[str]:
    """Return the remedies in the order of what they did against a cause; of equals the first stays first."""
    return sorted(remedies, key=lambda remedy: counts(cause, remedy).promise, reverse=True)


@cache
def _table() -> dict[str, dict[str, list[int]]]:
    table: dict[str, dict[str, list[int]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return table
