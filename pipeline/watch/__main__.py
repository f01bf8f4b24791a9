"""Watch every `fit` of a Python script: print whether it learned and, if not, why. Nothing in the script changes.

python3 -m pipeline.watch my_script.py its arguments
python3 -m pipeline.watch --replicas 10 my_script.py its arguments
python3 -m pipeline.watch --try my_script.py its arguments
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import check

TRIED_BY = 3  # replicas of each remedy, where nobody says: as many as show one that makes all learn where none did


def main() -> None:
    """Read the arguments; what stands behind the script is its own.

    Raises:
        UserError: there is no such script, or an argument is none.
    """
    what, _, examples = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m pipeline.watch",
        description=what,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--replicas", type=int, metavar="N", help="run the script from N seeds; print how many runs learned"
    )
    parser.add_argument(
        "--try",
        action="store_true",
        dest="tries",
        help=f"run it from N seeds ({TRIED_BY} without --replicas), then again with each remedy that the diagnosis "
        "suggests; print which helped, and what to change",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("why.html"),
        metavar="FILE",
        help="where --replicas and --try write their page (why.html)",
    )
    parser.add_argument(
        "--learned",
        type=_learned,
        metavar="SCORE",
        help="the final score above which a run has learned: 0.9, or another score: '{\"balanced_accuracy\": 0.8}'; "
        "halfway from guessing to perfect by default",
    )
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--remedy", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--fit", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--checks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("script", type=Path, help="your Python script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the script's own arguments")
    if len(sys.argv) == 1:
        parser.print_help(sys.stderr)
        sys.exit(2)
    chosen = parser.parse_args()
    if not chosen.script.is_file():
        raise UserError(f"{chosen.script}: not found: must be a Python script")
    check({"learned": chosen.learned}, "", EvaluationParams)
    if chosen.report.is_dir():
        raise UserError(f"--report: {chosen.report}: is a folder: must be a file")
    if chosen.replicas is not None and chosen.replicas < 1:
        raise UserError(f"--replicas: {chosen.replicas}: must be at least 1")
    from pipeline.watch import script  # here, for Keras takes seconds to import

    if chosen.into is not None:
        of_remedies = chosen.remedy, chosen.fit, chosen.checks
        asked = script.Asked(chosen.script, chosen.arguments, chosen.learned, *of_remedies)
        script.run_replica(asked, chosen.seed, chosen.into)
    elif chosen.tries:
        from pipeline.watch.tries import run_tries

        run_tries(chosen.script, chosen.arguments, chosen.learned, chosen.replicas or TRIED_BY, chosen.report)
    elif chosen.replicas is None:
        script.run_once(chosen.script, chosen.arguments, chosen.learned)
    else:
        script.run_replicas(chosen.script, chosen.arguments, chosen.learned, chosen.replicas, chosen.report)


def _learned(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: must be a number, or a map such as {{'r2': 0.8}}") from None


if __name__ == "__main__":
    with reported_in_one_line():
        try:
            main()
        except KeyboardInterrupt:
            print("interrupted: the same command starts again from the beginning", file=sys.stderr)
            sys.exit(130)
