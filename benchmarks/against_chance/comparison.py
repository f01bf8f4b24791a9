"""Try suggested and random remedies on one failing program, each from the same seeds, in equal number."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.against_chance.subjects import applicable, subject, train
from pipeline.diagnosis.causes import TABLE, network_remedies

CAUSE_NAMES = {cause.name for cause in TABLE}


@dataclass(frozen=True)
class Comparison:
    """Suggested and random remedies on one program.

    failing: the seeds from which the program fails.
    cause: what the diagnosis names most often for these seeds; None for no cause.
    applicable: the number of remedies that can be applied to the program.
    suggested, random: the remedies of each side, as many on both.
    learned: by remedy, the number of failing seeds from which the program learned with it.
    error: why the program could not be compared.
    """

    name: str
    failing: Sequence[int]
    cause: str | None = None
    applicable: int = 0
    suggested: Sequence[str] = ()
    random: Sequence[str] = ()
    learned: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None

    def fixed_by(self, remedies: Sequence[str]) -> bool:
        """Return whether the program learned from most failing seeds with one of the remedies."""
        return any(2 * self.learned[remedy] > len(self.failing) for remedy in remedies)

    def learned_runs(self, remedies: Sequence[str]) -> int:
        """Return the number of runs that learned with the remedies."""
        return sum(self.learned[remedy] for remedy in remedies)


def compare(name: str, seeds: Sequence[int], tries: int, draw: int) -> Comparison:
    """Find the seeds from which the program fails, and try remedies of both sides from these seeds.

    The random remedies are drawn, without replacement, from all remedies that can be applied to the program; a
    suggested one may be among them. A remedy that both sides try is trained once.

    Args:
        tries: the largest number of remedies of each side.
        draw: the seed of the draw.
    """
    try:
        return _compared(name, seeds, tries, draw)
    except Exception as error:  # the other programs are still compared
        return Comparison(name, (), error=f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _compared(name: str, seeds: Sequence[int], tries: int, draw: int) -> Comparison:
    program = subject(name)
    runs = {seed: train(program, seed, (), is_watched=True) for seed in seeds}
    failing = [seed for seed, run in runs.items() if not run.is_good]
    names = Counter(runs[seed].name for seed in failing if runs[seed].name in CAUSE_NAMES)
    if not names:
        return Comparison(name, failing)
    cause = str(names.most_common(1)[0][0])
    possible = applicable(program, failing[0])
    suggested = [each for each in network_remedies(cause) if each in possible][:tries]
    generator = np.random.default_rng([draw, zlib.crc32(name.encode())])
    random = generator.choice(possible, len(suggested), replace=False).tolist() if suggested else []
    learned = {
        remedy: sum(train(program, seed, (remedy,), is_watched=False).is_good for seed in failing)
        for remedy in dict.fromkeys([*suggested, *random])
    }
    return Comparison(name, failing, cause, len(possible), suggested, random, learned)
