"""How right the diagnosis is on one program, from what it reports about each of its trainings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.reports import ABSTENTIONS, UNEXPLAINED, Report

WORDS = RIGHT, MISLEADING, ABSTAINED, CRASHED = "right", "misleading", "abstained", "crashed"
NAMELESS = "a fault without a name here"


@dataclass(frozen=True)
class ScoredFault:
    """A faulty program and what was reported about it.

    accepted: the right causes and notices; the first one is the kind of fault.
    names: runs by the name that the user reads first (`Report.name`); None for no name.
    crashes: runs that ended by an error.
    """

    name: str
    accepted: Sequence[str]
    names: Mapping[str | None, int]
    crashes: int = 0

    @property
    def kind(self) -> str:
        """The kind of fault: the first name that is right."""
        return self.accepted[0] if self.accepted else NAMELESS

    @property
    def word(self) -> str:
        """One of WORDS.

        A program is right if most runs are; `unexplained` never is. It is misleading if it is not right, and at least
        half of its runs name a fault: a user who trains once may well be misled.
        """
        runs = sum(self.names.values()) + self.crashes
        if 2 * self.crashes >= runs:
            return CRASHED
        right = {*self.accepted} - UNEXPLAINED
        if 2 * sum(count for name, count in self.names.items() if name in right) > runs:
            return RIGHT
        named = sum(count for name, count in self.names.items() if name is not None and name not in ABSTENTIONS)
        return MISLEADING if 2 * named >= runs else ABSTAINED


@dataclass(frozen=True)
class ScoredGood:
    """A program without a fault, and what was reported about its trainings that were good.

    notices: names of notices that are right all the same.
    crashes: runs that ended by an error.
    has_notices: whether notices were recorded; older results lack them.
    """

    name: str
    reports: Sequence[Report]
    notices: frozenset[str] = frozenset()
    crashes: int = 0
    has_notices: bool = True

    @property
    def is_named_faulty(self) -> bool:
        """Whether a run has a cause that names a fault."""
        return any(report.is_false_cause for report in self.reports)

    @property
    def is_called_not_learned(self) -> bool:
        """Whether a run is called not learned, and none has a cause that names a fault."""
        return not self.is_named_faulty and any(report.is_false_failure for report in self.reports)

    @property
    def has_false_notice(self) -> bool:
        """Whether a run has a notice that is not right."""
        return any(set(report.notices) - self.notices for report in self.reports)

    @property
    def lacks_outcome(self) -> bool:
        """Whether a run has no outcome."""
        return any(report.outcome is None for report in self.reports)


def count_words(programs: Iterable[ScoredFault]) -> dict[str, int]:
    """Return the number of programs by word; every word is there."""
    words = [program.word for program in programs]
    return {word: words.count(word) for word in WORDS}
