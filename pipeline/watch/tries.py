"""What each suggested remedy does to a `fit` of a script: `python3 -m pipeline.watch --try script.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, spelled
from pipeline.evaluation.effects import HARMS, HELPS, UNDECIDED, effect
from pipeline.evaluation.intervals import newcombe
from pipeline.foundations.files import save_text
from pipeline.watch.replicas import Judged, page
from pipeline.watch.script import Asked, judged_fits, replicated

ORDER = (HELPS, UNDECIDED, HARMS)


@dataclass(frozen=True)
class Tried:
    """A remedy over its replicas. change: what it changed, in words. low, high: of the difference of learned shares,
    Newcombe's 95% interval."""

    remedy: str
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
            f"{self.remedy}: {self.learned} of {self.replicas} learn, {100 * self.difference:+.0f} points "
            f"[{100 * self.low:.0f}, {100 * self.high:.0f}]. Change: {self.change}."
        )


def run_tries(script: Path, arguments: Sequence[str], learned: Any, replicas: int, report: Path) -> None:
    """The script as it is, then once for each remedy and seed; what helped, and what to change for it.

    Raises:
        UserError: a run failed, or trained nothing.
    """
    many = judged_fits(replicated(Asked(script, arguments, learned), replicas, "replica"), script, learned)
    for each in many:
        print(each.text)
    number = next((place for place, each in enumerate(many) if _causes(each)), None)
    if number is None:
        print("Nothing to try: no replica failed with a cause.")
        save_text(page(script.name, many), report)
    else:
        tried, not_tried = _tried(script, arguments, learned, replicas, many[number], number)
        found = ", ".join(map(spelled, _causes(many[number])))
        lines = list(_said(tried, not_tried)) or [f"nothing that can be done by itself against: {found}."]
        print("\n".join([f"\nTried on fit {number + 1}, {replicas} replicas each:", *lines]))
        save_text(page(script.name, many, {number: lines}), report)
    print(f"report: {report}")


def _causes(fit: Judged) -> list[str]:
    """Of the replicas that did not learn, the most frequent first."""
    if fit.replicas is None:
        return []
    found = fit.replicas.cause[fit.replicas.cause != NO_CAUSE]
    return [str(cause) for cause in found.value_counts().index]


def _tried(
    script: Path, arguments: Sequence[str], learned: Any, replicas: int, base: Judged, number: int
) -> tuple[list[Tried], Mapping[str, str]]:
    assert base.replicas is not None
    before = _count(base.replicas)
    names = dict.fromkeys(name for cause in _causes(base) for name in network_remedies(cause))
    found: list[Tried] = []
    not_tried: dict[str, str] = {}
    for name in names:
        ran = replicated(Asked(script, arguments, learned, name, number), replicas, name)
        if ran[-1].not_done is not None:
            not_tried[name] = ran[-1].not_done
            continue
        many = judged_fits(ran, script, learned)
        table = many[number].replicas if number < len(many) else None
        if table is None:
            not_tried[name] = "no rule says whether it has learned then"
            continue
        after = _count(table)
        low, high = newcombe(*after, *before)
        difference = after[0] / after[1] - before[0] / before[1]
        found.append(Tried(name, str(ran[0].change), *after, difference, low, high))
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
        yield f"not tried: {name}, for {why}."
