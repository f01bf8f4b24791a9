"""Where a record is shown while it grows: MLflow and TensorBoard."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.recorder.guard import Guard
from pipeline.watch.watched_fit import WatchedFit

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching


class Sink(Protocol):
    """Shows a record. name: for messages."""

    name: str

    def show(self, watching: "Watching") -> None:
        """Show the epochs that were recorded since the last call."""

    def close(self, fit: WatchedFit, is_finished: bool) -> None:
        """Show the results and end; `is_finished` is False where `fit` ended by an error."""


def open_sinks(model: str, epochs: int, tensorboard: Path | None, mlflow: bool | None, guard: Guard) -> list[Sink]:
    """Return the sinks that are wanted and can be opened.

    Args:
        model: its name. epochs: that `fit` may take. tensorboard, mlflow: as `Diagnosis` takes them.
    """
    # Imported here, for neither package is needed without its sink.
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
