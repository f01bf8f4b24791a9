"""The verdict on a variant in plain words: derived from counts and evidence, so it changes when they do."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.diagnosis import causes
from pipeline.diagnosis.causes import LEARNED, spelled
from pipeline.diagnosis.rules.signal_rules import VANISHING
from pipeline.diagnosis.theory import Band


def outcomes(replicas: pd.DataFrame) -> dict[str, int]:
    """Return how many replicas learned, and how many have each cause: {"learned": 3, "born_dead": 10, ...}."""
    counts = {LEARNED: int((replicas.outcome == LEARNED).sum())}
    return counts | {cause: int((replicas.cause == cause).sum()) for cause in causes.cause_names()}


def main_cause(counts: Mapping[str, int]) -> str | None:
    """Return the cause of most replicas that did not learn, ties by precedence; None where all learned."""
    most = max(counts[cause] for cause in causes.cause_names())
    return next(cause for cause in causes.cause_names() if counts[cause] == most) if most else None


def verdict(name: str, replicas: pd.DataFrame, interval: Sequence[float], bound: float | None) -> str:
    """Return how many replicas learned, and the causes of the others, without remedies.

    Args:
        replicas: outcome, cause and evidence, one row per replica.
        interval: 95%, of the learned share. bound: the highest share that theory allows to be born dead; None where
            theory does not apply.
    """
    counts, total = outcomes(replicas), len(replicas)
    low, high = (f"{100 * end:.0f}" for end in interval)
    answer = f"{name}: {learn(counts[LEARNED], total, 'replicas')} ({low} to {high}%)."
    parts = [each.sentence(replicas[replicas.cause == each.name], bound) for each in causes.TABLE if counts[each.name]]
    return f"{answer} {_listed(parts)}." if parts else answer


def about_vanishing(replicas: pd.DataFrame, loss: float, band: Band | None) -> str:
    """Return whether small gradients are to blame, which the tutorial says of its networks; "" where all learned or no
    gradient was measured.

    Args:
        replicas: as of `verdict`. loss: of the best constant prediction on the training set.
        band: of a hidden kernel's mean |gradient| before training, by theory; None where theory does not apply.
    """
    counts = outcomes(replicas)
    failed = len(replicas) - counts[LEARNED]
    if not failed or replicas.gradient_scale.isna().all():
        return ""
    if main_cause(counts) != VANISHING.name:
        some = f"only {counts[VANISHING.name]}" if counts[VANISHING.name] else "none"
        return f"Vanishing gradients explain {some} of the {failed} failures."
    gradient = replicas[replicas.cause == VANISHING.name].gradient_scale.median() * loss
    sentence = (
        f"This is a vanishing gradient: the largest mean |gradient| of a hidden layer is {gradient:.1g} throughout"
    )
    if band is None:
        return f"{sentence}."
    return (
        f"{sentence}; depth and width alone predict {band.median:.1g} before training "
        f"({band.low:.0g} to {band.high:.0g}) for rectified units."
    )


def learn(count: int, total: int, what: str = "") -> str:
    """Return "1 of 30 learns" or "2 of 30 replicas learn"."""
    return " ".join([f"{count} of {total}", *([what] if what else []), "learns" if count == 1 else "learn"])


def untrained(name: str, replicas: pd.DataFrame) -> str:
    """Return what is known before the first step: there is no outcome yet, but some causes can be found already."""
    counts = {each.name: int((replicas.cause == each.name).sum()) for each in causes.TABLE if each.at_start}
    symptoms = causes.symptom_names()
    listed = _listed([f"{count} {spelled(cause)}" for cause, count in counts.items() if count or cause in symptoms])
    return f"{name}: {len(replicas)} replicas, not trained. Before the first step {listed}."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
