"""Progress bars for a terminal; nothing is written to a log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from tqdm import tqdm

from pipeline.training.common.trainer import Observer


class _EpochsBar:
    """Advances with the finished epochs of replicas, pre-training included; see `training.common.trainer.Observer`."""

    def __init__(self, bar: tqdm, label: str, replicas: int, epochs: int) -> None:
        self._bar, self._label, self._replicas, self._epochs = bar, label, replicas, epochs

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        done = len(replicas) * sum(epoch > 0 for epoch in epochs)
        epoch = (self._bar.n + done) // self._replicas
        self._bar.set_description_str(f"{self._label}: epoch {epoch} of {self._epochs}", refresh=False)
        self._bar.update(done)


@contextmanager
def epochs_bar(stage: str, variant: str, replicas: int, epochs: int) -> Iterator[Observer]:
    """Yield an observer that shows the finished epochs and the time left.

    Args:
        stage: the name to show before that of the variant.
        epochs: how many epochs each replica will train, pre-training included.
    """
    form = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed}, {remaining} left"
    with tqdm(
        total=replicas * epochs, desc=f"{stage} {variant}", bar_format=form, disable=None, leave=False, mininterval=0.2
    ) as bar:
        yield _EpochsBar(bar, f"{stage} {variant}", replicas, epochs)


@contextmanager
def cells_bar(study: str, cells: int) -> Iterator[Callable[[str], None]]:
    """Show the finished cells and the time left; yield a function to call with the name of each finished cell."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt} of {total_fmt} cells, {elapsed}, {remaining} left"
    with tqdm(total=cells, desc=f"study {study}", bar_format=form, disable=None, leave=False) as bar:

        def done(name: str) -> None:
            bar.set_description_str(f"study {study}: {name}", refresh=False)
            bar.update()

        yield done
