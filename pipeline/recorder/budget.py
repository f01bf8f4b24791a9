"""Limit the time of measuring to a share of the training time; `history.recorded_epochs` chooses the epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

# The start takes about a second, and nothing can avoid it. Where a short training leaves no time beside it, measuring
# may still take so many times `share` as long as the start: by default, as long. So the record of a short training has
# most of its epochs, also where other programs keep the machine busy.
AFTER_START: Final = 10


def seconds_after_start(share: float, training: float, start: float) -> float:
    """Return how many seconds measuring may take after the start.

    Args:
        share: the largest measuring time, as a fraction of the training time; it includes the start.
        training: the seconds of training so far.
        start: the seconds of the start.
    """
    return max(share * training - start, AFTER_START * share * start)


class Budget:
    """Counts the seconds of training and of measuring.

    share: the largest measuring time, as a fraction of the training time; None for no limit. It includes the start,
        which is all that is prepared, and the first recorded epoch, in which TensorFlow compiles.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._training_seconds = 0.0
        self._start_seconds = 0.0
        self._measuring_seconds = 0.0  # after the start
        self._shortest_measurement: float | None = None
        self._epoch_start: float | None = None

    @property
    def has_time(self) -> bool:
        """Whether another measurement fits into the budget, if it takes as long as the shortest one so far.

        The last epoch is always measured, so its time is kept free.
        """
        if self._share is None or self._shortest_measurement is None:
            return True
        allowed = seconds_after_start(self._share, self._training_seconds, self._start_seconds)
        return self._measuring_seconds + 2 * self._shortest_measurement <= allowed

    def epoch_begins(self) -> None:
        """Start counting seconds of training."""
        self._epoch_start = perf_counter()

    def epoch_ends(self) -> None:
        """Stop counting seconds of training."""
        if self._epoch_start is not None:
            self._training_seconds += perf_counter() - self._epoch_start
        self._epoch_start = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Count the seconds of the context as the start."""
        start = perf_counter()
        try:
            yield
        finally:
            self._start_seconds += perf_counter() - start

    @contextmanager
    def measuring(self, is_whole: bool = True) -> Iterator[None]:
        """Count the seconds of the context as measuring.

        Args:
            is_whole: whether the context is a whole measurement; False for a part of a measurement.
        """
        start = perf_counter()
        try:
            yield
        finally:
            seconds = perf_counter() - start
            self._measuring_seconds += seconds
            if is_whole:
                self._shortest_measurement = (
                    seconds if self._shortest_measurement is None else min(seconds, self._shortest_measurement)
                )
