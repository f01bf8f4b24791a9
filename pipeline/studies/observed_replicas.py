"""Pass the epochs of replicas that train in other processes on to an observer."""

from collections.abc import Mapping
from threading import Lock

import numpy as np

from pipeline.studies.work import ReplicaWork
from pipeline.training.common.trainer import Observer


class ObservedReplicas:
    """Passes each replica's epochs to an observer in order, from any thread.

    When a replica is finished, the epochs that it did not report are passed on without curves.

    Args:
        tasks: the replicas by the names under which they run.
    """

    def __init__(self, tasks: Mapping[str, ReplicaWork], observer: Observer) -> None:
        self._tasks, self._observer = tasks, observer
        self._next = dict.fromkeys(tasks, 0)
        self._observing = Lock()

    def on_epoch(self, name: str, epoch: int, curves: Mapping[str, float]) -> None:
        """Pass on an epoch of a replica; curves are named as in the record."""
        with self._observing:
            if epoch >= self._next[name]:
                self._pass_on(name, epoch + 1, {key: np.array([[value]], np.float32) for key, value in curves.items()})

    def on_cell(self, name: str) -> None:
        """Pass on all remaining epochs of a finished replica."""
        with self._observing:
            self._pass_on(name, self._tasks[name].training.epochs + 1, {})

    def _pass_on(self, name: str, end: int, curves: Mapping[str, np.ndarray]) -> None:
        epochs = range(self._next[name], end)
        if len(epochs) > 1 and curves:  # a worker died, and another one started again
            curves = {}
        if len(epochs):
            self._observer.on_epochs([self._tasks[name].replica], epochs, curves)
            self._next[name] = end
