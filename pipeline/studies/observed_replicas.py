"""What replicas that are trained in processes of their own tell, for the observers of a training."""

from collections.abc import Mapping
from threading import Lock

import numpy as np

from pipeline.studies.work import ReplicaWork
from pipeline.training.common.trainer import Observer


class ObservedReplicas:
    """Tells an observer of each replica's epochs in order, whatever thread hears of them; what a finished replica has
    not told, it has behind it all the same.

    Args:
        tasks: by the names under which they run.
    """

    def __init__(self, tasks: Mapping[str, ReplicaWork], observer: Observer) -> None:
        self._tasks, self._observer = tasks, observer
        self._next = dict.fromkeys(tasks, 0)
        self._telling = Lock()

    def on_epoch(self, name: str, epoch: int, curves: Mapping[str, float]) -> None:
        """The replica has an epoch behind it; curves by the record's names."""
        with self._telling:
            if epoch >= self._next[name]:
                self._tell(name, epoch + 1, {key: np.array([[value]], np.float32) for key, value in curves.items()})

    def on_cell(self, name: str) -> None:
        """The replica is there."""
        with self._telling:
            self._tell(name, self._tasks[name].training.epochs + 1, {})

    def _tell(self, name: str, end: int, curves: Mapping[str, np.ndarray]) -> None:
        epochs = range(self._next[name], end)
        if len(epochs) > 1 and curves:  # a worker that died, and another that began anew
            curves = {}
        if len(epochs):
            self._observer.trained([self._tasks[name].replica], epochs, curves)
            self._next[name] = end
