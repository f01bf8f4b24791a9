"""TensorBoard's events of a watched training, written while it trains, as the pipeline writes those of a replica."""

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from tensorboard.summary.writer.record_writer import RecordWriter

from pipeline.tracking.tensorboard.summaries import events
from pipeline.watch.watched_fit import WatchedFit

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching

RUN: Final = "diagnosis"  # beside `train` and `validation`, the runs of Keras's own callback


class Events:
    """One event file, in a folder of its own."""

    name = "TensorBoard"

    def __init__(self, logs: Path) -> None:
        folder = logs / RUN
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = RecordWriter((folder / f"events.out.tfevents.{time():.6f}").open("wb"))
        self._shown: set[int] = set()
        self._has_version = False

    def show(self, watching: "Watching") -> None:
        """Write the epochs that were recorded since the last call."""
        new = sorted(set(watching.recorder.states) - self._shown)
        for event in events(watching.history.sel(epoch=new, recorded_epoch=new), 0):
            if event.HasField("file_version") and self._has_version:
                continue
            self._has_version = True
            event.wall_time = time()
            self._writer.write(event.SerializeToString())
        self._writer.flush()
        self._shown |= set(new)

    def close(self, fit: WatchedFit, is_finished: bool) -> None:
        """Close the file."""
        self._writer.close()
