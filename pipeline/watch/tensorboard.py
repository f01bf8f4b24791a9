"""Write TensorBoard's events while a watched model trains, in the same form as the pipeline's own events."""

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from tensorboard.summary.writer.record_writer import RecordWriter

from pipeline.tracking.tensorboard.summaries import events
from pipeline.watch.watched_fit import WatchedFit

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching

RUN: Final = "diagnosis"  # Keras's own callback writes the runs `train` and `validation`


class Events:
    """Writes one event file in a separate folder."""

    name = "TensorBoard"

    def __init__(self, logs: Path) -> None:
        folder = logs / RUN
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = RecordWriter((folder / f"events.out.tfevents.{time():.6f}").open("wb"))
        self._shown_epochs: set[int] = set()
        self._has_version = False

    def show(self, watching: "Watching") -> None:
        """Write the epochs that were recorded since the last call."""
        new = sorted(set(watching.recorder.states) - self._shown_epochs)
        for event in events(watching.early_history.sel(epoch=new, recorded_epoch=new), 0):
            if event.HasField("file_version") and self._has_version:
                continue
            self._has_version = True
            event.wall_time = time()
            self._writer.write(event.SerializeToString())
        self._writer.flush()
        self._shown_epochs |= set(new)

    def close(self, fit: WatchedFit, is_finished: bool) -> None:
        """Close the file."""
        self._writer.close()
