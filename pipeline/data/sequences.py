"""Draw sequences whose target depends on early steps: four tasks of the literature on recurrent networks.

Each row is a sequence [step, feature] with one target. `data.config` has `steps` (the length of every sequence),
`samples` (the number of rows) and `seed`. A new source is a function and an entry of SEQUENCES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.data.raw_table import RawTable
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams
from pipeline.params.file import StrictSection, check

MOST_NUMBERS: Final = 200_000_000  # in all sequences: 1.6 GB
RELEVANT: Final = 3  # the first steps of a latch, which hold its class
NOISE: Final = 0.2**0.5  # standard deviation of a latch's other steps
SYMBOLS: Final = 8  # of copy_memory
COPIED: Final = 10  # symbols at the beginning of copy_memory's sequences
DISTRACTORS: Final = 4  # symbols of temporal_order that mean nothing


class SequenceConfig(StrictSection):
    """The arguments of a source of sequences."""

    steps: Annotated[int, Field(ge=1, le=100_000)]
    samples: Annotated[int, Field(ge=2, le=10_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]


def adding_problem(random: np.random.Generator, samples: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the adding problem: add the two marked numbers (Hochreiter & Schmidhuber 1997, experiment 4).

    Feature 1 is uniform in [0, 1]. Feature 2 is 1 at two steps, one drawn from each half, and 0 at all others, as in
    Arjovsky et al. 2016 (arXiv 1511.06464). The target is the sum of feature 1 at these two steps. Its variance is 1/6:
    a network that ignores the inputs reaches a mean squared error of 0.167.

    Returns:
        Sequences float64 [sample, step, 2], and sums float64 [sample].
    """
    rows, half = np.arange(samples), steps // 2
    numbers, marks = random.uniform(size=(samples, steps)), np.zeros((samples, steps))
    marked = [random.integers(0, half, samples), random.integers(half, steps, samples)]
    for each in marked:
        marks[rows, each] = 1
    return np.stack([numbers, marks], axis=2), numbers[rows, marked[0]] + numbers[rows, marked[1]]


def temporal_order(random: np.random.Generator, samples: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the temporal order problem: name two symbols in their order (Hochreiter & Schmidhuber 1997, experiment 6a).

    The sequences have six symbols, each a feature of its own. Two steps hold X or Y, one drawn from the second tenth of
    the sequence, and one from its sixth tenth, as in Pascanu et al. 2013 (arXiv 1211.5063). All others hold one of four
    distractors. The class is XX, XY, YX or YY, each as probable.

    Returns:
        Sequences float64 [sample, step, 6], X and Y first; and labels int64 [sample].
    """
    rows = np.arange(samples)
    symbols = random.integers(2, 2 + DISTRACTORS, (samples, steps))
    first, second = random.integers(0, 2, (2, samples))
    symbols[rows, random.integers(steps // 10, 2 * steps // 10, samples)] = first
    symbols[rows, random.integers(5 * steps // 10, 6 * steps // 10, samples)] = second
    return np.eye(2 + DISTRACTORS)[symbols], 2 * first + second


def latch(random: np.random.Generator, samples: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the two-sequence problem: keep the sign of the first steps (Bengio et al. 1994; Hochreiter & Schmidhuber
    1997, experiment 3a).

    The first three steps are -1 for the class `negative`, and 1 for `positive`, each as probable. All others are normal
    with mean 0 and variance 0.2, and mean nothing.

    Returns:
        Sequences float64 [sample, step, 1], and labels int64 [sample].
    """
    labels = random.integers(0, 2, samples)
    values = random.normal(0, NOISE, (samples, steps))
    values[:, :RELEVANT] = 2 * labels[:, None] - 1
    return values[:, :, None], labels


def copy_memory(random: np.random.Generator, samples: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw copy memory: repeat the first ten symbols at the end (Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016,
    arXiv 1511.06464).

    The sequences have eight symbols, a blank and a delimiter, each a feature of its own. The first ten steps hold
    symbols, the last one holds the delimiter, and all between are blank. The papers ask for one symbol a step, in ten
    further steps. Here a row has one vector of targets, so a network names all ten at the delimiter, as numbers from
    0 to 1.

    Returns:
        Sequences float64 [sample, step, 10], and values float64 [sample, 10].
    """
    symbols = np.full((samples, steps), SYMBOLS)
    symbols[:, :COPIED] = random.integers(0, SYMBOLS, (samples, COPIED))
    symbols[:, -1] = SYMBOLS + 1
    return np.eye(SYMBOLS + 2)[symbols], symbols[:, :COPIED] / (SYMBOLS - 1)


@dataclass(frozen=True)
class SequenceSource:
    """A source of sequences.

    draw: takes a random generator, the number of rows and of steps; returns sequences and targets.
    features: the number of features of a step.
    fewest_steps: the length of the shortest sequence that has the task.
    classes: the names of the classes in the order of their labels; empty for a regression.
    """

    draw: Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]
    features: int
    fewest_steps: int
    classes: tuple[str, ...] = ()


SEQUENCES: Final[Mapping[str, SequenceSource]] = {
    "adding_problem": SequenceSource(adding_problem, 2, 2),
    "temporal_order": SequenceSource(temporal_order, 2 + DISTRACTORS, 10, ("XX", "XY", "YX", "YY")),
    "latch": SequenceSource(latch, 1, RELEVANT + 1, ("negative", "positive")),
    "copy_memory": SequenceSource(copy_memory, SYMBOLS + 2, COPIED + 2),
}


def expect_config(params: DataParams) -> SequenceConfig:
    """Return the arguments of a source of sequences.

    Raises:
        UserError: an argument is missing, unknown or outside its limits.
    """
    source, config = SEQUENCES[params.source], check(params.config, "data.config", SequenceConfig)
    if config.steps < source.fewest_steps:
        raise UserError(
            f"data.config.steps: {config.steps}: must be at least {source.fewest_steps} for {params.source}"
        )
    numbers = config.samples * config.steps * source.features
    if numbers > MOST_NUMBERS:
        raise UserError(
            f"data.config.samples: {config.samples}: {numbers:,} numbers in all: must be at most {MOST_NUMBERS:,}; "
            "lower samples or steps"
        )
    return config


def draw(params: DataParams) -> RawTable:
    """Draw the rows of a source of sequences; the same arguments give the same rows.

    Raises:
        UserError: see `expect_config`.
    """
    source, config = SEQUENCES[params.source], expect_config(params)
    inputs, targets = source.draw(np.random.Generator(np.random.PCG64(config.seed)), config.samples, config.steps)
    name = "label" if source.classes else "target"
    names = [name] if targets.ndim == 1 else [f"{name}{number}" for number in range(1, targets.shape[1] + 1)]
    table = pd.DataFrame(targets.reshape(len(targets), -1), columns=names)
    return RawTable(inputs, table, bool(source.classes), source.classes or None)
