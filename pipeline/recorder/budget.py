"""The time budget of measuring: a share of what the training itself takes. Which epochs are due: `recorded_epochs`."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Budget:
    """Counts the seconds of training and of measuring, without those of the first compilation.

    share: of the training's time that measuring may take; None for no limit.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._training = 0.0
        self._measuring = 0.0
        self._shortest: float | None = None
        self._began: float | None = None

    @property
    def is_enough(self) -> bool:
        """Whether one more measurement, as long as the shortest so far, stays within the share."""
        if self._share is None or self._shortest is None:
            return True
        return self._measuring + self._shortest <= self._share * self._training

    def epoch_begins(self) -> None:
        """Start the training's clock."""
        self._began = perf_counter()

    def epoch_ends(self) -> None:
        """Stop the training's clock."""
        if self._began is not None:
            self._training += perf_counter() - self._began
        self._began = None

    @contextmanager
    def measuring(self, is_whole: bool = True) -> Iterator[None]:
        """Count the seconds of the context as measuring; do not use it around what compiles.

        Args:
            is_whole: whether the context is a measurement, and not only a part of one.
        """
        began = perf_counter()
        try:
            yield
        finally:
            seconds = perf_counter() - began
            self._measuring += seconds
            if is_whole:
                self._shortest = seconds if self._shortest is None else min(seconds, self._shortest)
