"""Write the verdict on a variant in sentences, from the counts and the evidence of its replicas."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.diagnosis import causes
from pipeline.diagnosis.causes import LEARNED, spelled
from pipeline.diagnosis.rules.signal_rules import VANISHING
from pipeline.diagnosis.theory import Band


def outcomes(replicas: pd.DataFrame) -> dict[str, int]:
    """Count the replicas that learned and the replicas with each cause: {"learned": 3, "born_dead": 10, ...}."""
    counts = {LEARNED: int((replicas.outcome == LEARNED).sum())}
    return counts | {cause: int((replicas.cause == cause).sum()) for cause in causes.cause_names()}


def main_cause(counts: Mapping[str, int]) -> str | None:
    """Return the most frequent cause, and among equals the first by precedence; None if all replicas learned."""
    most = max(counts[cause] for cause in causes.cause_names())
    return next(cause for cause in causes.cause_names() if counts[cause] == most) if most else None


def verdict(name: str, replicas: pd.DataFrame, interval: Sequence[float], bound: float | None) -> str:
    """Return how many replicas learned, and the causes of the others, in two sentences.

    Args:
        name: the variant.
        replicas: outcome, cause and evidence, one row per replica.
        interval: the 95% interval of the learned share.
        bound: the highest share of born-dead replicas that theory allows; None if theory does not apply.
    """
    counts, total = outcomes(replicas), len(replicas)
    low, high = (f"{100 * end:.0f}" for end in interval)
    answer = f"{name}: {learn(counts[LEARNED], total, 'replicas')} ({low} to {high}%)."
    parts = [each.sentence(replicas[replicas.cause == each.name], bound) for each in causes.TABLE if counts[each.name]]
    return f"{answer} {_listed(parts)}." if parts else answer


def about_vanishing(replicas: pd.DataFrame, loss: float, band: Band | None) -> str:
    """Return whether vanishing gradients explain the failures, as the tutorial says of its networks.

    Args:
        replicas: outcome, cause and evidence, one row per replica.
        loss: the baseline loss.
        band: theory's band for the mean |gradient| of a hidden kernel before training; None if theory does not apply.

    Returns:
        One sentence; "" if all replicas learned or no gradient was measured.
    """
    counts = outcomes(replicas)
    failed = len(replicas) - counts[LEARNED]
    if not failed or replicas.gradient_scale.isna().all():
        return ""
    vanishing = counts[VANISHING.name]
    if main_cause(counts) != VANISHING.name:
        explained = f"only {vanishing}" if vanishing else "none"
        return f"Vanishing gradients explain {explained} of the {failed} failures."
    gradient = replicas[replicas.cause == VANISHING.name].gradient_scale.median() * loss
    sentence = (
        f"Vanishing gradients explain {vanishing} of the {failed} failures: even the largest mean |gradient| of a "
        f"hidden layer is only {gradient:.1g} for most of the training"
    )
    if band is None:
        return f"{sentence}."
    return (
        f"{sentence}. For rectified units, theory predicts {band.median:.1g} before training from depth and width "
        f"alone (90% of networks: {band.low:.0g} to {band.high:.0g})."
    )


def learn(count: int, total: int, what: str = "") -> str:
    """Return a count with its verb: "1 of 30 learns" or "2 of 30 replicas learn"."""
    return " ".join([f"{count} of {total}", *([what] if what else []), "learns" if count == 1 else "learn"])


def untrained(name: str, replicas: pd.DataFrame) -> str:
    """Return the verdict on replicas that are not trained: the causes that can be found before the first step."""
    counts = {each.name: int((replicas.cause == each.name).sum()) for each in causes.TABLE if each.at_start}
    symptoms = causes.symptom_names()
    listed = _listed([f"{count} {spelled(cause)}" for cause, count in counts.items() if count or cause in symptoms])
    return f"{name}: {len(replicas)} replicas, not trained. Before the first step: {listed}."


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
