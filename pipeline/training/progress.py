"""A bar for a person at a terminal, and nothing in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def epochs_bar(variant: str, replicas: int, epochs: int) -> Iterator[Callable[[int], None]]:
    """Yields the callback: `advance(n)` after n replicas trained an epoch. Shows epochs done and the time left."""
    total = replicas * epochs
    form = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed}, {remaining} left"
    with tqdm(total=total, desc=f"train {variant}", bar_format=form, disable=None, leave=False, mininterval=0.2) as bar:

        def advance(done: int) -> None:
            epoch = (bar.n + done) * epochs // total
            bar.set_description_str(f"train {variant}: epoch {epoch} of {epochs}", refresh=False)
            bar.update(done)

        yield advance


@contextmanager
def cells_bar(study: str, cells: int) -> Iterator[Callable[[str], None]]:
    """Yields the callback: `done(name)` after each cell. Shows cells done and the time left."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt} of {total_fmt} cells, {elapsed}, {remaining} left"
    with tqdm(total=cells, desc=f"study {study}", bar_format=form, disable=None, leave=False) as bar:

        def done(name: str) -> None:
            bar.set_description_str(f"study {study}: {name}", refresh=False)
            bar.update()

        yield done
