"""Try each suggested remedy on a `fit` of a script: `python3 -m pipeline.watch --try script.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, spelled
from pipeline.evaluation.effects import HARMS, HELPS, UNDECIDED, effect
from pipeline.evaluation.intervals import newcombe
from pipeline.foundations.files import save_text
from pipeline.remedies import combined
from pipeline.watch.arguments import Learned
from pipeline.watch.run_progress import RunProgress
from pipeline.watch.script import RunRequest, replicated, summaries_of, unchanged
from pipeline.watch.script_replicas import FitSummary, page

ORDER = (HELPS, UNDECIDED, HARMS)


@dataclass(frozen=True)
class Attempt:
    """What remedies achieved: how many replicas learned with them.

    change: what they changed, in words. difference: of the learned shares with and without the remedies; low and high
    are Newcombe's 95% interval. causes: of the replicas that still failed, the most frequent first.
    reasons: as of `FitSummary`.
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
        """helps, harms or undecided."""
        return effect(self.low, self.high)

    def __str__(self) -> str:
        return (
            f"{combined.AND.join(self.remedies)}: learned in {self.learned} of {self.replicas} runs, "
            f"{100 * self.difference:+.0f} points [{100 * self.low:.0f}, {100 * self.high:.0f}]. Change: {self.change}."
        )


def run_tries(script: Path, arguments: Sequence[str], learned: Learned, replicas: int, report: Path) -> None:
    """Run the script without a remedy, then with each suggested one, and print which help and what to change.

    Raises:
        UserError: a run of the script as it is failed, or trained nothing; or all of them are identical.
    """
    request = RunRequest(script, arguments, learned, has_checks=True)
    summaries = unchanged(request, replicas, report)
    for place, base in enumerate(summaries):
        if base.replicas is not None and _causes(base.replicas):
            lines = _try_on(replace(request, fit=base.number), replicas, base, base.replicas)
            save_text(page(script.name, summaries, {place: lines}), report)
            break
    else:
        print("Nothing to try: no replica failed with a cause.")
        save_text(page(script.name, summaries), report)
    print(f"report: {report}")


def _try_on(request: RunRequest, replicas: int, base: FitSummary, table: pd.DataFrame) -> list[str]:
    """Try remedies on one `fit`; print and return a line for each."""
    search = _Search(request, replicas, _count(table))
    search.run(_causes(table), base.reasons)
    lines = list(search.lines())
    if not lines:
        against = ", ".join(map(spelled, _causes(table)))
        lines = [f"no remedy can be applied automatically against: {against}."]
    learned, runs = _count(table)
    print(f"\nTried on fit {base.number + 1}; without a remedy it learned in {learned} of {runs} runs:")
    print("\n".join(lines))
    return lines


class _Search:
    """Tries remedies on one `fit`, and combines the best one with what its own causes suggest.

    attempts: in the order in which they were made. not_tried: why remedies were not tried, by name.
    """

    def __init__(self, request: RunRequest, replicas: int, before: tuple[int, int]) -> None:
        """Args: before: how many replicas learned without a remedy, and of how many."""
        self.attempts: list[Attempt] = []
        self.not_tried: dict[str, str] = {}
        self._request = request
        self._replicas = replicas
        self._before = before

    def run(self, causes: Sequence[str], reasons: Mapping[str, str]) -> None:
        """Try remedies against the causes, for so many rounds as there may be remedies in a combination.

        Args:
            causes: of the replicas that failed, the most frequent first. reasons: as of `FitSummary`.
        """
        best: combined.Remedies = ()
        for _ in range(combined.ROUNDS):
            attempts = self._round(best, causes, reasons)
            results = [combined.Result(each.learned, each.replicas, next(iter(each.causes), None)) for each in attempts]
            place = combined.to_follow(causes, results)
            if place is None:
                break
            best, causes, reasons = attempts[place].remedies, attempts[place].causes, attempts[place].reasons

    def lines(self) -> Iterator[str]:
        """Yield a line for each attempt, the helpful ones first, and for each remedy that was not tried."""
        in_order = sorted(self.attempts, key=lambda each: -each.difference)
        for kind in ORDER:
            yield from (f"{kind}: {each}" for each in in_order if each.effect == kind)
        yield from (f"not tried: {name} ({why})." for name, why in self.not_tried.items())

    def _round(self, best: combined.Remedies, causes: Sequence[str], reasons: Mapping[str, str]) -> list[Attempt]:
        """Try each combination of the best remedies so far with one more."""
        further = combined.further(best, network_remedies(*causes), [each.remedies for each in self.attempts])
        self.not_tried |= {combined.AND.join(each): reasons[each[-1]] for each in further if each[-1] in reasons}
        possible = [each for each in further if each[-1] not in reasons]
        progress = RunProgress(self._replicas * len(possible))
        attempts = [each for each in (self._attempt(remedies, progress) for remedies in possible) if each is not None]
        self.attempts += attempts
        return attempts

    def _attempt(self, remedies: combined.Remedies, progress: RunProgress) -> Attempt | None:
        """Return what the remedies achieved; None, with a reason in `not_tried`, where that cannot be known."""
        request, name = self._request, combined.AND.join(remedies)
        results = replicated(replace(request, remedies=remedies), self._replicas, progress)
        if results[-1].not_done is not None:
            self.not_tried[name] = results[-1].not_done
            return None
        summaries = summaries_of(results, request.script, request.learned)
        fit = next((each for each in summaries if each.number == request.fit), None)
        if fit is None or fit.replicas is None:
            self.not_tried[name] = "cannot tell whether the model learned with it"
            return None
        after, before = _count(fit.replicas), self._before
        low, high = newcombe(*after, *before)
        difference = after[0] / after[1] - before[0] / before[1]
        change = str(results[0].change)
        return Attempt(remedies, change, *after, difference, low, high, _causes(fit.replicas), fit.reasons)


def _causes(table: pd.DataFrame) -> list[str]:
    """Return the causes of the replicas that did not learn, the most frequent first."""
    return [str(cause) for cause in table.cause[table.cause != NO_CAUSE].value_counts().index]


def _count(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many replicas learned, and of how many."""
    return int((table.outcome == LEARNED).sum()), len(table)
