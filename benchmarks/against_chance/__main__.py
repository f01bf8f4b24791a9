"""Compare suggested remedies with remedies drawn at random from those that can be applied to the same program.

python3 -m benchmarks.against_chance
python3 -m benchmarks.against_chance --only NAME ...
python3 -m benchmarks.against_chance --docs

Each faulty program of `benchmarks.known_faults` and of `benchmarks.unseen` is trained under the callback. From the
seeds from which it fails, the first suggested remedies are tried one at a time, and as many drawn at random. A program
is fixed if it learns, by its own yardstick, from most of these seeds with one of the remedies. The order of the
suggestions was decided by the programs of `known_faults` and by no other one. `--docs` writes the table to
docs/known_faults.md.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.against_chance.comparison import Comparison, compare
from benchmarks.against_chance.subjects import unseen_paths
from benchmarks.joined import PAGE, share_with_interval
from benchmarks.known_faults.__main__ import in_processes
from benchmarks.known_faults.programs import ALL
from benchmarks.markdown import renew, table
from benchmarks.unseen.unseen_runs import FOLDER, SETS, program_files
from pipeline.evaluation.intervals import newcombe
from pipeline.foundations.files import save_text

RESULTS: Final = Path(__file__).with_name("results.json")  # a line for each program: `Comparison`
BEGIN: Final = "<!-- against_chance: made by `python3 -m benchmarks.against_chance --docs` -->\n"
END: Final = "<!-- /against_chance -->\n"
TRIES: Final = 3
DRAW: Final = 1
SIDES: Final = ("suggested", "random")
COLUMNS: Final = (
    "programs", "compared", "fixed by a suggested remedy", "fixed by a random remedy", "difference in points",
    "suggested runs that learned", "random runs that learned",
)  # fmt: skip


def load_results() -> dict[str, Comparison]:
    """Return the last comparison of each program."""
    lines = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {line["name"]: Comparison(**line) for line in lines}


def save_result(result: Comparison) -> None:
    """Add a program's comparison to the file, or replace it."""
    results = {**load_results(), result.name: result}
    save_text("[\n" + ",\n".join(json.dumps(asdict(results[name])) for name in sorted(results)) + "\n]\n", RESULTS)


def row(title: str, results: Iterable[Comparison]) -> tuple[str, ...]:
    """Return the row of some programs; columns as COLUMNS. A program without a suggestion is left out."""
    compared = [each for each in results if each.suggested]
    if not compared:
        return title, "0", *["-"] * (len(COLUMNS) - 2)
    total = len(compared)
    fixed = [sum(each.fixed_by(getattr(each, side)) for each in compared) for side in SIDES]
    runs = sum(len(each.suggested) * len(each.failing) for each in compared)
    learned = [sum(each.learned_runs(getattr(each, side)) for each in compared) for side in SIDES]
    low, high = newcombe(fixed[0], total, fixed[1], total)
    return (
        title,
        str(total),
        *(share_with_interval(count, total) for count in fixed),
        f"{100 * (fixed[0] - fixed[1]) / total:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})",
        *(share_with_interval(count, runs) for count in learned),
    )


def rows(results: Mapping[str, Comparison]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each set of programs, for all, and for each cause."""
    for name in SETS:
        programs = {path.stem for path, _ in program_files(FOLDER / name)}
        yield row(f"`unseen`, {name} set", [each for each in results.values() if each.name in programs])
    yield row("`known_faults`, which decided the order", [each for each in results.values() if each.name in ALL])
    yield row("**all**", results.values())
    for cause in sorted({each.cause for each in results.values() if each.cause and each.suggested}):
        yield row(f"`{cause}`", [each for each in results.values() if each.cause == cause])


def rendered() -> str:
    """Return the table in Markdown, and a sentence on the programs that could not be compared."""
    results = load_results()
    learns = sum(not each.failing and not each.error for each in results.values())
    silent = sum(bool(each.failing) and not each.suggested for each in results.values())
    errors = sum(each.error is not None for each in results.values())
    return (
        f"{table(COLUMNS, rows(results))}\nOf {len(results)} faulty programs, {learns} did not fail from the seeds "
        f"used, {silent} failed and got no remedy that can be applied automatically, and {errors} could not be "
        "trained.\n"
    )


def main() -> None:
    """Run the command."""
    what, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.against_chance",
        description=what,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names: Sequence[str] = [*unseen_paths(), *ALL]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="compare these programs only")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 1 to N (default 1)")
    parser.add_argument("--tries", type=int, default=TRIES, metavar="K", help=f"remedies of each side ({TRIES})")
    parser.add_argument("--draw", type=int, default=DRAW, metavar="SEED", help=f"seed of the random draw ({DRAW})")
    parser.add_argument("--docs", action="store_true", help=f"write the last results to docs/{PAGE.name}")
    arguments = parser.parse_args()
    if not arguments.docs:
        call = (range(1, arguments.seeds + 1), arguments.tries, arguments.draw)
        in_processes(compare, dict.fromkeys(arguments.only or names, call), lambda name, result: save_result(result))
    else:
        renew(PAGE, BEGIN, END, rendered())
    print(rendered(), end="")


if __name__ == "__main__":
    main()
