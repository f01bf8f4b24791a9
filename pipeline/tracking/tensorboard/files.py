"""Write the event files that TensorBoard reads. Each run has a folder, whose path is the run's name."""

from collections.abc import Iterable
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from pipeline.foundations.files import replacing_folder

EVENTS = Path("events")
# TensorBoard's own writer would put time, host and process into the name. Its reader accepts any name with `tfevents`.
FILE = "events.out.tfevents.0"


def save_events(runs: Iterable[tuple[str, Iterable[Event]]]) -> list[str]:
    """Replace the folder of events by the events of these runs; return the names of the runs.

    Args:
        runs: the name of each run, and its events.
    """
    names = []
    with replacing_folder(EVENTS) as folder:
        for name, events in runs:
            (folder / name).mkdir(parents=True)
            with (folder / name / FILE).open("wb") as file:
                writer = RecordWriter(file)
                for event in events:
                    writer.write(event.SerializeToString(deterministic=True))
            names.append(name)
    return names
