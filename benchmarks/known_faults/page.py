"""The generated part of docs/causes.md: tables of the last results on the faulty programs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.known_faults.counts import FaultCounts, Totals
from benchmarks.known_faults.programs import MORE, REPORTED
from benchmarks.known_faults.runs import TriedRemedies
from benchmarks.known_faults.tries import best, has_helped, remedy_counts, remedy_names
from benchmarks.markdown import table
from benchmarks.published_rules import TOOLS
from pipeline.diagnosis.causes import TABLE

PAGE: Final = Path(__file__).parents[2] / "docs" / "causes.md"
BEGIN: Final = "<!-- faults: made by `python3 -m benchmarks.known_faults --docs` -->\n"
END: Final = "<!-- /faults -->\n"
TOOL_HEADINGS: Final = ("tool", "reports a symptom", "names a right cause", "repaired twins with an alarm")


def rendered(counts: Sequence[FaultCounts], tries_by_program: Mapping[str, Sequence[TriedRemedies]]) -> str:
    """Return the tables in Markdown."""
    headings = ("programs", "failed", "cause named right", "mean over kinds of fault", TOOL_HEADINGS[-1])
    parts = [
        table(headings, _set_rows(counts)),
        "\nThe published rules of four known tools on the same runs:\n\n",
        table(TOOL_HEADINGS, tool_rows(counts)),
    ]
    if tries_by_program:
        seeds = max(each.runs for tries in tries_by_program.values() for each in tries)
        helped = sum(map(has_helped, tries_by_program.values()))
        parts += [
            f"\nThe suggested remedies were tried on {len(tries_by_program)} of the programs, each on up to {seeds} "
            f"failing seeds. In {helped} programs most seeds learned, with one remedy or up to three combined.\n\n",
            table(("program", "cause", "learned with the best"), _program_rows(counts, tries_by_program)),
            "\nBy cause, each remedy that was added against it:\n\n",
            table(("cause", "runs that learned, of all runs with the remedy"), _remedy_rows(tries_by_program.values())),
        ]
    return "".join(parts)


def tool_rows(counts: Sequence[FaultCounts]) -> list[tuple[str, ...]]:
    """Return a row for each known tool, and one for this project; columns as TOOL_HEADINGS."""
    failing = [each for each in counts if each.failing]
    healthy = [each for each in counts if each.healthy]
    rows = [
        (
            tool,
            _of(sum(each.is_found_by(tool) for each in failing), failing),
            _of(sum(each.is_named_by(tool) for each in failing), failing),
            _of(sum(each.is_alarmed_by(tool) for each in healthy), healthy),
        )
        for tool in TOOLS
    ]
    named = _of(sum(each.is_named for each in failing), failing)
    right = _of(sum(bool(each.is_right) for each in failing), failing)
    return [*rows, ("this project", named, right, _of(sum(each.alarmed > 0 for each in healthy), healthy))]


def _set_rows(counts: Sequence[FaultCounts]) -> Iterable[tuple[str, ...]]:
    for name, programs in (("after reports", REPORTED), ("more", MORE)):
        of_set = [each for each in counts if each.program in programs]
        totals = Totals.of(of_set)
        seeds = max((each.faulty for each in of_set), default=0)
        yield (
            f"{len(of_set)} {name}, {seeds} seeds each",
            str(totals.programs),
            f"{totals.right} of {totals.programs}",
            f"{100 * totals.mean_over_kinds:.0f}%",
            f"{totals.alarmed_twins} of {totals.healthy_twins}",
        )


def _program_rows(
    counts: Sequence[FaultCounts], tries_by_program: Mapping[str, Sequence[TriedRemedies]]
) -> Iterable[tuple[str, ...]]:
    for each in (each for each in counts if each.program.name in tries_by_program):
        best_try = best(tries_by_program[each.program.name])
        if best_try is None:
            result = "no remedy can be applied automatically"
        elif not best_try.learned:
            result = "none"
        else:
            result = f"`{remedy_names(best_try)}` {best_try.learned} of {best_try.runs}"
        yield f"`{each.program.name}`", f"`{next(iter(each.causes))}`", result


def _remedy_rows(tries: Iterable[Sequence[TriedRemedies]]) -> Iterable[tuple[str, ...]]:
    counts = remedy_counts(tries)
    for cause in (each.name for each in TABLE if each.name in counts):
        best_first = sorted(counts[cause].items(), key=lambda item: item[1][0] / item[1][1], reverse=True)
        yield f"`{cause}`", ", ".join(f"`{remedy}` {learned} of {runs}" for remedy, (learned, runs) in best_first)


def _of(count: int, programs: Sequence[FaultCounts]) -> str:
    return f"{count} of {len(programs)}"
