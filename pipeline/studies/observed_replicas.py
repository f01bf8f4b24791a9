"""Pass the epochs of replicas that train in other processes on to an observer."""

from collections.abc import Mapping
from threading import Lock

import numpy as np

from pipeline.studies.work import ReplicaWork
from pipeline.training.common.trainer import Observer


class ObservedReplicas:
    """Passes each replica's epochs to an observer in order; may be called from any thread.

    When a replica is finished, the observer gets the epochs that the replica did not report, without curves.

    Args:
        tasks: the work of each replica, by task name.
    """

    def __init__(self, tasks: Mapping[str, ReplicaWork], observer: Observer) -> None:
        self._tasks, self._observer = tasks, observer
        self._next_epoch = dict.fromkeys(tasks, 0)
        self._lock = Lock()

    def on_epoch(self, name: str, epoch: int, curves: Mapping[str, float]) -> None:
        """Pass on an epoch of a replica; `curves` holds values by their names in the record."""
        with self._lock:
            if epoch >= self._next_epoch[name]:
                self._pass_on(name, epoch + 1, {key: np.array([[value]], np.float32) for key, value in curves.items()})

    def on_cell(self, name: str) -> None:
        """Pass on all remaining epochs of a finished replica."""
        with self._lock:
            self._pass_on(name, self._tasks[name].training.epochs + 1, {})

    def _pass_on(self, name: str, end: int, curves: Mapping[str, np.ndarray]) -> None:
        epochs = range(self._next_epoch[name], end)
        if len(epochs) > 1 and curves:  # a worker died, and another worker trains the replica again
            curves = {}
        if len(epochs):
            self._observer.on_epochs([self._tasks[name].replica], epochs, curves)
            self._next_epoch[name] = end
