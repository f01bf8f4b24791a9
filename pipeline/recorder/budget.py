"""Limit the time of measuring to a share of the training time; `history.recorded_epochs` chooses the epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Budget:
    """Counts the seconds of training and of measuring; the first compilation counts as neither.

    share: the largest measuring time, as a fraction of the training time; None for no limit.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._training_seconds = 0.0
        self._measuring_seconds = 0.0
        self._shortest_measurement: float | None = None
        self._epoch_start: float | None = None

    @property
    def has_time(self) -> bool:
        """Whether another measurement fits into the budget, if it takes as long as the shortest one so far."""
        if self._share is None or self._shortest_measurement is None:
            return True
        return self._measuring_seconds + self._shortest_measurement <= self._share * self._training_seconds

    def epoch_begins(self) -> None:
        """Start counting seconds of training."""
        self._epoch_start = perf_counter()

    def epoch_ends(self) -> None:
        """Stop counting seconds of training."""
        if self._epoch_start is not None:
            self._training_seconds += perf_counter() - self._epoch_start
        self._epoch_start = None

    @contextmanager
    def measuring(self, is_whole: bool = True) -> Iterator[None]:
        """Count the seconds of the context as measuring; not for a context in which TensorFlow compiles.

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
