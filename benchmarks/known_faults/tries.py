"""What the remedies that the diagnosis suggests do to the faulty programs: each from the seeds that failed."""

import json
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.known_faults.counts import Counted
from benchmarks.known_faults.runs import LEARNED, Run
from pipeline.diagnosis.causes import TABLE, network_remedies
from pipeline.diagnosis.measured import FILE

Tries = Mapping[str, Any]  # by remedy: runs, or why it cannot be done


@dataclass(frozen=True)
class Asked:
    """What is tried on a program: the remedies against the cause that most of its failing runs have."""

    name: str
    cause: str
    remedies: Sequence[str]
    seeds: Sequence[int]

    @classmethod
    def of(cls, counted: Counted, seeds: Container[int]) -> "Asked | None":
        """None where no run failed, or no cause was named.

        Args:
            seeds: of these, those that failed are tried.
        """
        causes = [cause for cause in counted.causes if cause in {each.name for each in TABLE}]
        if not causes:
            return None
        failed = [run["seed"] for run in counted.failing if run["seed"] in seeds]
        return cls(counted.program.name, causes[0], network_remedies(causes[0]), failed) if failed else None


def learned(runs: Sequence[Run]) -> int:
    """How many."""
    return sum(run["outcome"] == LEARNED for run in runs)


def helped(tries: Tries) -> bool:
    """Whether one of the remedies made most of the runs learn."""
    return any(isinstance(runs, list) and 2 * learned(runs) > len(runs) for runs in tries.values())


def table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """A line for each program."""
    made = Table(title="Suggested remedies, from the seeds that failed")
    for heading in ("program", "cause", "learned with each remedy", "most learn with one"):
        made.add_column(heading)
    for name, each in found.items():
        said = ", ".join(
            f"{remedy} {learned(runs)} of {len(runs)}" if isinstance(runs, list) else f"{remedy} not possible"
            for remedy, runs in each["tries"].items()
        )
        made.add_row(name, each["cause"], said or "none", "yes" if helped(each["tries"]) else "no")
    return made


def summary(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The total, in words."""
    count = sum(helped(each["tries"]) for each in found.values())
    return f"A suggested remedy made most of the failing seeds learn in {count} of {len(found)} programs."


def counts_of(found: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """Runs that learned, and runs, by cause and remedy."""
    counts: dict[str, dict[str, list[int]]] = {}
    for each in found:
        for remedy, runs in each["tries"].items():
            if isinstance(runs, list):
                count = counts.setdefault(each["cause"], {}).setdefault(remedy, [0, 0])
                count[0] += learned(runs)
                count[1] += len(runs)
    return counts


def write_measured(counts: Mapping[str, Any]) -> None:
    """What the diagnosis orders its suggestions by."""
    beside = FILE.with_suffix(f".{os.getpid()}.json")
    lines = [f'"{cause}": {json.dumps(counts[cause], sort_keys=True)}' for cause in sorted(counts)]
    beside.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", encoding="utf-8")
    beside.replace(FILE)
