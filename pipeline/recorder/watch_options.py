"""Define the options of watching a model."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How to watch a model; `Diagnosis` documents the other options.

    is_due: takes an epoch and whether it is the last; returns whether layers are measured after this epoch.
    rows: the largest number of rows in the probe.
    has_every_curve: whether losses and scores are measured after every epoch.
    """

    task: str
    is_due: Callable[[int, bool], bool]
    max_overhead: float | None
    histograms: bool
    rows: int
    has_every_curve: bool = False

    @property
    def is_thinned(self) -> bool:
        """Whether measuring has to be quick: it may take less time than the training."""
        return self.max_overhead is not None and self.max_overhead < 1
