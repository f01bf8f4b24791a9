"""What to go on with where no remedy alone makes a network learn, for many have more than one fault: the most promising
remedy stays, and what its diagnosis suggests is added to it.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.diagnosis.causes import network_remedies
from pipeline.params.network_params import EPOCHS, STEPS

ROUNDS: Final = 3  # so many remedies at most are combined
AND: Final = " + "  # between them, in a name
Remedies = tuple[str, ...]  # names of `remedies.keras_remedies`, in the order in which they are done


class Result(NamedTuple):
    """Of remedies that were tried.

    learned: of how many replicas. cause: of most replicas that did not learn; None where there is none.
    """

    learned: int
    replicas: int
    cause: str | None


def to_follow(against: Sequence[str], results: Sequence[Result]) -> int | None:
    """The place of the result that remedies are added to; None where one made most replicas learn, or none has a cause.

    The one with which most learn; of equals the first whose cause is another one, for then a fault is out of the way.

    Args:
        against: the causes that all of them were tried against, the most frequent first.
    """
    if any(2 * each.learned > each.replicas for each in results):
        return None
    open_ = [place for place, each in enumerate(results) if each.cause is not None]
    return min(
        open_,
        key=lambda place: (
            -results[place].learned / results[place].replicas,
            results[place].cause == next(iter(against), None),
        ),
        default=None,
    )


def further(done: Remedies, causes: Sequence[str], tried: Collection[Remedies]) -> list[Remedies]:
    """With one remedy more, against each of the causes; none that comes to what was tried."""
    known = {_sum(each) for each in (*tried, ())}

    def untried() -> Iterator[Remedies]:
        for name in dict.fromkeys(name for cause in causes for name in network_remedies(cause)):
            more = (*done, name)
            if _sum(more) not in known:
                known.add(_sum(more))
                yield more

    return list(untried())


def _sum(remedies: Remedies) -> tuple[float, float, frozenset[str]]:
    """What they come to: factors of learning rate and epochs, and all others."""
    steps, epochs = 1.0, 1.0
    for name in remedies:
        steps = 1.0 if name == "adam" else steps * STEPS.get(name, 1)  # it has a learning rate of its own
        epochs *= EPOCHS.get(name, 1)
    return round(steps, 9), epochs, frozenset(remedies) - {*STEPS, *EPOCHS}
