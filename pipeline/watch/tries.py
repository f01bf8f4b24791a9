"""What each suggested remedy does to a `fit` of a script: `python3 -m pipeline.watch --try script.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, spelled
from pipeline.evaluation.effects import HARMS, HELPS, UNDECIDED, effect
from pipeline.evaluation.intervals import newcombe
from pipeline.foundations.files import save_text
from pipeline.remedies import combined
from pipeline.watch.script import Asked, Progress, judged_fits, replicated, unchanged
from pipeline.watch.script_replicas import Judged, page

ORDER = (HELPS, UNDECIDED, HARMS)


@dataclass(frozen=True)
class Tried:
    """What remedies achieved: how many replicas learned with them.

    change: what they changed, in words. difference: of the learned shares with and without the remedies; low and high
    are Newcombe's 95% interval.
    """

    remedies: combined.Remedies
    change: str
    learned: int
    replicas: int
    difference: float
    low: float
    high: float

    @property
    def effect(self) -> str:
        """helps, harms or undecided."""
        return effect(self.low, self.high)

    def __str__(self) -> str:
        return (
            f"{combined.AND.join(self.remedies)}: learned in {self.learned} of {self.replicas} runs, "
            f"{100 * self.difference:+.0f} points [{100 * self.low:.0f}, {100 * self.high:.0f}]. Change: {self.change}."
        )


def run_tries(script: Path, arguments: Sequence[str], learned: Any, replicas: int, report: Path) -> None:
    """Run the script without a remedy, then with each suggested one, and print which help and what to change.

    Raises:
        UserError: a run of the script as it is failed, or trained nothing; or all of them are identical.
    """
    asked = Asked(script, arguments, learned, checks=True)
    many = unchanged(asked, replicas, report)
    place = next((place for place, each in enumerate(many) if _causes(each)), None)
    if place is None:
        print("Nothing to try: no replica failed with a cause.")
        save_text(page(script.name, many), report)
    else:
        base = many[place]
        assert base.replicas is not None
        tried, not_tried = _tried(replace(asked, fit=base.number), replicas, base)
        found = ", ".join(map(spelled, _causes(base)))
        lines = list(_said(tried, not_tried)) or [f"nothing that can be done by itself against: {found}."]
        learned_before, runs = _count(base.replicas)
        without = f"without a remedy it learned in {learned_before} of {runs} runs"
        print("\n".join([f"\nTried on fit {base.number + 1}; {without}:", *lines]))
        save_text(page(script.name, many, {place: lines}), report)
    print(f"report: {report}")


def _causes(fit: Judged) -> list[str]:
    """Of the replicas that did not learn, the most frequent first."""
    if fit.replicas is None:
        return []
    found = fit.replicas.cause[fit.replicas.cause != NO_CAUSE]
    return [str(cause) for cause in found.value_counts().index]


def _tried(asked: Asked, replicas: int, base: Judged) -> tuple[list[Tried], Mapping[str, str]]:
    """Try each remedy against the causes, then combine the best one with what its own causes suggest.

    Returns:
        What was tried, and by name why something was not.
    """
    assert base.replicas is not None
    before = _count(base.replicas)
    found: list[Tried] = []
    not_tried: dict[str, str] = {}
    done: combined.Remedies = ()
    causes, reasons = _causes(base), base.reasons
    for _ in range(combined.ROUNDS):
        these: list[tuple[Tried, Judged]] = []
        further = combined.further(done, network_remedies(*causes), [each.remedies for each in found])
        not_tried |= {combined.AND.join(each): reasons[each[-1]] for each in further if each[-1] in reasons}
        possible = [each for each in further if each[-1] not in reasons]
        progress = Progress(replicas * len(possible))
        for remedies in possible:
            name = combined.AND.join(remedies)
            ran = replicated(replace(asked, remedies=remedies), replicas, progress)
            if ran[-1].not_done is not None:
                not_tried[name] = ran[-1].not_done
                continue
            many = judged_fits(ran, asked.script, asked.learned)
            fit = next((each for each in many if each.number == asked.fit), None)
            if fit is None or fit.replicas is None:
                not_tried[name] = "no rule says whether it has learned then"
                continue
            after = _count(fit.replicas)
            low, high = newcombe(*after, *before)
            difference = after[0] / after[1] - before[0] / before[1]
            these.append((Tried(remedies, str(ran[0].change), *after, difference, low, high), fit))
        found += [each for each, _ in these]
        results = [combined.Result(each.learned, each.replicas, next(iter(_causes(fit)), None)) for each, fit in these]
        place = combined.to_follow(causes, results)
        if place is None:
            break
        done, fit = these[place][0].remedies, these[place][1]
        causes, reasons = _causes(fit), fit.reasons
    return sorted(found, key=lambda each: -each.difference), not_tried


def _count(table: pd.DataFrame) -> tuple[int, int]:
    """How many learned, and of how many."""
    return int((table.outcome == LEARNED).sum()), len(table)


def _said(tried: Sequence[Tried], not_tried: Mapping[str, str]) -> Iterator[str]:
    for kind in ORDER:
        for each in tried:
            if each.effect == kind:
                yield f"{kind}: {each}"
    for name, why in not_tried.items():
        yield f"not tried: {name} ({why})."
