"""Open the sinks to which a record is written while it grows: MLflow and TensorBoard."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.recorder.guard import Guard
from pipeline.watch.watched_fit import WatchedFit

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching


class Sink(Protocol):
    """Shows a growing record to the user.

    name: the name in messages.
    """

    name: str

    def show(self, watching: "Watching") -> None:
        """Show the epochs that were recorded since the last call."""

    def close(self, fit: WatchedFit, is_finished: bool) -> None:
        """Show the results, and close; `is_finished` is False if an error ended `fit`."""


def open_sinks(model: str, epochs: int, tensorboard: Path | None, mlflow: bool | None, guard: Guard) -> list[Sink]:
    """Open the requested sinks; a sink that cannot be opened is noted and left out.

    Args:
        model: the name of the model.
        epochs: the largest number of epochs of `fit`.
        tensorboard: see `Diagnosis`.
        mlflow: see `Diagnosis`.
        guard: logs errors.
    """
    # Imported here, because each package is needed only for its own sink.
    sinks: list[Sink] = []
    if tensorboard is not None:
        with guard("write to TensorBoard"):
            from pipeline.watch.tensorboard import Events

            sinks.append(Events(tensorboard))
    with guard("write to MLflow"):
        from pipeline.watch.mlflow_run import LiveRun, is_wanted

        if is_wanted(mlflow):
            sinks.append(LiveRun(model, epochs, guard))
    return sinks
