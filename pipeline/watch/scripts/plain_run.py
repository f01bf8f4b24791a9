"""Run a script once: print a verdict for each `fit`, and write the report for machines."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.watch.arguments import Learned
from pipeline.watch.callback import Diagnosis
from pipeline.watch.for_machines.report_models import FitReport
from pipeline.watch.for_machines.report_output import ReportOutput, error_in_one_line
from pipeline.watch.scripts.script import run


def run_once(script: Path, arguments: Sequence[str], learned: Learned, output: ReportOutput) -> int:
    """Run the script, print a verdict for each `fit`, and return the exit code.

    If the script fails, the report is written if any `fit` was recorded, and has the error.

    Raises:
        SystemExit: unless its code is 0; see `run_as_main`.
    """
    fits: list[FitReport] = []

    def show(diagnosis: Diagnosis) -> None:
        number, verdict = len(fits) + 1, diagnosis.verdict
        name = "no model" if diagnosis.model is None else diagnosis.model.name  # `fit` rejected its arguments
        print(f"\nfit {number}, {name}\n{verdict}\n")
        fits.append(FitReport(number=number, model=name, verdict=verdict.report))

    try:
        run(script, arguments, show, learned)
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            if any(fit.verdict is not None and fit.verdict.epochs is not None for fit in fits):
                output.end("run", script, arguments, fits, error_in_one_line(error.__cause__ or error))
            raise
    return output.end("run", script, arguments, fits)
