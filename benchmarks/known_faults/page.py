"""What docs/causes.md says of the faulty programs, from the last results: its tables, and a figure for each cause."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.known_faults.counts import Counted, Totals
from benchmarks.known_faults.programs import MORE, REPORTED
from benchmarks.known_faults.runs import Try, learned
from benchmarks.known_faults.tries import best, counts_of, helped, named
from benchmarks.published_rules import TOOLS
from pipeline.diagnosis.causes import TABLE

PAGE: Final = Path(__file__).parents[2] / "docs" / "causes.md"
BEGIN: Final = "<!-- faults: made by `python3 -m benchmarks.known_faults --docs` -->\n"
END: Final = "<!-- /faults -->\n"
OF_TOOLS: Final = ("tool", "something found", "cause named right", "repaired twins with an alarm")


def renew(counted: Sequence[Counted], tried: Mapping[str, Sequence[Try]]) -> None:
    """Write the tables anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{rendered(counted, tried)}{END}{after}", encoding="utf-8")


def rendered(counted: Sequence[Counted], tried: Mapping[str, Sequence[Try]]) -> str:
    """Tables in Markdown."""
    parts = [_table(("programs", "failed", "cause named right", "mean over kinds", OF_TOOLS[-1]), _of_sets(counted))]
    with_tools = [each.where("tools") for each in counted]
    if any(each.faulty for each in with_tools):
        numbers = [len(each.faulty) for each in with_tools if each.faulty]
        low, high = min(numbers), max(numbers)
        seeds = f"{low} to {high}" if low < high else str(low)
        parts.append(
            f"\nBeside it, on {len(numbers)} of the programs, {seeds} seeds each, the published rules of four "
            "known tools:\n\n"
        )
        parts.append(_table(OF_TOOLS, rows_of_tools(with_tools)))
    if tried:
        seeds = max(len(each["runs"]) for tries in tried.values() for each in tries)
        count = sum(map(helped, tried.values()))
        parts.append(
            f"\nWhat is suggested was tried on {len(tried)} of the programs, each on up to {seeds} seeds that failed. "
            f"In {count} of them most seeds learned with it: with one remedy, or with more against what was left.\n\n"
        )
        parts.append(_table(("program", "cause", "learned with the best"), _of_programs(counted, tried)))
        parts.append("\nBy cause, each remedy that was added against it:\n\n")
        parts.append(_table(("cause", "learned, of all runs with the remedy"), _of_remedies(tried.values())))
    return "".join(parts)


def rows_of_tools(counted: Sequence[Counted]) -> list[tuple[str, ...]]:
    """A row for each known tool, and one for this; columns as OF_TOOLS."""
    failing = [each for each in counted if each.failing]
    healthy = [each for each in counted if each.healthy]
    rows = []
    for tool in TOOLS:
        found, named = sum(each.found_by(tool) for each in failing), sum(each.named_by(tool) for each in failing)
        alarmed = sum(each.alarmed_by(tool) for each in healthy)
        rows.append((tool, _of(found, failing), _of(named, failing), _of(alarmed, healthy)))
    named, alarmed = sum(bool(each.is_right) for each in failing), sum(bool(each.alarmed) for each in healthy)
    found = sum(2 * sum(run["cause"] is not None for run in each.failing) > len(each.failing) for each in failing)
    return [*rows, ("this", _of(found, failing), _of(named, failing), _of(alarmed, healthy))]


def _of_sets(counted: Sequence[Counted]) -> Iterable[tuple[str, ...]]:
    for name, programs in (("after reports", REPORTED), ("further ones", MORE)):
        of_set = [each for each in counted if each.program in programs]
        totals = Totals.of(of_set)
        seeds = max((len(each.faulty) for each in of_set), default=0)
        yield (
            f"{len(of_set)} {name}, {seeds} seeds each",
            str(totals.programs),
            f"{totals.right} of {totals.programs}",
            f"{100 * totals.mean_over_kinds:.0f}%",
            f"{totals.alarmed_twins} of {totals.healthy_twins}",
        )


def _of_programs(counted: Sequence[Counted], tried: Mapping[str, Sequence[Try]]) -> Iterable[tuple[str, ...]]:
    for each in (each for each in counted if each.program.name in tried):
        found = best(tried[each.program.name])
        if found is None:
            said = "nothing can be done by itself"
        elif not learned(found["runs"]):
            said = "none"
        else:
            said = f"`{named(found)}` {learned(found['runs'])} of {len(found['runs'])}"
        yield f"`{each.program.name}`", f"`{next(iter(each.causes))}`", said


def _of_remedies(tried: Iterable[Sequence[Try]]) -> Iterable[tuple[str, ...]]:
    counts = counts_of(tried)
    for cause in (each.name for each in TABLE if each.name in counts):
        best_first = sorted(counts[cause].items(), key=lambda each: each[1][0] / each[1][1], reverse=True)
        yield f"`{cause}`", ", ".join(f"`{remedy}` {some} of {all_}" for remedy, (some, all_) in best_first)


def _of(count: int, every: Sequence[Counted]) -> str:
    return f"{count} of {len(every)}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
