"""Train known-good programs under the callback, and print what it says against them.

python3 -m benchmarks.known_good
python3 -m benchmarks.known_good --seeds 1 iris census_income
python3 -m benchmarks.known_good --unwatched

Without names, the table is written to results.json too. `--unwatched` checks the programs alone, without the callback.
"""

import argparse

from benchmarks.known_good.programs import PROGRAMS
from benchmarks.known_good.trained import RESULTS, rows, sums, table
from pipeline.foundations.files import save_json


def main() -> None:
    """Train, print and write."""
    what, _, examples = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.known_good",
        description=what,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=2, help="train each program from this many seeds (2)")
    parser.add_argument("--unwatched", action="store_true", help="train without the callback; write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="train these programs only")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PROGRAMS):
        parser.error(f"unknown programs: {', '.join(sorted(unknown))}; known: {', '.join(PROGRAMS)}")
    programs = [PROGRAMS[name] for name in arguments.names or PROGRAMS]
    results = []
    for row in rows(programs, range(arguments.seeds), is_watched=not arguments.unwatched):
        results.append(row)
        print(table([row]), flush=True)
    print("\n" + sums(results))
    if not arguments.names and not arguments.unwatched:
        save_json(results, RESULTS)


if __name__ == "__main__":
    main()
