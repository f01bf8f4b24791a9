"""Read the learning rate of each epoch, to see whether it ended long before the training did."""

from collections.abc import Sequence
from typing import Final

import keras
import numpy as np

ENDED: Final = 0.01  # of the greatest learning rate; smaller steps hardly move the weights any more
PLACES: Final = 8  # iterations of the first epoch at which a schedule is read, because it may peak within this epoch


class LearningRates:
    """Reads a model's learning rate after each epoch.

    Another optimizer starts a new series, because its learning rate may be smaller on purpose, for fine-tuning.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._optimizer: keras.optimizers.Optimizer | None = None
        self._greatest = 0.0
        self._by_epoch: list[float] = []

    def begin(self) -> None:
        """Read the learning rate before the first step of a `fit`."""
        if self._model.optimizer is not self._optimizer:
            self._optimizer = self._model.optimizer
            self._greatest, self._by_epoch = 0.0, []
        rate = self._rate()
        if rate is not None:
            self._greatest = max(self._greatest, rate)

    def epoch_ends(self) -> float | None:
        """Read and return the learning rate after an epoch; None without an optimizer."""
        rate = self._rate()
        if rate is None:
            return None
        self._greatest = max(self._greatest, rate, *([] if self._by_epoch else self._within_epoch()))
        self._by_epoch.append(rate)
        return rate

    @property
    def facts(self) -> dict[str, float]:
        """`rate_end` and `rate_ended_share`; empty before the first epoch, or if the learning rate was always 0."""
        return rate_facts(self._by_epoch, self._greatest)

    def _rate(self) -> float | None:
        optimizer = self._optimizer
        return None if optimizer is None else float(np.asarray(optimizer.learning_rate))

    def _within_epoch(self) -> list[float]:
        """Return the learning rates of a schedule at iterations up to now."""
        optimizer = self._optimizer
        if optimizer is None or (schedule := schedule_of(optimizer)) is None:
            return []
        iterations = np.linspace(0, int(_innermost(optimizer).iterations), PLACES).astype(int)
        return [float(np.asarray(schedule(int(iteration)))) for iteration in iterations]


def rate_facts(by_epoch: Sequence[float], greatest: float) -> dict[str, float]:
    """Return `rate_end` and `rate_ended_share`; empty without epochs, or if the learning rate was always 0.

    Args:
        by_epoch: the learning rate after each epoch.
        greatest: the greatest learning rate so far.
    """
    if not by_epoch or not greatest:
        return {}
    shares = np.array(by_epoch) / greatest
    return {"rate_end": float(shares[-1]), "rate_ended_share": float((shares < ENDED).mean())}


def schedule_of(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Return the schedule of the learning rate; None if the rate is constant."""
    schedule = getattr(_innermost(optimizer), "_learning_rate", None)
    return schedule if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule) else None


def _innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    inner: keras.optimizers.Optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return inner
