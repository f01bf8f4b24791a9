"""TensorBoard's events of a watched training, written while it trains: as the pipeline writes those of a replica."""

from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from tensorboard.summary.writer.record_writer import RecordWriter

from pipeline.tracking.tensorboard.summaries import events

if TYPE_CHECKING:
    from pipeline.recorder.watching import Watching
    from pipeline.watch.callback import Diagnosis

RUN: Final = "diagnosis"  # beside `train` and `validation`, the runs of Keras's own callback


class Events:
    """One event file, in a folder of its own."""

    name = "TensorBoard"

    def __init__(self, logs: Path) -> None:
        folder = logs / RUN
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"events.out.tfevents.{time():.6f}").open("wb")
        self._writer = RecordWriter(self._file)
        self._shown: set[int] = set()
        self._began = False

    def show(self, watching: "Watching") -> None:
        """The epochs that were recorded since."""
        new = sorted(set(watching.recorder.states) - self._shown)
        history = watching.history.sel(epoch=new, recorded_epoch=new)
        for event in events(history, 0):
            if event.HasField("file_version") and self._began:
                continue
            self._began = True
            event.wall_time = time()
            self._writer.write(event.SerializeToString())
        self._writer.flush()
        self._shown |= set(new)

    def close(self, diagnosis: "Diagnosis", finished: bool) -> None:
        """What is left, and the file."""
        try:
            if diagnosis.is_recorded:
                self.show(diagnosis.watching)
        finally:
            self._writer.close()
