"""The event files that TensorBoard reads: one folder for each run, whose path is the run's name."""

from collections.abc import Iterable
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from pipeline.foundations.files import replacing_folder

EVENTS = Path("events")
# TensorBoard's own writer puts clock, host and process into the name; its reader takes any name with `tfevents`.
FILE = "events.out.tfevents.0"


def save_events(runs: Iterable[tuple[str, Iterable[Event]]]) -> list[str]:
    """Write all runs by name, in place of what the folder held before; return the names."""
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
