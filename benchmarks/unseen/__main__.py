"""Train a set of unseen programs under the callback, and print what the diagnosis reports about each.

python3 -m benchmarks.unseen
python3 -m benchmarks.unseen --set first --seeds 1 --only NAME ...

In the folder of a set, `faulty` (with repaired twins) and `good` hold a file for each program; truth.json has the
causes and notices that are right, by faulty program. What crashes, or takes longer than the time limit, counts as
crashed. The first run of a whole set writes its results.json. No later run replaces it, because only then was the set
unseen.
"""

import argparse

from benchmarks.joined import rendered
from benchmarks.unseen.unseen_program import FAULTY, UnseenRun
from benchmarks.unseen.unseen_runs import (
    FOLDER,
    SETS,
    accepted_names,
    load_results,
    program_files,
    run_all,
    save_results,
)

TIME_LIMIT = 900  # seconds for all seeds of a program; the programs are meant to take some seconds a seed


def shown(run: UnseenRun) -> str:
    """Return a line about one training."""
    line = f"{run['form']:8} {run['name']:32} {run['seed']}"
    if "error" in run:
        return f"{line}  CRASHED: {run['error']}"
    is_good = "good" if run["is_good"] else "not good"
    names = ", ".join(filter(None, (run["cause"], *run["notices"]))) or "-"
    return f"{line}  {run['score']:7.3f} ({is_good})  {run['outcome'] or 'no outcome'}  {names}  {run['seconds']:.0f} s"


def main() -> None:
    """Train, print and write."""
    what, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.unseen",
        description=what,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--set", choices=SETS, default=SETS[-1], help=f"the set of programs ({SETS[-1]})")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="seeds 1 to N (default 2)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="train these programs only")
    parser.add_argument(
        "--time-limit", type=float, default=TIME_LIMIT, metavar="S", help=f"seconds for a program ({TIME_LIMIT})"
    )
    arguments = parser.parse_args()
    folder = FOLDER / arguments.set
    programs, accepted = program_files(folder), accepted_names(folder)
    names = {path.stem for path, _ in programs}
    if unknown := set(arguments.only or ()) - names:
        parser.error(f"unknown programs: {', '.join(sorted(unknown))}; known: {', '.join(sorted(names)) or 'none'}")
    if without := {path.stem for path, form in programs if form == FAULTY} - set(accepted):
        parser.error(f"truth.json has no accepted names for {', '.join(sorted(without))}")
    chosen = [each for each in programs if not arguments.only or each[0].stem in arguments.only]
    runs = run_all(
        chosen, range(1, arguments.seeds + 1), arguments.time_limit, lambda run: print(shown(run), flush=True)
    )
    if not arguments.only and not load_results(folder):
        save_results(runs, folder)
    print(f"\n{rendered({arguments.set: runs})}", end="")


if __name__ == "__main__":
    main()
