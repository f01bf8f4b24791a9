"""What the diagnosis says of faulty programs and of their repaired twins: `python3 -m benchmarks.known_faults`.

Every program and its twin are trained from seeds 1 to 5, watched by `Diagnosis`. A program's cause is named right if
most of its failing runs have a cause that is true of it. A program without a failing run counts nowhere. An alarm is a
symptom in a twin's run that learned. With `--try` the remedies that the diagnosis suggests are tried on the programs as
they were diagnosed last, each from the seeds that failed; the counts order what the diagnosis suggests from then on.
With `--docs` the last results are written and drawn for docs/causes.md; with `--thresholds` the thresholds are moved.

The programs are re-expressions of reported ones, with substitute data. So a count of them is not one of the same set as
published counts: of 52 programs, DEFault named the cause of 33, DeepFD of 27, UMLAUT of 14, AutoTrainer of 10 and
DeepLocalize of 7 (ICSE 2025).
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.known_faults.counts import Counted, Totals
from benchmarks.known_faults.figures import draw_all
from benchmarks.known_faults.page import OF_TOOLS, PAGE, renew, rows_of_tools
from benchmarks.known_faults.programs import ALL, MORE, REPORTED
from benchmarks.known_faults.runs import Run, runs_of, tries_of
from benchmarks.known_faults.thresholds import tables
from benchmarks.known_faults.tries import Asked, counts_of, write_measured
from benchmarks.known_faults.tries import summary as summary_of_tries
from benchmarks.known_faults.tries import table as table_of_tries

RESULTS = Path(__file__).with_name("results.json")
AT_A_TIME = 2
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
SAME_SET = (
    "The programs are re-expressions with substitute data: counts beside published ones (cause named of 52 programs: "
    "DEFault 33, DeepFD 27, UMLAUT 14, AutoTrainer 10, DeepLocalize 7; ICSE 2025) are not of the same set."
)


def in_processes(
    what: Callable[..., Any], calls: dict[str, tuple[Any, ...]], keep: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """What is returned for each program, in processes of their own, which free their memory.

    Args:
        keep: called with all that is known after each program.
    """
    os.environ.update(ONE_THREAD)  # for the processes to come
    context = multiprocessing.get_context("spawn")
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(AT_A_TIME, mp_context=context, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(what, name, *arguments): name for name, arguments in calls.items()}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            keep(found)
            print(f"{len(found)} of {len(calls)}: {waiting[done]}", flush=True)
    return found


def write(runs: dict[str, list[Run]], tries: dict[str, Any]) -> None:
    """All at once, or not at all."""
    beside = RESULTS.with_suffix(f".{os.getpid()}.json")
    content = {"about": SAME_SET, "runs": runs, "tries": tries}
    beside.write_text(json.dumps(content, sort_keys=True, separators=(",\n", ":")) + "\n")
    beside.replace(RESULTS)


def kept(what: str) -> dict[str, Any]:
    """Of the last time, of programs that are still there."""
    if not RESULTS.exists():
        return {}
    return {name: each for name, each in json.loads(RESULTS.read_text()).get(what, {}).items() if name in ALL}


def last(names: Iterable[str]) -> list[Counted]:
    """What came of these programs the last time."""
    runs = kept("runs")
    return [Counted.of(ALL[name], runs[name]) for name in names if name in runs]


def tallied(counts: dict[str, int]) -> str:
    """ "symmetric 4, stuck 1"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def table(title: str, counted: Iterable[Counted]) -> Table:
    """A line for each program."""
    made = Table(title=title)
    for heading in ("program", "kind", "failed", "causes", "truth (also)", "right", "twin learned", "alarms on it"):
        made.add_column(heading)
    for each in counted:
        program = each.program
        also = f" ({', '.join(program.also)})" if program.also else ""
        verdict = "-" if each.is_right is None else f"{'yes' if each.is_right else 'no'}, {each.right}"
        made.add_row(
            program.name,
            program.kind,
            f"{len(each.failing)} of {len(each.faulty)}",
            tallied(each.causes),
            ", ".join(program.truth) + also,
            verdict,
            f"{len(each.healthy)} of {len(each.twins)}",
            tallied(each.alarms),
        )
    return made


def table_of_tools(counted: Sequence[Counted]) -> Table:
    """A line for each known tool, and one for this."""
    made = Table(*OF_TOOLS, title="Published rules of known tools on the same runs")
    for row in rows_of_tools(counted):
        made.add_row(*row)
    return made


def summary(counted: Sequence[Counted]) -> str:
    """The totals, in words."""
    totals = Totals.of(counted)
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in totals.by_kind.items())
    apart = ", ".join(each.program.name for each in counted if each.is_right is None)
    lines = [
        f"Cause named right: {totals.right} of {totals.programs} programs; mean over kinds "
        f"{totals.mean_over_kinds:.0%} ({kinds}).",
        f"Healthy twins with an alarm: {totals.alarmed_twins} of {totals.healthy_twins}; of their runs, "
        f"{totals.alarmed_runs} of {totals.healthy_runs}.",
    ]
    if apart:
        lines.append(f"No run failed, so not counted: {apart}.")
    return "\n".join(lines)


def main() -> None:
    """Train, write the results, and print the tables."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.known_faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=ALL, help="programs; what is known of others stays"
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N (default 5)")
    parser.add_argument("--try", action="store_true", dest="tries", help="the suggested remedies")
    parser.add_argument("--docs", action="store_true", help="renew tables and figures of docs/causes.md")
    parser.add_argument("--thresholds", action="store_true", help="how much the last results owe to them")
    asked = parser.parse_args()
    names = asked.only or list(ALL)
    console = Console(width=None if os.isatty(1) else 200)
    began = time.perf_counter()
    if asked.docs:
        renew(last(ALL), kept("tries"))
        console.print(f"{PAGE.name}; figures of {', '.join(draw_all(last(ALL)))}", highlight=False)
    elif asked.thresholds:
        console.print(*tables(last(names)), sep="\n")
    elif asked.tries:
        try_remedies(names, range(1, asked.seeds + 1), console)
    else:
        diagnose(names, range(1, asked.seeds + 1), console)
    console.print(f"{SAME_SET}\n{time.perf_counter() - began:.0f} s.", highlight=False)


def diagnose(names: Sequence[str], seeds: Sequence[int], console: Console) -> None:
    """All programs and their twins."""

    def keep(found: dict[str, Any]) -> None:
        write({**kept("runs"), **found}, kept("tries"))

    found = in_processes(runs_of, {name: (seeds,) for name in names}, keep)
    for title, programs in (("Programs after reports", REPORTED), ("More kinds of fault", MORE)):
        counted = [Counted.of(program, found[program.name]) for program in programs if program.name in found]
        if counted:
            console.print(table(title, counted))
            console.print(summary(counted), highlight=False)
            console.print(table_of_tools(counted))


def try_remedies(names: Sequence[str], seeds: Container[int], console: Console) -> None:
    """On programs that were diagnosed before."""
    every = [Asked.of(each, seeds) for each in last(names)]
    to_try = {each.name: each for each in every if each is not None}

    def keep(found: dict[str, Any]) -> None:
        write(kept("runs"), {**kept("tries"), **found})

    calls = {name: (each.cause, each.seeds) for name, each in to_try.items()}
    tries = in_processes(tries_of, calls, keep)
    # At the end, for what is suggested depends on it.
    write_measured(counts_of(kept("tries").values()))
    console.print(table_of_tries(tries))
    console.print(summary_of_tries(tries), highlight=False)


if __name__ == "__main__":
    main()
