"""Define a check, and make checks from the rows of the tables of causes and notices, whose rules they apply."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from pipeline.diagnosis.causes import tries
from pipeline.diagnosis.notices import NOTICES
from pipeline.diagnosis.rules.cause import Cause, Evidence, Rule
from pipeline.foundations.errors import first_line, without_colours
from pipeline.watch.checks.check_line import FINE, NOT_RUN, CheckLine, Level
from pipeline.watch.checks.first_steps import FirstSteps

MEASURED_HELP: Final = re.compile(r" \(fixed \d+ of \d+ failing runs in our benchmark\)")  # too long for one line


class NotRunError(Exception):
    """A check cannot run; the text says why."""


class NothingToCheckError(Exception):
    """A check has nothing to look at, such as the keys of no `class_weight`; the text says what is missing."""


@dataclass(frozen=True)
class Check:
    """A check of a `fit` before training.

    measure: takes the first steps of the `fit`; returns the line, or raises NotRunError.
    """

    name: str
    measure: Callable[[FirstSteps], CheckLine]

    def run(self, steps: FirstSteps) -> CheckLine:
        """Return the line of the check; any error makes it `not run`."""
        line = self._measured(steps)
        return replace(line, sentence=f"{line.sentence[0].upper()}{line.sentence[1:]}")

    def _measured(self, steps: FirstSteps) -> CheckLine:
        try:
            return self.measure(steps)
        except (NotRunError, NothingToCheckError) as reason:
            return CheckLine(self.name, NOT_RUN if isinstance(reason, NotRunError) else FINE, f"{reason}.")
        except Exception as error:  # one check must not end the others
            text = without_colours(error)
            return CheckLine(self.name, NOT_RUN, f"{type(error).__name__}: {first_line(ValueError(text))[:150]}")


def cause_check(
    name: str,
    cause: Cause,
    level: Level,
    reads: Sequence[str],
    fine: Callable[[Evidence], str],
    missing: NotRunError | NothingToCheckError,
    at_start: bool = True,
) -> Check:
    """Return the check that applies the rule of a cause.

    Args:
        level: the level of the line if the rule holds.
        reads: columns of the evidence; if all are missing, the check could not run.
        fine: takes the evidence; returns a sentence for a rule that does not hold.
        missing: raised if the columns are missing.
        at_start: whether the rule is applied to the state before the first step; otherwise to the first batches.
    """

    def measure(steps: FirstSteps) -> CheckLine:
        table, numbers = (steps.start, steps.start_numbers) if at_start else (steps.after, steps.numbers)
        measured = expect_measured(numbers, reads, missing)
        if not bool(cause.rule(table, steps.params).iloc[0]):
            return CheckLine(name, FINE, fine(numbers), numbers=measured)
        return CheckLine(name, level, cause.says(numbers), advice_against(cause, steps), cause.name, measured)

    return Check(name, measure)


def notice_check(
    name: str,
    notice: str,
    level: Level,
    reads: Sequence[str],
    fine: Callable[[Evidence], str],
    missing: NotRunError | NothingToCheckError,
) -> Check:
    """Return the check that applies the rule of a notice to the first batches; see `cause_check`.

    The last sentence of a notice says what to do.
    """
    row = next(each for each in NOTICES if each.name == notice)

    def measure(steps: FirstSteps) -> CheckLine:
        measured = expect_measured(steps.numbers, reads, missing)
        if not holds(row.rule, steps.after, steps):
            return CheckLine(name, FINE, fine(steps.numbers), numbers=measured)
        sentence, _, advice = row.says(steps.numbers).rstrip(".").rpartition(". ")
        return CheckLine(name, level, f"{sentence}.", f"{advice[0].lower()}{advice[1:]}", notice, measured)

    return Check(name, measure)


def expect_measured(
    numbers: Evidence, reads: Sequence[str], missing: NotRunError | NothingToCheckError
) -> dict[str, float | str | None]:
    """Return the numbers that a check reads.

    Raises:
        NotRunError, NothingToCheckError: all are missing.
    """
    measured = {name: numbers[name] for name in reads if numbers.get(name) is not None}
    if not measured:
        raise missing
    return measured


def holds(rule: Rule, table: pd.DataFrame, steps: FirstSteps) -> bool:
    """Return whether a rule holds for the first row of a table of evidence."""
    return bool(rule(table, steps.params).iloc[0])


def advice_against(cause: Cause, steps: FirstSteps) -> str:
    """Return the first advice against a cause that fits the model."""
    return MEASURED_HELP.sub("", next(iter(tries(cause.name, steps.setting)), ""))
