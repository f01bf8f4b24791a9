"""Show progress bars in a terminal; without a terminal, show nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from tqdm import tqdm

from pipeline.training.common.trainer import Observer


class _EpochsBar:
    """A bar of all replicas' finished epochs, pre-training included; see `training.common.trainer.Observer`."""

    def __init__(self, bar: tqdm, label: str, replicas: int, epochs: int) -> None:
        self._bar, self._label, self._replicas, self._epochs = bar, label, replicas, epochs

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        finished = len(replicas) * sum(epoch > 0 for epoch in epochs)
        epoch = (self._bar.n + finished) // self._replicas
        self._bar.set_description_str(f"{self._label}: epoch {epoch} of {self._epochs}", refresh=False)
        self._bar.update(finished)


@contextmanager
def epochs_bar(stage: str, variant: str, replicas: int, epochs: int) -> Iterator[Observer]:
    """Yield an observer that shows the finished epochs and the time left.

    Args:
        stage: the stage's name, which is shown before the variant's name.
        epochs: the number of epochs of each replica, pre-training included.
    """
    bar_format = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed}, {remaining} left"
    with tqdm(
        total=replicas * epochs,
        desc=f"{stage} {variant}",
        bar_format=bar_format,
        disable=None,
        leave=False,
        mininterval=0.2,
    ) as bar:
        yield _EpochsBar(bar, f"{stage} {variant}", replicas, epochs)


@contextmanager
def cells_bar(study: str, cells: int) -> Iterator[Callable[[str], None]]:
    """Show the finished cells and the time left; yield a function to call with the name of each finished cell."""
    bar_format = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt} of {total_fmt} cells, {elapsed}, {remaining} left"
    with tqdm(total=cells, desc=f"study {study}", bar_format=bar_format, disable=None, leave=False) as bar:

        def on_cell(name: str) -> None:
            bar.set_description_str(f"study {study}: {name}", refresh=False)
            bar.update()

        yield on_cell
