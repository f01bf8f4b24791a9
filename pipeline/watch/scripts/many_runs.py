"""Run a script from several seeds: `python3 -m pipeline.watch --replicas N script.py`."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.diagnosis.causes import LEARNED
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.watch.arguments import Learned
from pipeline.watch.for_machines.replicas_report import fit_of_replicas
from pipeline.watch.for_machines.report_output import ReportOutput
from pipeline.watch.scripts.run_pool import RunPool
from pipeline.watch.scripts.run_request import RunRequest, RunResult
from pipeline.watch.scripts.script_replicas import (
    IDENTICAL,
    FitSummary,
    are_all_identical,
    by_number,
    page,
    summary,
)


def run_replicas(request: RunRequest, replicas: int, report: Path, output: ReportOutput, pool: RunPool) -> int:
    """Run the script from several seeds, print the outcome of each `fit`, write the page, and return the exit code.

    Raises:
        UserError: a run failed or trained nothing, or all runs are identical.
    """
    _, summaries = run_unchanged(request, replicas, report, pool)
    save_text(page(request.script.name, summaries), report)
    print(f"report: {report}")
    fits = [fit_of_replicas(each) for each in summaries]
    return output.end("replicas", request.script, request.arguments, fits)


def run_unchanged(
    request: RunRequest, replicas: int, report: Path, pool: RunPool
) -> tuple[list[RunResult], list[FitSummary]]:
    """Run the script without a remedy, and print the outcome of each `fit`.

    Returns:
        The results of the runs, and a summary of each `fit`.

    Raises:
        UserError: a run failed or trained nothing, or all runs are identical; in the last case the page is written.
    """
    (results,) = pool.results([request], replicas, _SoFar(request).note)
    summaries = summaries_of(results, request.script, request.learned)
    for each in summaries:
        print(each.text)
    if pool.is_over_budget and len(results) < replicas:
        print(f"The budget ended after {len(results)} of {replicas} runs.")
    if are_all_identical([each.fits for each in results]):
        save_text(page(request.script.name, summaries), report)
        raise UserError(f"{request.script}: {IDENTICAL}")
    return results, summaries


def summaries_of(results: Sequence[RunResult], script: Path, learned: Learned) -> list[FitSummary]:
    """Summarise each `fit` over its replicas.

    Raises:
        UserError: no `fit` was recorded.
    """
    fits = by_number([each.fits for each in results])
    if not fits:
        raise UserError(f"{script}: no fit was recorded: must train a Keras model with `fit`")
    return [summary(each, learned) for each in fits.values()]


def has_learned(result: RunResult, request: RunRequest, fit: int) -> bool | None:
    """Return whether a `fit` of a run learned; None if nothing can tell.

    Args:
        fit: the number of the `fit`; -1 for the last one.
    """
    records = [each for each in result.fits if fit in (-1, each.number)]
    table = summary(records[-1:], request.learned).replicas if records else None
    return None if table is None else bool((table.outcome == LEARNED).all())


class _SoFar:
    """Counts how many runs learned so far, by their last `fit`."""

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        self._learned, self._runs = 0, 0

    def note(self, place: int, result: RunResult) -> str:
        """Count a run, and return the numbers in words."""
        learned = has_learned(result, self._request, fit=-1)
        if learned is None:
            return ""
        self._runs += 1
        self._learned += learned
        return f"{self._learned} of {self._runs} learned so far"
