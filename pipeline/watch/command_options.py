"""Read and check the options of `python3 -m pipeline.watch`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.foundations.errors import UserError
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.file import check

if TYPE_CHECKING:
    from pipeline.watch.arguments import Learned

# Replicas for --try without --replicas: the fewest whose interval shows a difference between 0 of N and N of N.
REPLICAS_TO_TRY: Final = 3
DESCRIPTION: Final = (
    "Watch every `fit` of a Python script: print whether it learned and, if not, why. The script does not change."
)
EXAMPLES: Final = """examples:
python3 -m pipeline.watch my_script.py its arguments
python3 -m pipeline.watch --check my_script.py its arguments
python3 -m pipeline.watch --replicas 10 my_script.py its arguments
python3 -m pipeline.watch --try my_script.py its arguments
python3 -m pipeline.watch --json verdict.json --fail my_script.py its arguments
python3 -m pipeline.watch --explain born_dead

exit codes with --fail: 0 learned; 3 not learned; 4 cannot tell; a script that fails keeps its own code
exit codes of --check: 0 no fault; 3 a fault; 4 nothing could be checked; a script that fails keeps its own code
"""


class _Explain(argparse.Action):
    """Prints the page of a cause or notice, and ends the process, as `--help` does."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        from pipeline.watch.explanations import explain  # imported here, because pandas takes a second to import

        print(explain(str(values)))
        parser.exit()


def read_options() -> argparse.Namespace:
    """Return the checked options of the command; those that other commands of this package pass are hidden.

    Raises:
        UserError: the script does not exist, or an option is invalid.
    """
    parser = _parser()
    if len(sys.argv) == 1:
        parser.print_help(sys.stderr)
        sys.exit(2)
    options = parser.parse_args()
    _expect_valid(options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m pipeline.watch",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_ways_to_run(parser)
    _add_results(parser)
    _add_hidden(parser)
    parser.add_argument("script", type=Path, help="your Python script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the script's own arguments")
    return parser


def _add_ways_to_run(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is run, and how often."""
    parser.add_argument(
        "--check",
        action="store_true",
        help="run the script up to its first `fit`, check model, data and steps within seconds, and end: nothing after "
        "that `fit` runs",
    )
    parser.add_argument("--fit", type=int, default=1, metavar="N", help="check the N-th `fit` instead, from 1 (1)")
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
        "--budget", type=float, metavar="MINUTES", help="for --replicas and --try: begin no further run after MINUTES"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="for --replicas and --try: run all again; finished runs are kept for a day while script and data stay "
        "unchanged",
    )
    parser.add_argument(
        "--learned",
        type=_learned,
        metavar="SCORE",
        help="the final score above which a run has learned: 0.9, or another score: '{\"balanced_accuracy\": 0.8}'; "
        "by default halfway from guessing to perfect",
    )
    parser.add_argument(
        "--explain", action=_Explain, metavar="NAME", help="print the page of a cause or notice, and run nothing"
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where results go."""
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("why.html"),
        metavar="FILE",
        help="the file to which --replicas and --try write their report (why.html)",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the results for machines to FILE; -: to standard output, and all that is printed to standard error",
    )
    parser.add_argument(
        "--fail",
        action="store_true",
        help="end with exit code 3 if the worst `fit` did not learn, 4 if nothing can tell whether it learned",
    )


def _add_hidden(parser: argparse.ArgumentParser) -> None:
    """Add the options for the processes that this command starts."""
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--remedy", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--checks", action="store_true", help=argparse.SUPPRESS)


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
    if options.fit < 1:
        raise UserError(f"--fit: {options.fit}: must be at least 1")
    if options.fit != 1 and not options.check and options.into is None:
        raise UserError(f"--fit: {options.fit}: only with --check")
    if options.check and (options.tries or options.replicas is not None):
        raise UserError("--check: cannot be combined with --replicas or --try: checks come before training")
    if options.replicas is not None and options.replicas < 1:
        raise UserError(f"--replicas: {options.replicas}: must be at least 1")
    if options.budget is not None and not options.budget > 0:
        raise UserError(f"--budget: {options.budget:g}: must be above 0")
    if (options.budget is not None or options.fresh) and not options.tries and options.replicas is None:
        raise UserError(f"--{'fresh' if options.fresh else 'budget'}: only with --replicas or --try")
    _expect_writable(options.json, options.script)


def _expect_writable(target: str | None, script: Path) -> None:
    if target is None or target == "-":
        return
    if Path(target).is_dir():
        raise UserError(f"--json: {target or '(empty)'}: is a folder: must be a file, or - for standard output")
    if Path(target).resolve() == script.resolve():
        raise UserError(f"--json: {target}: is the script: must be another file")


def _learned(text: str) -> "Learned":
    try:
        return json.loads(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: must be a number, or a map such as {{'r2': 0.8}}") from None
