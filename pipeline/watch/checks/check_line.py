"""Define the results of the checks before training: one line for each check, and the report on one `fit`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Level = Literal["fault", "hint", "fine", "not run"]
FAULT: Final = "fault"
HINT: Final = "hint"
FINE: Final = "fine"
NOT_RUN: Final = "not run"
LEVELS: Final[tuple[Level, ...]] = (FAULT, HINT, FINE, NOT_RUN)  # in the order of the report


@dataclass(frozen=True)
class CheckLine:
    """The result of one check.

    name: the name of the check.
    level: `fault`: the training will fail or mislead; `hint`: it may; `fine`; or `not run`.
    sentence: what was measured; for `not run`, why it was not.
    advice: what to do; "" if nothing is to be done.
    cause: the name of the cause or the notice of the diagnosis; None if there is no such name.
    numbers: what was measured, by name; a layer is given by its path.
    """

    name: str
    level: Level
    sentence: str
    advice: str = ""
    cause: str | None = None
    numbers: Mapping[str, float | str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        advice = f" Do: {self.advice.rstrip('.')}." if self.advice else ""
        return f"{self.level:7}  {self.name}: {self.sentence}{advice}"


@dataclass(frozen=True)
class FitChecks:
    """The results of all checks of one `fit`; `print` shows them as text.

    model: the model's name.
    lines: one for each check; faults come first.
    fit: the number of the `fit` in the script, from 1; None if the checks were started from Python.
    """

    model: str
    lines: Sequence[CheckLine]
    fit: int | None = None

    def of_level(self, level: Level) -> list[CheckLine]:
        """Return the lines of one level."""
        return [each for each in self.lines if each.level == level]

    @property
    def summary(self) -> str:
        """How many faults and hints there are, and how many checks could not run."""
        faults, hints, _, missing = (len(self.of_level(level)) for level in LEVELS)
        return f"{_counted(faults, 'fault')}, {_counted(hints, 'hint')}; {_counted(missing, 'check')} could not run"

    def __str__(self) -> str:
        place = "" if self.fit is None else f"fit {self.fit}, "
        heading = f"{place}{self.model}: checked before training"
        run = [line for line in self.lines if line.level != NOT_RUN]
        return "\n".join([heading, *map(str, run), *map(str, self._not_run()), self.summary])

    def _not_run(self) -> list[CheckLine]:
        """Return a line for each reason why checks could not run."""
        names: dict[str, list[str]] = {}
        for line in self.of_level(NOT_RUN):
            names.setdefault(line.sentence, []).append(line.name)
        return [CheckLine(", ".join(checks), NOT_RUN, reason) for reason, checks in names.items()]


def in_order(lines: Sequence[CheckLine]) -> list[CheckLine]:
    """Return the lines by level; lines of one level keep their order."""
    return sorted(lines, key=lambda line: LEVELS.index(line.level))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
