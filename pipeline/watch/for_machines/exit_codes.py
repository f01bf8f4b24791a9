"""Choose the exit code by what was learned: the worst `fit` decides."""

from collections.abc import Iterable
from typing import Final, Literal

from pipeline.watch.for_machines.report_models import FitReport, ReplicasReport

ExitCode = Literal[0, 3, 4]
LEARNED_CODE: Final = 0
FAILED_CODE: Final = 3
UNKNOWN_CODE: Final = 4
# The worst is first: a failure is known, while nothing may be wrong without an outcome.
WORST_FIRST: Final[tuple[ExitCode, ...]] = (FAILED_CODE, UNKNOWN_CODE, LEARNED_CODE)


def exit_code(fits: Iterable[FitReport]) -> ExitCode:
    """Return the exit code of the worst `fit`; 4 without any."""
    codes = {_code(fit) for fit in fits}
    return next((code for code in WORST_FIRST if code in codes), UNKNOWN_CODE)


def _code(fit: FitReport) -> ExitCode:
    if fit.checks is not None:
        statuses = {check.status for check in fit.checks}
        return FAILED_CODE if "fault" in statuses else LEARNED_CODE if statuses - {"not_run"} else UNKNOWN_CODE
    if fit.replicas is not None:
        return _code_of_replicas(fit.replicas)
    if fit.verdict is None or fit.verdict.outcome is None:
        return UNKNOWN_CODE
    return LEARNED_CODE if fit.verdict.outcome == "learned" else FAILED_CODE


def _code_of_replicas(replicas: ReplicasReport) -> ExitCode:
    """Return 0 only if more than half of the runs learned: a program that learns half of the time is not reliable."""
    if not replicas.runs:
        return UNKNOWN_CODE
    return LEARNED_CODE if 2 * replicas.learned > replicas.runs else FAILED_CODE
