"""Test the diagnosis on faulty programs and their repaired twins: `python3 -m benchmarks.known_faults`.

Every program and its twin are trained from seeds 1 to 5 under `Diagnosis`. A program's cause counts as right if most of
its failing runs have a cause that is true of it. A program without a failing run does not count. An alarm is a symptom
in a run of the twin that learned.

    --unwatched   check the programs without the callback: which runs fail, and which twins learn
    --try         try the suggested remedies on the failing seeds of the last diagnosis; from then on the diagnosis
                  orders its suggestions by these results
    --docs        write the last results to docs/causes.md, and draw its figures from the records on this machine
    --thresholds  print how much the last results depend on the thresholds

Counts and evidence are written beside this file and are in git; full records go to benchmarks/known_faults/records/,
which git ignores.

The programs are re-expressions of reported ones with substitute data. So their counts do not compare with published
counts on the original programs: of 52, DEFault named the cause of 33, DeepFD of 27, UMLAUT of 14, AutoTrainer of 10 and
DeepLocalize of 7 (ICSE 2025).
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final, TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks.known_faults.counts import FaultCounts, Totals
from benchmarks.known_faults.figures import draw_all
from benchmarks.known_faults.files import (
    RECORDS,
    load_counts,
    load_evidence,
    load_records,
    load_tries,
    save_runs,
    save_tries,
)
from benchmarks.known_faults.page import BEGIN, END, PAGE, TOOL_HEADINGS, rendered, tool_rows
from benchmarks.known_faults.programs import ALL, MORE, REPORTED
from benchmarks.known_faults.runs import runs_of, try_remedies, unwatched_scores
from benchmarks.known_faults.thresholds import tables
from benchmarks.known_faults.tries import cause_and_seeds, remedy_counts, save_remedy_counts
from benchmarks.known_faults.tries import summary as tries_summary
from benchmarks.known_faults.tries import table as tries_table
from benchmarks.markdown import renew
from benchmarks.processes import ONE_THREAD, PROCESSES

NOT_THE_SAME_SET: Final = (
    "The programs are re-expressions with substitute data: do not compare these counts with published ones (cause "
    "named of 52 programs: DEFault 33, DeepFD 27, UMLAUT 14, AutoTrainer 10, DeepLocalize 7; ICSE 2025)."
)
Result = TypeVar("Result")


def in_processes(
    function: Callable[..., Result], calls: Mapping[str, tuple[object, ...]], save: Callable[[str, Result], None]
) -> dict[str, Result]:
    """Call the function once for each program, each in a process of its own, which frees its memory.

    Args:
        calls: by program, the arguments after its name.
        save: called with a program's name and result as soon as it is there.
    """
    os.environ.update(ONE_THREAD)  # the processes inherit it
    context = multiprocessing.get_context("spawn")
    results: dict[str, Result] = {}
    with ProcessPoolExecutor(PROCESSES, mp_context=context, max_tasks_per_child=1) as pool:
        names = {pool.submit(function, name, *arguments): name for name, arguments in calls.items()}
        for future in as_completed(names):
            name = names[future]
            results[name] = future.result()
            save(name, results[name])
            print(f"{len(results)} of {len(calls)}: {name}", flush=True)
    return results


def tally(counts: Mapping[str, int]) -> str:
    """Return counts in one string: "symmetric 4, unexplained 1"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def counts_table(title: str, counts: Iterable[FaultCounts]) -> Table:
    """Return a table with a row for each program."""
    table = Table(title=title)
    headings = ("program", "kind", "failed", "causes", "truth (also right)", "right", "twin learned", "alarms on it")
    for heading in headings:
        table.add_column(heading)
    for each in counts:
        program = each.program
        also = f" ({', '.join(program.also)})" if program.also else ""
        table.add_row(
            program.name,
            program.kind,
            f"{each.failing} of {each.faulty}",
            tally(each.causes),
            ", ".join(program.truth) + also,
            "-" if each.is_right is None else f"{'yes' if each.is_right else 'no'}, {each.named_right}",
            f"{each.healthy} of {each.twins}",
            tally(each.alarms),
        )
    return table


def tools_table(counts: Sequence[FaultCounts]) -> Table:
    """Return a table with a row for each known tool, and one for this project."""
    table = Table(*TOOL_HEADINGS, title="Published rules of known tools on the same runs")
    for row in tool_rows(counts):
        table.add_row(*row)
    return table


def summary(counts: Sequence[FaultCounts]) -> str:
    """Return the totals in sentences."""
    totals = Totals.of(counts)
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in totals.by_kind.items())
    uncounted = ", ".join(each.program.name for each in counts if each.is_right is None)
    lines = [
        f"Cause named right: {totals.right} of {totals.programs} programs; mean over kinds of fault "
        f"{totals.mean_over_kinds:.0%} ({kinds}).",
        f"Healthy twins with an alarm: {totals.alarmed_twins} of {totals.healthy_twins}; of their runs, "
        f"{totals.alarmed_runs} of {totals.healthy_runs}.",
    ]
    if uncounted:
        lines.append(f"Not counted, because no run failed: {uncounted}.")
    return "\n".join(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.known_faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=ALL, help="programs; the others keep their results"
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N (default 5)")
    parser.add_argument("--try", action="store_true", dest="tries", help="try the suggested remedies")
    parser.add_argument("--unwatched", action="store_true", help="check the programs, without the callback")
    parser.add_argument("--docs", action="store_true", help="renew tables and figures of docs/causes.md")
    parser.add_argument("--thresholds", action="store_true", help="move the thresholds; trains nothing")
    arguments = parser.parse_args()
    names = arguments.only or list(ALL)
    seeds = range(1, arguments.seeds + 1)
    console = Console(width=None if os.isatty(1) else 200)
    start = time.perf_counter()
    if arguments.docs:
        renew_docs(console)
    elif arguments.thresholds:
        evidence = load_evidence()
        console.print(*tables(evidence[evidence.program.isin(names)]), sep="\n")
    elif arguments.unwatched:
        in_processes(unwatched_scores, {name: (seeds,) for name in names}, print_scores)
    elif arguments.tries:
        try_suggestions(names, seeds, console)
    else:
        diagnose(names, seeds, console)
    console.print(f"{NOT_THE_SAME_SET}\n{time.perf_counter() - start:.0f} s.", highlight=False)


def print_scores(name: str, scores: tuple[Sequence[float], Sequence[float]]) -> None:
    """Print the scores of a program and its twin, and how many runs are as they should be."""
    faulty, repaired = scores
    ((yardstick, threshold),) = ALL[name].learned.items()
    failing = sum(score <= threshold for score in faulty)
    learned = sum(score > threshold for score in repaired)
    shown = [", ".join(f"{score:.3f}" for score in each) for each in scores]
    print(
        f"{name}: learned is {yardstick} > {threshold:g}; faulty {shown[0]}: {failing} of {len(faulty)} fail; "
        f"repaired {shown[1]}: {learned} of {len(repaired)} learn"
    )


def renew_docs(console: Console) -> None:
    """Write the tables and draw the figures of docs/causes.md."""
    counts = load_counts()
    renew(PAGE, BEGIN, END, rendered(counts, load_tries()))
    drawn = draw_all(counts, {name: load_records(name) for name in ALL})
    figures = f"figures of {', '.join(drawn)}" if drawn else f"no figures: {RECORDS} has no records; run without --docs"
    console.print(f"{PAGE.name}; {figures}", highlight=False)


def diagnose(names: Sequence[str], seeds: Sequence[int], console: Console) -> None:
    """Train and diagnose programs and their twins."""
    in_processes(runs_of, {name: (seeds,) for name in names}, save_runs)
    for title, programs in (("Programs after reports", REPORTED), ("More kinds of fault", MORE)):
        counts = load_counts(program.name for program in programs if program.name in names)
        if counts:
            console.print(counts_table(title, counts))
            console.print(summary(counts), highlight=False)
            console.print(tools_table(counts))


def try_suggestions(names: Sequence[str], seeds: Container[int], console: Console) -> None:
    """Try the suggested remedies on programs that were diagnosed before."""
    calls = {each.program.name: cause_and_seeds(each, seeds) for each in load_counts(names)}
    tries = in_processes(try_remedies, {name: call for name, call in calls.items() if call}, save_tries)
    # Only at the end: the suggestions depend on these counts.
    save_remedy_counts(remedy_counts(load_tries().values()))
    console.print(tries_table(tries))
    console.print(tries_summary(tries), highlight=False)


if __name__ == "__main__":
    main()
