"""Watch every `fit` of a Python script: `python3 -m pipeline.watch my_script.py`; `--help` has all options."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from pipeline.foundations.errors import reported_in_one_line
from pipeline.foundations.files import unwinding_on_sigterm
from pipeline.watch.command_options import REPLICAS_TO_TRY, read_options
from pipeline.watch.scripts.with_parent import end_with_parent

if TYPE_CHECKING:
    from pipeline.watch.for_machines.report_output import ReportOutput


def main() -> None:
    """Read the options, and run the script; all arguments after its name are passed to it.

    Raises:
        UserError: the script does not exist, or an option is invalid.
        SystemExit: with --fail, unless the script learned; with --check, always.
    """
    options = read_options()
    if options.into is not None:
        _run_for_another_process(options)
    elif code := _run(options):
        sys.exit(code)


def _run(options: Namespace) -> int:
    """Run what the options ask for, and return the exit code."""
    # Imported here, because Keras takes seconds to import.
    from pipeline.watch.for_machines.report_output import ReportOutput

    output = ReportOutput.open(options.json, options.fail or options.check)
    if options.check:
        from pipeline.watch.checks.check_script import check_script

        check_script(options.script, options.arguments, options.fit, output)
    if options.tries or options.replicas is not None:
        return _run_many(options, output)
    from pipeline.watch.scripts.plain_run import run_once

    return run_once(options.script, options.arguments, options.learned, output)


def _run_many(options: Namespace, output: "ReportOutput") -> int:
    """Run the script many times, as --replicas and --try ask for, and return the exit code."""
    from pipeline.watch.scripts.kept_runs import KeptRuns
    from pipeline.watch.scripts.run_pool import RunPool
    from pipeline.watch.scripts.run_request import RunRequest

    request = RunRequest(options.script, options.arguments, options.learned)
    pool = RunPool(KeptRuns(is_fresh=options.fresh), options.budget)
    if options.tries:
        from pipeline.watch.scripts.tries import run_tries

        return run_tries(request, options.replicas or REPLICAS_TO_TRY, options.report, output, pool)
    from pipeline.watch.scripts.many_runs import run_replicas

    return run_replicas(request, options.replicas, options.report, output, pool)


def _run_for_another_process(options: Namespace) -> None:
    """Run one replica for a command of this package that waits for its record."""
    from pipeline.watch.scripts.run_request import RunRequest
    from pipeline.watch.scripts.script import run_replica

    script = options.script, options.arguments, options.learned
    run_replica(RunRequest(*script, options.remedy, options.fit - 1, options.checks), options.seed, options.into)


if __name__ == "__main__":
    end_with_parent()
    with reported_in_one_line(), unwinding_on_sigterm():
        try:
            main()
        except KeyboardInterrupt as interruption:
            text = str(interruption) or "interrupted: the same command starts again from the beginning"
            print(text, file=sys.stderr)
            sys.exit(130)
