"""How often there is time to measure: a share of what the training itself takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Budget:
    """Counts the seconds of the training and of the measuring; what compiles for the first time is left out.

    share: of the training's time that measuring may take; None for as much as it takes.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._trained = 0.0
        self._measured = 0.0
        self._least: float | None = None
        self._began: float | None = None

    @property
    def is_enough(self) -> bool:
        """Whether one more measurement stays within the share; the shortest so far says what one takes."""
        if self._share is None or self._least is None:
            return True
        return self._measured + self._least <= self._share * self._trained

    def epoch_begins(self) -> None:
        """The training goes on."""
        self._began = perf_counter()

    def epoch_ends(self) -> None:
        """It pauses."""
        if self._began is not None:
            self._trained += perf_counter() - self._began
        self._began = None

    @contextmanager
    def measuring(self, whole: bool = True) -> Iterator[None]:
        """What is done in the context is measuring; the caller leaves out what compiles.

        Args:
            whole: whether it is a measurement, and not a part of one.
        """
        began = perf_counter()
        try:
            yield
        finally:
            took = perf_counter() - began
            self._measured += took
            if whole:
                self._least = took if self._least is None else min(took, self._least)
