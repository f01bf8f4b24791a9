"""The verdict in plain words: derived from counts and evidence, so it changes when they do."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.diagnosis import causes
from pipeline.diagnosis.causes import LEARNED, spelled
from pipeline.diagnosis.theory import Band

VANISHING = "vanishing"  # the cause that everybody suspects first


def outcomes(replicas: pd.DataFrame) -> dict[str, int]:
    """How many replicas learned, and how many have each cause: {"learned": 3, "born_dead": 10, ...}."""
    counts = {LEARNED: int((replicas.outcome == LEARNED).sum())}
    return counts | {cause: int((replicas.cause == cause).sum()) for cause in causes.cause_names()}


def main_cause(counts: Mapping[str, int]) -> str | None:
    """The cause of most replicas that did not learn, ties by precedence; None where all learned."""
    most = max(counts[cause] for cause in causes.cause_names())
    return next(cause for cause in causes.cause_names() if counts[cause] == most) if most else None


def verdict(
    name: str,
    replicas: pd.DataFrame,
    interval: Sequence[float],
    loss: float,
    bound: float | None,
    band: Band | None,
) -> str:
    """The sentences, without remedies.

    Args:
        replicas: outcome, cause and evidence, one row per replica.
        interval: 95%, of the learned share. loss: of the best constant prediction on the training set.
        bound: the most that theory allows to be born dead. band: of a hidden kernel's mean |gradient| before training,
            by theory. Each is None where theory says nothing.
    """
    counts, total = outcomes(replicas), len(replicas)
    low, high = (f"{100 * end:.0f}" for end in interval)
    sentences = [f"{name}: {learn(counts[LEARNED], total, 'replicas')} ({low} to {high}%)."]
    said = [each.sentence(replicas[replicas.cause == each.name], bound) for each in causes.TABLE if counts[each.name]]
    if said:
        sentences += [f"{_listed(said)}.", _about_vanishing(counts, replicas, loss, band)]
    return " ".join(sentence for sentence in sentences if sentence)


def learn(count: int, total: int, what: str = "") -> str:
    """ "1 of 30 learns", "2 of 30 replicas learn"."""
    return " ".join([f"{count} of {total}", *([what] if what else []), "learns" if count == 1 else "learn"])


def untrained(name: str, replicas: pd.DataFrame) -> str:
    """What can be said before the first step: there is no outcome yet, and some causes are there already."""
    counts = {each.name: int((replicas.cause == each.name).sum()) for each in causes.TABLE if each.at_start}
    symptoms = causes.symptom_names()
    listed = _listed([f"{count} {spelled(cause)}" for cause, count in counts.items() if count or cause in symptoms])
    return f"{name}: {len(replicas)} replicas, not trained. Before the first step {listed}."


def _about_vanishing(counts: Mapping[str, int], replicas: pd.DataFrame, loss: float, band: Band | None) -> str:
    """Whether small gradients are to blame: the question that everybody asks first."""
    if replicas.gradient_scale.isna().all():  # nothing can be said of gradients that were not measured
        return ""
    failed = sum(counts[cause] for cause in causes.cause_names())
    chief = main_cause(counts)
    instead = next((each.instead for each in causes.TABLE if each.name == chief), None)
    if instead is None:
        found = replicas[replicas.cause == VANISHING].gradient_scale.median() * loss
        return f"This is a vanishing gradient: {_scale(found, band)}."
    how_many = "none" if not counts[VANISHING] else f"only {counts[VANISHING]}"
    return f"This is not mainly a vanishing gradient ({how_many} of the {failed} failures): {instead}."


def _scale(found: float, band: Band | None) -> str:
    measured = f"the largest mean |gradient| of a hidden layer is {found:.1g} throughout"
    if band is None:
        return measured
    return (
        f"{measured}; depth and width alone predict {band.median:.1g} before training "
        f"({band.low:.0g} to {band.high:.0g}) for rectified units"
    )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
