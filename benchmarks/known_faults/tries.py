"""What the remedies that the diagnosis suggests do to the faulty programs: each from the seeds that failed."""

import json
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.known_faults.counts import Counted
from benchmarks.known_faults.runs import Try, learned
from pipeline.diagnosis.causes import TABLE
from pipeline.remedies import combined
from pipeline.remedies.measured import FILE


@dataclass(frozen=True)
class Asked:
    """What is tried on a program: the remedies against the cause that most of its failing runs have."""

    name: str
    cause: str
    seeds: Sequence[int]

    @classmethod
    def of(cls, counted: Counted, seeds: Container[int]) -> "Asked | None":
        """None where no run failed, or no cause was named.

        Args:
            seeds: of these, those that failed are tried.
        """
        causes = [cause for cause in counted.causes if cause in {each.name for each in TABLE}]
        failed = [run["seed"] for run in counted.failing if run["seed"] in seeds]
        return cls(counted.program.name, causes[0], failed) if causes and failed else None


def best(tries: Iterable[Try]) -> Try | None:
    """With which most runs learned, the first of equals; None where nothing could be done."""
    return max((each for each in tries if each["runs"]), key=lambda each: learned(each["runs"]), default=None)


def helped(tries: Iterable[Try]) -> bool:
    """Whether most of the runs learned with one of them."""
    found = best(tries)
    return found is not None and 2 * learned(found["runs"]) > len(found["runs"])


def named(each: Try) -> str:
    """Its remedies."""
    return combined.AND.join(each["remedies"])


def table(found: Mapping[str, Sequence[Try]]) -> Table:
    """A line for each program."""
    made = Table(title="Suggested remedies, from the seeds that failed")
    for heading in ("program", "cause", "learned with", "most learn with one"):
        made.add_column(heading)
    for name, tries in found.items():
        said = ", ".join(
            f"{named(each)} " + (f"{learned(each['runs'])} of {len(each['runs'])}" if each["runs"] else "not possible")
            for each in tries
        )
        made.add_row(name, tries[0]["cause"] if tries else "", said or "none", "yes" if helped(tries) else "no")
    return made


def summary(found: Mapping[str, Sequence[Try]]) -> str:
    """The total, in words."""
    count = sum(map(helped, found.values()))
    return f"What is suggested made most of the failing seeds learn in {count} of {len(found)} programs."


def counts_of(found: Iterable[Sequence[Try]]) -> dict[str, dict[str, list[int]]]:
    """Runs that learned, and runs, by cause and the remedy that was added against it."""
    counts: dict[str, dict[str, list[int]]] = {}
    for each in (each for tries in found for each in tries if each["runs"]):
        count = counts.setdefault(each["cause"], {}).setdefault(each["remedies"][-1], [0, 0])
        count[0] += learned(each["runs"])
        count[1] += len(each["runs"])
    return counts


def write_measured(counts: Mapping[str, Any]) -> None:
    """What the diagnosis orders its suggestions by."""
    beside = FILE.with_suffix(f".{os.getpid()}.json")
    lines = [f'"{cause}": {json.dumps(counts[cause], sort_keys=True)}' for cause in sorted(counts)]
    beside.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", encoding="utf-8")
    beside.replace(FILE)
