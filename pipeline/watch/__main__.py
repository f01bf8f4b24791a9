"""Watch every `fit` of a Python script: print whether it learned and, if not, why. The script itself does not change.

python3 -m pipeline.watch my_script.py its arguments
python3 -m pipeline.watch --replicas 10 my_script.py its arguments
python3 -m pipeline.watch --try my_script.py its arguments
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import check

if TYPE_CHECKING:
    from pipeline.watch.arguments import Learned

# Replicas for --try without --replicas: the fewest whose interval shows a difference between 0 of N and N of N.
REPLICAS_TO_TRY = 3


def main() -> None:
    """Read the options, and run the script; all arguments after its name are passed to it.

    Raises:
        UserError: the script does not exist, or an option is invalid.
    """
    parser = _parser()
    if len(sys.argv) == 1:
        parser.print_help(sys.stderr)
        sys.exit(2)
    options = parser.parse_args()
    _expect_valid(options)
    script: tuple[Path, list[str], Learned] = options.script, options.arguments, options.learned
    # Imported here, because Keras takes seconds to import.
    if options.into is not None:
        from pipeline.watch.scripts.script import RunRequest, run_replica

        run_replica(RunRequest(*script, options.remedy, options.fit, options.checks), options.seed, options.into)
    elif options.tries:
        from pipeline.watch.scripts.tries import run_tries

        run_tries(*script, options.replicas or REPLICAS_TO_TRY, options.report)
    elif options.replicas is not None:
        from pipeline.watch.scripts.script import run_replicas

        run_replicas(*script, options.replicas, options.report)
    else:
        from pipeline.watch.scripts.script import run_once

        run_once(*script)


def _parser() -> argparse.ArgumentParser:
    description, _, examples = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m pipeline.watch",
        description=description,
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
        help=f"run the script from N seeds ({REPLICAS_TO_TRY} without --replicas), then again with each remedy that "
        "the diagnosis suggests; print which helped, and what to change",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("why.html"),
        metavar="FILE",
        help="the file to which --replicas and --try write their report (why.html)",
    )
    parser.add_argument(
        "--learned",
        type=_learned,
        metavar="SCORE",
        help="the final score above which a run has learned: 0.9, or another score: '{\"balanced_accuracy\": 0.8}'; "
        "by default halfway from guessing to perfect",
    )
    # Options for the processes that this command starts.
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--remedy", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--fit", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--checks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("script", type=Path, help="your Python script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the script's own arguments")
    return parser


def _expect_valid(options: argparse.Namespace) -> None:
    """Check the options.

    Raises:
        UserError: the script does not exist, or an option is invalid.
    """
    if not options.script.is_file():
        raise UserError(f"{options.script}: not found: must be a Python script")
    check({"learned": options.learned}, "", EvaluationParams)
    if options.report.is_dir():
        raise UserError(f"--report: {options.report}: is a folder: must be a file")
    if options.replicas is not None and options.replicas < 1:
        raise UserError(f"--replicas: {options.replicas}: must be at least 1")


def _learned(text: str) -> "Learned":
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
