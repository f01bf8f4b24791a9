"""What the runs of the programs count for: causes named right, and alarms on healthy twins."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.known_faults.program import Program
from benchmarks.known_faults.runs import LEARNED, Run
from benchmarks.published_rules import DEAD, EXPLODING, SATURATED, VANISHING

AS_CAUSES: Final = {  # what a symptom of a known tool is called here
    VANISHING: ("vanishing",),
    EXPLODING: ("exploding",),
    DEAD: ("born_dead", "died_in_training", "dead_output"),
    SATURATED: ("saturated",),
}


@dataclass(frozen=True)
class Counted:
    """What came of a program and its twin.

    failing: runs of the faulty program that did not learn. healthy: runs of the twin that learned.
    """

    program: Program
    faulty: list[Run]
    failing: list[Run]
    twins: list[Run]
    healthy: list[Run]

    @classmethod
    def of(cls, program: Program, runs: Iterable[Run]) -> "Counted":
        """Sorted from the runs of both."""
        all_runs = list(runs)
        faulty = [run for run in all_runs if not run["repaired"]]
        twins = [run for run in all_runs if run["repaired"]]
        failing = [run for run in faulty if run["outcome"] != LEARNED]
        return cls(program, faulty, failing, twins, [run for run in twins if run["outcome"] == LEARNED])

    def where(self, key: str) -> "Counted":
        """Of the runs alone that have this."""
        return Counted.of(self.program, [run for run in (*self.faulty, *self.twins) if key in run])

    @property
    def right(self) -> int:
        """Failing runs whose cause is one of those that are right."""
        return sum(run["cause"] in self.program.right for run in self.failing)

    @property
    def is_right(self) -> bool | None:
        """Whether the cause of most failing runs is right; None where none failed."""
        return 2 * self.right > len(self.failing) if self.failing else None

    def found_by(self, tool: str) -> bool:
        """Whether a known tool's rules find something in most failing runs."""
        return _most(bool(run["tools"][tool]) for run in self.failing)

    def named_by(self, tool: str) -> bool:
        """Whether one of the symptoms that they find in most failing runs is a cause that is right."""
        right = self.program.right
        return _most(any(right & {*AS_CAUSES[symptom]} for symptom in run["tools"][tool]) for run in self.failing)

    def alarmed_by(self, tool: str) -> bool:
        """Whether they find something in a healthy run."""
        return any(run["tools"][tool] for run in self.healthy)

    @property
    def alarmed(self) -> list[Run]:
        """Healthy runs in which something is said to be wrong."""
        return [run for run in self.healthy if run["symptoms"]]

    @property
    def causes(self) -> dict[str, int]:
        """Of the failing runs, the most frequent first."""
        return dict(Counter(str(run["cause"]) for run in self.failing).most_common())

    @property
    def alarms(self) -> dict[str, int]:
        """What is said of the healthy runs."""
        return dict(Counter(symptom for run in self.healthy for symptom in run["symptoms"]).most_common())


def _most(holds: Iterable[bool]) -> bool:
    every = list(holds)
    return 2 * sum(every) > len(every)


@dataclass(frozen=True)
class Totals:
    """Over programs with a failing run; by_kind: the share that is right, of each kind of fault."""

    right: int
    programs: int
    by_kind: Mapping[str, float]
    alarmed_twins: int
    healthy_twins: int
    alarmed_runs: int
    healthy_runs: int

    @classmethod
    def of(cls, counted: Iterable[Counted]) -> "Totals":
        """Of these programs."""
        every = list(counted)
        judged = [each for each in every if each.is_right is not None]
        kinds: dict[str, list[bool]] = {}
        for each in judged:
            kinds.setdefault(each.program.kind, []).append(bool(each.is_right))
        return cls(
            right=sum(bool(each.is_right) for each in judged),
            programs=len(judged),
            by_kind={kind: sum(found) / len(found) for kind, found in sorted(kinds.items())},
            alarmed_twins=sum(bool(each.alarmed) for each in every),
            healthy_twins=sum(bool(each.healthy) for each in every),
            alarmed_runs=sum(len(each.alarmed) for each in every),
            healthy_runs=sum(len(each.healthy) for each in every),
        )

    @property
    def mean_over_kinds(self) -> float:
        """So that no kind counts for more because it has more programs; not a number without programs."""
        return sum(self.by_kind.values()) / len(self.by_kind) if self.by_kind else float("nan")
