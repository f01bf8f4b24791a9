"""A bar for a person at a terminal, and nothing in a log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from tqdm import tqdm

from pipeline.training.common.trainer import Observer


class _EpochsBar:
    """Advances with the epochs that replicas have done, pre-training's too.

    See `training.common.trainer.Observer`.
    """

    def __init__(self, bar: tqdm, said: str, replicas: int, epochs: int) -> None:
        self._bar, self._said, self._replicas, self._epochs = bar, said, replicas, epochs

    def trained(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        done = len(replicas) * sum(epoch > 0 for epoch in epochs)
        epoch = (self._bar.n + done) // self._replicas
        self._bar.set_description_str(f"{self._said}: epoch {epoch} of {self._epochs}", refresh=False)
        self._bar.update(done)


@contextmanager
def epochs_bar(stage: str, variant: str, replicas: int, epochs: int) -> Iterator[Observer]:
    """Shows epochs done and the time left.

    Args:
        stage: what it is called that trains.
        epochs: of each replica, pre-training's too.
    """
    form = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed}, {remaining} left"
    with tqdm(
        total=replicas * epochs, desc=f"{stage} {variant}", bar_format=form, disable=None, leave=False, mininterval=0.2
    ) as bar:
        yield _EpochsBar(bar, f"{stage} {variant}", replicas, epochs)


@contextmanager
def cells_bar(study: str, cells: int) -> Iterator[Callable[[str], None]]:
    """Yields the callback: `done(name)` after each cell. Shows cells done and the time left."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt} of {total_fmt} cells, {elapsed}, {remaining} left"
    with tqdm(total=cells, desc=f"study {study}", bar_format=form, disable=None, leave=False) as bar:

        def done(name: str) -> None:
            bar.set_description_str(f"study {study}: {name}", refresh=False)
            bar.update()

        yield done
