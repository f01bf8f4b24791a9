"""Define the result of remedies that were tried on one `fit`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.effects import effect
from pipeline.remedies import combined
from pipeline.watch.scripts.run_request import RunResult
from pipeline.watch.scripts.script_diff import diff
from pipeline.watch.scripts.source_changes import Site


@dataclass(frozen=True)
class Attempt:
    """The result of remedies on one `fit`.

    change: what the remedies changed, in words.
    learned: how many replicas learned with the remedies.
    replicas: the number of replicas.
    difference: the share of replicas that learned with the remedies, minus the share without.
    low, high: Newcombe's 95% interval of the difference.
    causes: the causes of the replicas that still failed, the most frequent first.
    reasons: see `FitSummary`.
    runs: the runs with the remedies.
    learned_seeds: the seeds from which the `fit` learned.
    """

    remedies: combined.Remedies
    change: str
    learned: int
    replicas: int
    difference: float
    low: float
    high: float
    causes: Sequence[str]
    reasons: Mapping[str, str]
    runs: Sequence[RunResult] = ()
    learned_seeds: Sequence[int] = ()

    @property
    def effect(self) -> str:
        """The effect: helps, harms or undecided."""
        return effect(self.low, self.high)

    @property
    def diff(self) -> str | None:
        """The diff of the user's files that has the effect of the remedies; None if it cannot be made safely."""
        return diff(self.runs[0].source_changes, Path.cwd()) if self.runs else None

    def to_change(self, script: Path) -> str:
        """Return what to change in the script: a diff, or the line of its `fit` and the change in words."""
        names, patch = combined.AND.join(self.remedies), self.diff
        if patch is not None:
            return f"To keep {names}, change (`patch -p1` applies it):\n{patch}"
        site = self.runs[0].fit_site
        return f"To keep {names}, change at {place_in_words(site) if site else script}: {self.change}\n"

    def __str__(self) -> str:
        return (
            f"{combined.AND.join(self.remedies)}: learned in {self.learned} of {self.replicas} runs, "
            f"{100 * self.difference:+.0f} points [{100 * self.low:.0f}, {100 * self.high:.0f}]. Change: {self.change}."
        )


def place_in_words(site: Site) -> str:
    """Return file and line of a call as `mine.py:14`, relative to the working folder if it is within it."""
    path = Path(site[0])
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{site[1]}"
