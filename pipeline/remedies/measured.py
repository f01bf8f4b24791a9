"""What the remedies of networks did against each cause in our own runs, which orders what is suggested.

measured.json is written by `python3 -m benchmarks.known_faults --try`: for each cause, and each remedy that was tried
against it, in how many runs it was tried, and in how many of these the network learned.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).with_name("measured.json")


class Counts(NamedTuple):
    """learned: of so many runs."""

    learned: int
    runs: int

    @property
    def promise(self) -> float:
        """The share that learned, drawn towards a half where runs are few (Laplace's rule of succession)."""
        return (self.learned + 1) / (self.runs + 2)


def counts(cause: str, remedy: str) -> Counts:
    """0 of 0 where it was not tried."""
    return Counts(*_table().get(cause, {}).get(remedy, (0, 0)))


@cache
def _table() -> dict[str, dict[str, list[int]]]:
    return json.loads(FILE.read_text(encoding="utf-8"))
