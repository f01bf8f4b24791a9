"""Make the report for machines of a checked `fit`."""

from typing import Final

from pipeline.watch.checks.check_line import FAULT, FINE, HINT, NOT_RUN, CheckLine, FitChecks, Level
from pipeline.watch.for_machines.report_models import CheckReport, CheckStatus, FitReport, number

STATUSES: Final[dict[Level, CheckStatus]] = {FAULT: "fault", HINT: "hint", FINE: "fine", NOT_RUN: "not_run"}


def fit_of_checks(checks: FitChecks) -> FitReport:
    """Return the report of a `fit` that was checked and not run."""
    return FitReport(number=checks.fit or 1, model=checks.model, checks=tuple(map(_check_report, checks.lines)))


def _check_report(line: CheckLine) -> CheckReport:
    return CheckReport(
        name=line.name,
        status=STATUSES[line.level],
        sentence=line.sentence,
        remedy=line.advice or None,
        reason=line.sentence if line.level == NOT_RUN else None,
        cause=line.cause,
        numbers={
            name: value if isinstance(value, str) else number(value)
            for name, value in line.numbers.items()
            if value is not None
        },
    )
