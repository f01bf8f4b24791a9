"""The suggested remedies on the faulty programs: what to try, tables of the results, and counts for the diagnosis."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from rich.table import Table

from benchmarks.known_faults.counts import FaultCounts
from benchmarks.known_faults.runs import TriedRemedies
from pipeline.diagnosis.causes import TABLE
from pipeline.foundations.files import save_text
from pipeline.remedies import combined
from pipeline.remedies.measured import FILE

CAUSE_NAMES: Final = {cause.name for cause in TABLE}


def cause_and_seeds(counts: FaultCounts, seeds: Container[int]) -> tuple[str, list[int]] | None:
    """Return the most frequent cause and the failing seeds, of `seeds`; None where either is missing."""
    cause = next((cause for cause in counts.causes if cause in CAUSE_NAMES), None)
    failing = [seed for seed in counts.failing_seeds if seed in seeds]
    return (cause, failing) if cause and failing else None


def best(tries: Iterable[TriedRemedies]) -> TriedRemedies | None:
    """Return the try with which most runs learned, the first of equals; None where no remedy could be applied."""
    return max((each for each in tries if each.runs), key=lambda each: each.learned, default=None)


def has_helped(tries: Iterable[TriedRemedies]) -> bool:
    """Return whether most of the runs learned with one of the tries."""
    best_try = best(tries)
    return best_try is not None and 2 * best_try.learned > best_try.runs


def remedy_names(one_try: TriedRemedies) -> str:
    """Return the names of the remedies in one string."""
    return combined.AND.join(one_try.remedies)


def table(tries_by_program: Mapping[str, Sequence[TriedRemedies]]) -> Table:
    """Return a table with a row for each program."""
    result = Table(title="Suggested remedies, from the failing seeds")
    for heading in ("program", "cause", "learned with", "do most learn with one?"):
        result.add_column(heading)
    for name, tries in tries_by_program.items():
        results = ", ".join(
            f"{remedy_names(each)} " + (f"{each.learned} of {each.runs}" if each.runs else "not possible")
            for each in tries
        )
        cause = tries[0].cause if tries else ""
        result.add_row(name, cause, results or "none", "yes" if has_helped(tries) else "no")
    return result


def summary(tries_by_program: Mapping[str, Sequence[TriedRemedies]]) -> str:
    """Return the total in a sentence."""
    count = sum(map(has_helped, tries_by_program.values()))
    return f"In {count} of {len(tries_by_program)} programs, most failing seeds learned with the suggested remedies."


def remedy_counts(tries_by_program: Iterable[Sequence[TriedRemedies]]) -> dict[str, dict[str, list[int]]]:
    """Return [runs that learned, runs] by cause and by the last remedy, which was added against that cause."""
    counts: dict[str, dict[str, list[int]]] = {}
    for each in (each for tries in tries_by_program for each in tries if each.runs):
        count = counts.setdefault(each.cause, {}).setdefault(each.remedies[-1], [0, 0])
        count[0] += each.learned
        count[1] += each.runs
    return counts


def save_remedy_counts(counts: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    """Write the counts by which the diagnosis orders its suggestions."""
    lines = [f'"{cause}": {json.dumps(counts[cause], sort_keys=True)}' for cause in sorted(counts)]
    save_text("{\n  " + ",\n  ".join(lines) + "\n}\n", FILE)
