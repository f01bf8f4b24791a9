"""Print one table of how often the diagnosis is right, from the last results of all three benchmarks; train nothing.

python3 -m benchmarks.joined
python3 -m benchmarks.joined --docs

A faulty program is *right* if most of its runs name an accepted cause or, where the model learned, an accepted first
notice. If it is not right and at least half of its runs name a fault, it is *misleading*; else the diagnosis abstained.
In-sample programs (`known_faults`, `known_good`) were there when the rules were built. The authors of out-of-sample
programs (`unseen`) saw no rule, and each set was scored once, by the rules of its day; afterwards the rules were mended
after its misses. `--docs` writes the tables to docs/known_faults.md too.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from benchmarks.accuracy import ABSTAINED, CRASHED, MISLEADING, RIGHT, ScoredFault, ScoredGood, count_words
from benchmarks.known_faults.files import load_counts
from benchmarks.known_good.trained import RESULTS
from benchmarks.markdown import renew, table
from benchmarks.reports import Report
from benchmarks.unseen.unseen_program import FAULTY, GOOD, REPAIRED, UnseenRun
from benchmarks.unseen.unseen_runs import FOLDER, SETS, accepted_names, load_results
from pipeline.evaluation.intervals import wilson
from pipeline.foundations.files import load_json

PAGE: Final = Path(__file__).parents[1] / "docs" / "known_faults.md"
BEGIN: Final = "<!-- joined: made by `python3 -m benchmarks.joined --docs` -->\n"
END: Final = "<!-- /joined -->\n"
SHOWN: Final = (RIGHT, MISLEADING, ABSTAINED)
FAULT_COLUMNS: Final = (
    "kind of fault", *(f"in-sample: {word}" for word in SHOWN), *(f"out-of-sample: {word}" for word in SHOWN), CRASHED
)  # fmt: skip
SET_COLUMNS: Final = ("faulty programs", "programs", *SHOWN, CRASHED)
GOOD_COLUMNS: Final = (
    "programs without a fault", "programs", "named faulty", "with a false notice", "called not learned, cause unknown",
    "without an outcome", "crashed",
)  # fmt: skip
AnyRun = TypeVar("AnyRun", bound=Mapping[str, Any])


def in_sample_faults() -> list[ScoredFault]:
    """Return the faulty programs of `known_faults` of which a run failed."""
    return [
        ScoredFault(each.program.name, (*each.program.truth, *each.program.also), each.names)
        for each in load_counts()
        if each.failing
    ]


def unseen_faults(runs: Iterable[UnseenRun], accepted: Mapping[str, Sequence[str]]) -> list[ScoredFault]:
    """Return the unseen faulty programs; all their runs count."""
    return [
        ScoredFault(
            name,
            accepted[name],
            Counter(_report(run).name for run in group if "error" not in run),
            sum("error" in run for run in group),
        )
        for name, group in _by_name(run for run in runs if run["form"] == FAULTY).items()
    ]


def good_programs(
    runs: Iterable[Mapping[str, Any]], accepted: Mapping[str, Sequence[str]] | None = None
) -> list[ScoredGood]:
    """Return programs without a fault; of their runs, the ones that are good by the program's own yardstick count."""
    return [
        ScoredGood(
            name,
            [_report(run) for run in group if run.get("is_good")],
            frozenset((accepted or {}).get(name, ())),
            sum("error" in run for run in group),
            all("notices" in run for run in group if run.get("is_good")),
        )
        for name, group in _by_name(runs).items()
    ]


def in_sample_twins() -> list[ScoredGood]:
    """Return the repaired twins of `known_faults` that learned, from runs that recorded what was reported."""
    return [
        ScoredGood(each.program.name, [Report(*report) for report in each.twin_reports])
        for each in load_counts()
        if each.twin_reports
    ]


def fault_rows(seen: Sequence[ScoredFault], unseen: Sequence[ScoredFault]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of fault, and the totals with 95% intervals; columns as FAULT_COLUMNS."""
    for kind in sorted({each.kind for each in (*seen, *unseen)}):
        groups = [[each for each in programs if each.kind == kind] for programs in (seen, unseen)]
        yield f"`{kind}`", *_word_cells(groups, _share)
    yield "**all**", *_word_cells([seen, unseen], share_with_interval)


def set_rows(sets: Mapping[str, Sequence[ScoredFault]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each set of faulty programs, with 95% intervals; columns as SET_COLUMNS."""
    for name, programs in sets.items():
        counts = count_words(programs)
        shares = (share_with_interval(counts[word], len(programs)) for word in SHOWN)
        yield name, str(len(programs)), *shares, str(counts[CRASHED])


def good_rows(sets: Mapping[str, Sequence[ScoredGood]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each set of programs, with 95% intervals; columns as GOOD_COLUMNS.

    A program counts in a column if one of its runs does.
    """
    for name, programs in sets.items():
        counted = [each for each in programs if each.reports]
        with_notices = [each for each in counted if each.has_notices]
        yield (
            name,
            str(len(counted)),
            _share_of(counted, "is_named_faulty"),
            _share_of(with_notices, "has_false_notice"),
            _share_of(counted, "is_called_not_learned"),
            _share_of(counted, "lacks_outcome"),
            str(sum(each.crashes > 0 for each in programs)),
        )


def _share_of(programs: Sequence[ScoredGood], finding: str) -> str:
    return share_with_interval(sum(getattr(each, finding) for each in programs), len(programs))


def _word_cells(groups: Sequence[Sequence[ScoredFault]], show: Callable[[int, int], str]) -> Iterator[str]:
    counts = [count_words(group) for group in groups]
    for group, count in zip(groups, counts, strict=True):
        yield from (show(count[word], len(group)) for word in SHOWN)
    yield str(counts[-1][CRASHED])


def _share(count: int, total: int) -> str:
    return f"{count} of {total}" if total else "-"


def share_with_interval(count: int, total: int) -> str:
    """Return a share with Wilson's 95% interval: "3 of 4 (30% to 95%)"."""
    if not total:
        return "-"
    interval = wilson(count, total)
    return f"{count} of {total} ({interval.low:.0%} to {interval.high:.0%})"


def _report(run: Mapping[str, Any]) -> Report:
    return Report(run["outcome"], run["cause"], tuple(run.get("notices", ())))


def _by_name(runs: Iterable[AnyRun]) -> dict[str, list[AnyRun]]:
    groups: dict[str, list[AnyRun]] = {}
    for run in runs:
        groups.setdefault(run["name"], []).append(run)
    return groups


def rendered(runs: Mapping[str, Sequence[UnseenRun]] = MappingProxyType({})) -> str:
    """Return the tables in Markdown.

    Args:
        runs: runs by the name of their unseen set, instead of those by which the set was scored.
    """
    known_good = load_json(RESULTS) if RESULTS.exists() else []
    seen, unseen = in_sample_faults(), dict[str, list[ScoredFault]]()
    good = {
        "in-sample: known-good programs": good_programs(known_good),
        "in-sample: repaired twins": in_sample_twins(),
    }
    for name in SETS:
        folder = FOLDER / name
        accepted, of_set = accepted_names(folder), runs.get(name) or load_results(folder)
        unseen[f"out-of-sample: {name} set"] = unseen_faults(of_set, accepted)
        good[f"out-of-sample: {name} set, good programs"] = good_programs(_of_form(of_set, GOOD), accepted)
        good[f"out-of-sample: {name} set, repaired twins"] = good_programs(_of_form(of_set, REPAIRED))
    return "\n".join(
        (
            table(SET_COLUMNS, set_rows({"in-sample: `known_faults`": seen, **unseen})),
            table(GOOD_COLUMNS, good_rows(good)),
            table(FAULT_COLUMNS, fault_rows(seen, list(chain.from_iterable(unseen.values())))),
        )
    )


def _of_form(runs: Iterable[UnseenRun], form: str) -> list[UnseenRun]:
    return [run for run in runs if run["form"] == form]


def main() -> None:
    """Run the command."""
    what, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.joined",
        description=what,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--docs", action="store_true", help=f"write the tables to docs/{PAGE.name} too")
    tables = rendered()
    if parser.parse_args().docs:
        renew(PAGE, BEGIN, END, tables)
    print(tables, end="")


if __name__ == "__main__":
    main()
