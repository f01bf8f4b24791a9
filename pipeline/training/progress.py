"""A bar for a person at a terminal, and nothing in a log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
def replicas_bar(
    network: str, replicas: Sequence[str], epochs: int
) -> Iterator[tuple[Callable[[str], None], Callable[[str, int, Mapping[str, float]], None]]]:
    """For replicas that are trained side by side; yields two callbacks: `done(name)` after each of them, and
    `at(name, epoch, curves)` while it trains."""
    epochs = max(1, epochs)
    reached = dict.fromkeys(replicas, 0)
    form = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed}, {remaining} left"
    total = len(replicas) * epochs
    with tqdm(total=total, desc=f"fit {network}", bar_format=form, disable=None, leave=False, mininterval=0.2) as bar:
        finished: set[str] = set()

        def at(name: str, epoch: int, curves: Mapping[str, float]) -> None:
            step, reached[name] = epoch - reached[name], max(epoch, reached[name])
            bar.update(max(0, step))

        def done(name: str) -> None:
            finished.add(name)
            said = f"fit {network}: {len(finished)} of {len(replicas)} replicas"
            bar.set_description_str(said, refresh=False)
            at(name, epochs, {})

        yield done, at


@contextmanager
def cells_bar(study: str, cells: int) -> Iterator[Callable[[str], None]]:
    """Yields the callback: `done(name)` after each cell. Shows cells done and the time left."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {n_fmt} of {total_fmt} cells, {elapsed}, {remaining} left"
    with tqdm(total=cells, desc=f"study {study}", bar_format=form, disable=None, leave=False) as bar:

        def done(name: str) -> None:
            bar.set_description_str(f"study {study}: {name}", refresh=False)
            bar.update()

        yield done
