"""A bar for a person at a terminal, and nothing but a last line in a log."""

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
