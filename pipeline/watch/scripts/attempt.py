"""Define the result of remedies that were tried on one `fit`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.effects import effect
from pipeline.remedies import combined


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

    @property
    def effect(self) -> str:
        """The effect: helps, harms or undecided."""
        return effect(self.low, self.high)

    def __str__(self) -> str:
        return (
            f"{combined.AND.join(self.remedies)}: learned in {self.learned} of {self.replicas} runs, "
            f"{100 * self.difference:+.0f} points [{100 * self.low:.0f}, {100 * self.high:.0f}]. Change: {self.change}."
        )
