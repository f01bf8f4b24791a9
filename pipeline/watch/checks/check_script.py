"""Check a `fit` of a script before it trains: `python3 -m pipeline.watch --check script.py`."""

import inspect
import logging
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import NoReturn

import keras

from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import Unchecked
from pipeline.watch.checks.check_fit import check_fit
from pipeline.watch.checks.machine_checks import fit_of_checks
from pipeline.watch.for_machines.report_output import ReportOutput
from pipeline.watch.scripts.script import run_as_main


def check_script(
    script: Path,
    arguments: Sequence[str],
    fit: int = 1,
    output: ReportOutput | None = None,
    end: Callable[[int], NoReturn] | None = None,
) -> NoReturn:
    """Run the script up to a `fit`, check that `fit`, show the report, and end the process.

    Nothing of the script runs after that `fit`: no `except`, no `finally`, no `atexit`. The process ends with the
    report's exit code.

    Args:
        fit: the number of the `fit`, from 1; earlier ones run as they are.
        output: writes the report for machines, and gives the exit code; None for no report.
        end: ends the process; by default `end_process`.

    Raises:
        UserError: the script has no such `fit`.
        Every error of the script before that `fit`.
    """
    end, output = end or end_process, output or ReportOutput(has_exit_code=True)
    own, count = keras.Model.fit, 0
    signature = inspect.signature(own)

    @wraps(own)
    def fit_or_check(self: keras.Model, *args: Unchecked, **kwargs: Unchecked) -> keras.callbacks.History:
        nonlocal count
        count += 1
        if count < fit:
            return own(self, *args, **kwargs)
        code = 1
        keras.Model.fit = own
        try:
            checks = check_fit(self, signature.bind(self, *args, **kwargs).arguments, fit)
            print(checks, flush=True)
            code = output.end("check", script, arguments, [fit_of_checks(checks)])
        except KeyboardInterrupt:
            code = 130
        except BaseException:  # the script must not catch it, and go on without a trained model
            traceback.print_exc()
        end(code)

    has_own = "fit" in vars(keras.Model)  # Keras defines it in a class above
    keras.Model.fit = fit_or_check
    try:
        run_as_main(script, arguments)
    finally:
        keras.Model.fit = own
        if not has_own:
            del keras.Model.fit
    calls = f"{count} call{'' if count == 1 else 's'} of `fit`"
    raise UserError(f"{script}: {calls}: nothing to check as fit {fit}: must train a Keras model with `fit`")


def end_process(code: int) -> NoReturn:
    """End the process at once, without any further line of the script; child processes end, too."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for child in multiprocessing.active_children():
        child.terminate()
    os._exit(code)
