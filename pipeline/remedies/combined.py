"""What to try next where no single remedy makes a network learn, because many networks have more than one fault: keep
the most promising remedy and add what its own diagnosis suggests.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.remedies.registry import REMEDIES

ROUNDS: Final = 3  # at most so many remedies are combined
AND: Final = " + "  # between them, in a name
Remedies = tuple[str, ...]  # names in the registry, in the order in which they are done


class Result(NamedTuple):
    """What came of remedies that were tried.

    learned: number of replicas that learned. cause: of most of the others; None where there is none.
    """

    learned: int
    replicas: int
    cause: str | None


def to_follow(against: Sequence[str], results: Sequence[Result]) -> int | None:
    """Return the place of the result to add remedies to; None if most replicas learned with one, or none has a cause.

    It is the one with which most replicas learned; of equals the first whose cause has changed, because then a fault is
    out of the way.

    Args:
        against: the causes that all of them were tried against, the most frequent first.
    """
    if any(2 * each.learned > each.replicas for each in results):
        return None
    with_cause = [place for place, each in enumerate(results) if each.cause is not None]
    return min(
        with_cause,
        key=lambda place: (
            -results[place].learned / results[place].replicas,
            results[place].cause == next(iter(against), None),
        ),
        default=None,
    )


def further(done: Remedies, suggested: Iterable[str], tried: Collection[Remedies]) -> list[Remedies]:
    """Return what was done with one suggested remedy more, without what has the same effect as something tried."""
    effects = {_effect(each) for each in (*tried, ())}

    def untried() -> Iterator[Remedies]:
        for name in suggested:
            more = (*done, name)
            if _effect(more) not in effects:
                effects.add(_effect(more))
                yield more

    return list(untried())


def _effect(names: Remedies) -> tuple[float, float, frozenset[str]]:
    """Return the factors of learning rate and epochs, and all other remedies."""
    rate, epochs = 1.0, 1.0
    for remedy in map(REMEDIES.__getitem__, names):
        rate = 1.0 if remedy.sets_learning_rate else rate * remedy.learning_rate
        epochs *= remedy.epochs
    others = (name for name in names if REMEDIES[name].learning_rate == REMEDIES[name].epochs == 1)
    return round(rate, 9), epochs, frozenset(others)
