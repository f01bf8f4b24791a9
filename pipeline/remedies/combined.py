"""Choose the combinations of remedies to try next, because many networks have more than one fault.

If no single remedy makes a network learn, the most promising one is kept, and the remedies that the diagnosis of its
trial suggests are added to it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from pipeline.remedies.remedy_registry import REMEDIES

ROUNDS: Final = 3  # the largest number of remedies in a combination
AND: Final = " + "  # between the remedies in a combination's name
Remedies = tuple[str, ...]  # names in the registry, in the order in which the remedies are applied


class Result(NamedTuple):
    """The result of a trial of remedies.

    learned: the number of replicas that learned.
    replicas: the number of all replicas.
    cause: the most frequent cause of the replicas that did not learn; None if all learned.
    """

    learned: int
    replicas: int
    cause: str | None


def to_follow(against: Sequence[str], results: Sequence[Result]) -> int | None:
    """Return the position of the trial to which the next remedies are added.

    It is the trial with the largest share of replicas that learned. Among equals it is the first trial whose cause
    differs from the cause before the trials, because one fault is then removed.

    Args:
        against: the causes before the trials, the most frequent first.
        results: the result of each trial.

    Returns:
        None if most replicas of some trial learned, or if no trial has a cause.
    """
    if any(2 * each.learned > each.replicas for each in results):
        return None
    with_cause = [position for position, each in enumerate(results) if each.cause is not None]
    return min(
        with_cause,
        key=lambda position: (
            -results[position].learned / results[position].replicas,
            results[position].cause == next(iter(against), None),
        ),
        default=None,
    )


def further(done: Remedies, suggested: Iterable[str], tried: Collection[Remedies]) -> list[Remedies]:
    """Return the next combinations to try: the remedies of a trial and one more, without repetitions.

    Args:
        done: the remedies of the trial.
        suggested: the remedies that the trial's diagnosis suggests.
        tried: the combinations tried so far; combinations with the same effect as one of them are left out.
    """
    effects = {_effect(each) for each in (*tried, ())}
    combinations = []
    for combination in ((*done, name) for name in suggested):
        if _effect(combination) not in effects:
            effects.add(_effect(combination))
            combinations.append(combination)
    return combinations


def _effect(names: Remedies) -> tuple[float, float, frozenset[str]]:
    """Return a combination's effect: the factors of learning rate and epochs, and the names of all other remedies."""
    rate, epochs = 1.0, 1.0
    for remedy in map(REMEDIES.__getitem__, names):
        rate = 1.0 if remedy.sets_learning_rate else rate * remedy.learning_rate
        epochs *= remedy.epochs
    others = (name for name in names if REMEDIES[name].learning_rate == REMEDIES[name].epochs == 1)
    return round(rate, 9), epochs, frozenset(others)
