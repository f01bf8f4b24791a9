"""Counts over the runs of the programs: causes named right, and alarms on healthy twins."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from benchmarks.known_faults.program import Program
from benchmarks.known_faults.runs import Run, report_of
from benchmarks.published_rules import DEAD, EXPLODING, SATURATED, TOOLS, VANISHING

AS_CAUSES: Final = {  # a known tool's symptom, and the causes that are the same fault here
    VANISHING: ("vanishing",),
    EXPLODING: ("exploding",),
    DEAD: ("born_dead", "died_in_training", "dead_output"),
    SATURATED: ("saturated",),
}
NO_CAUSE: Final = "no cause"  # the key of failing runs without a cause
SEPARATOR: Final = ", "  # between symptoms of one run


class SymptomCounts(TypedDict):
    """Failing and healthy runs in which a known tool reports symptoms, by these symptoms: "vanishing, dead"."""

    failing: dict[str, int]
    healthy: dict[str, int]


@dataclass(frozen=True)
class FaultCounts:
    """Counts of the runs of a faulty program and of its repaired twin.

    faulty, twins: number of runs of each.
    failing_seeds: seeds of the failing runs: runs of the faulty program that are not good by its own yardstick.
    causes: failing runs by cause or, where the diagnosis is that the model learned, by the first notice; the most
        frequent first.
    healthy: runs of the twin that are good.
    alarmed: healthy runs with a symptom.
    alarms: healthy runs by symptom, the most frequent first.
    tools: what each known tool reports.
    twin_reports: outcome, cause and notices of each healthy run.
    """

    program: Program
    faulty: int
    failing_seeds: Sequence[int]
    causes: Mapping[str, int]
    twins: int
    healthy: int
    alarmed: int
    alarms: Mapping[str, int]
    tools: Mapping[str, SymptomCounts]
    twin_reports: Sequence[Sequence[Any]] = ()

    @classmethod
    def of(cls, program: Program, runs: Iterable[Run]) -> "FaultCounts":
        """Count the runs of a program and its twin."""
        faulty, twins = split_runs(runs)
        failing = [run for run in faulty if not run["is_good"]]
        healthy = [run for run in twins if run["is_good"]]
        return cls(
            program=program,
            faulty=len(faulty),
            failing_seeds=[run["seed"] for run in failing],
            causes=_most_common(report_of(run).name or NO_CAUSE for run in failing),
            twins=len(twins),
            healthy=len(healthy),
            alarmed=sum(bool(run["symptoms"]) for run in healthy),
            alarms=_most_common(symptom for run in healthy for symptom in run["symptoms"]),
            tools={tool: {"failing": _symptoms(failing, tool), "healthy": _symptoms(healthy, tool)} for tool in TOOLS},
            twin_reports=[[run["outcome"], run["cause"], run["notices"]] for run in healthy],
        )

    @property
    def failing(self) -> int:
        """Number of failing runs."""
        return len(self.failing_seeds)

    @property
    def names(self) -> dict[str | None, int]:
        """Failing runs by cause or first notice; None for runs without either."""
        return {None if cause == NO_CAUSE else cause: count for cause, count in self.causes.items()}

    @property
    def named_right(self) -> int:
        """Number of failing runs whose cause or first notice is right."""
        return sum(count for cause, count in self.causes.items() if cause in self.program.right)

    @property
    def named(self) -> int:
        """Number of failing runs that have a cause."""
        return self.failing - self.causes.get(NO_CAUSE, 0)

    @property
    def is_right(self) -> bool | None:
        """Whether most failing runs have a cause or first notice that is right; None where no run failed."""
        return self._is_most(self.named_right) if self.failing else None

    @property
    def is_named(self) -> bool:
        """Whether most failing runs have a cause."""
        return self._is_most(self.named)

    def is_found_by(self, tool: str) -> bool:
        """Whether a known tool reports a symptom in most failing runs."""
        return self._is_most(sum(self.tools[tool]["failing"].values()))

    def is_named_by(self, tool: str) -> bool:
        """Whether a known tool reports, in most failing runs, a symptom that is a right cause."""
        right = {symptom for symptom, causes in AS_CAUSES.items() if self.program.right & {*causes}}
        failing = self.tools[tool]["failing"].items()
        return self._is_most(sum(count for symptoms, count in failing if right & {*symptoms.split(SEPARATOR)}))

    def is_alarmed_by(self, tool: str) -> bool:
        """Whether a known tool reports a symptom in a healthy run."""
        return bool(self.tools[tool]["healthy"])

    def _is_most(self, count: int) -> bool:
        return 2 * count > self.failing


def split_runs(runs: Iterable[Run]) -> tuple[list[Run], list[Run]]:
    """Return the runs of the faulty program and those of its twin."""
    both = list(runs)
    return [run for run in both if not run["repaired"]], [run for run in both if run["repaired"]]


def _symptoms(runs: Iterable[Run], tool: str) -> dict[str, int]:
    return _most_common(SEPARATOR.join(run["tools"][tool]) for run in runs if run["tools"][tool])


def _most_common(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


@dataclass(frozen=True)
class Totals:
    """Totals over programs; a program counts as right or not only where a run failed.

    by_kind: the share of programs named right, by kind of fault.
    """

    right: int
    programs: int
    by_kind: Mapping[str, float]
    alarmed_twins: int
    healthy_twins: int
    alarmed_runs: int
    healthy_runs: int

    @classmethod
    def of(cls, counts: Iterable[FaultCounts]) -> "Totals":
        """Sum the counts of programs."""
        programs = list(counts)
        judged = [each for each in programs if each.is_right is not None]
        kinds: dict[str, list[bool]] = {}
        for each in judged:
            kinds.setdefault(each.program.kind, []).append(bool(each.is_right))
        return cls(
            right=sum(bool(each.is_right) for each in judged),
            programs=len(judged),
            by_kind={kind: sum(rights) / len(rights) for kind, rights in sorted(kinds.items())},
            alarmed_twins=sum(each.alarmed > 0 for each in programs),
            healthy_twins=sum(each.healthy > 0 for each in programs),
            alarmed_runs=sum(each.alarmed for each in programs),
            healthy_runs=sum(each.healthy for each in programs),
        )

    @property
    def mean_over_kinds(self) -> float:
        """The mean of `by_kind`, in which a kind with many programs weighs no more; NaN without programs."""
        return sum(self.by_kind.values()) / len(self.by_kind) if self.by_kind else float("nan")
