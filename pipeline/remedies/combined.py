"""Choose combinations of remedies to try next, because many networks have more than one fault.

If no single remedy makes a network learn, keep the most promising remedy, and add a remedy that the diagnosis of this
trial suggests.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.remedies.remedy_registry import REMEDIES

ROUNDS: Final = 3  # the largest number of remedies in a combination
AND: Final = " + "  # between the remedies in a combination's name
Remedies = tuple[str, ...]  # names in the registry, in the order in which the remedies are applied


class Result(NamedTuple):
    """The result of a trial of remedies.

    learned: the number of replicas that learned.
    replicas: the number of all replicas.
    cause: the most frequent cause of the other replicas; None if all learned.
    """

    learned: int
    replicas: int
    cause: str | None


def to_follow(against: Sequence[str], results: Sequence[Result]) -> int | None:
    """Return the position of the trial to which the next remedies are added.

    This is the trial in which most replicas learned. Among equals it is the first trial with another cause than before,
    because a fault is then removed.

    Args:
        against: the causes before the trials, the most frequent first.
        results: the result of each trial.

    Returns:
        None if most replicas of a trial learned, or no trial has a cause.
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
        suggested: the remedies that its diagnosis suggests.
        tried: the combinations tried so far; a combination with the same effect is left out.
    """
    effects = {_effect(each) for each in (*tried, ())}

    def untried() -> Iterator[Remedies]:
        for name in suggested:
            combination = (*done, name)
            if _effect(combination) not in effects:
                effects.add(_effect(combination))
                yield combination

    return list(untried())


def _effect(names: Remedies) -> tuple[float, float, frozenset[str]]:
    """Return what a combination changes: the factors of learning rate and epochs, and the names of other remedies."""
    rate, epochs = 1.0, 1.0
    for remedy in map(REMEDIES.__getitem__, names):
        rate = 1.0 if remedy.sets_learning_rate else rate * remedy.learning_rate
        epochs *= remedy.epochs
    others = (name for name in names if REMEDIES[name].learning_rate == REMEDIES[name].epochs == 1)
    return round(rate, 9), epochs, frozenset(others)
