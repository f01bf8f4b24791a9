"""`make live`: show trainings in MLflow while they run. `make repro` and `make studies` start this automatically.

It is a process of its own, which reads the progress files, so its failures do not affect the trainings. It imports
MLflow only when a training has run for some seconds, so short trainings cost nothing.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipeline.foundations.errors import masked, reported_in_one_line
from pipeline.foundations.files import root
from pipeline.history import training_progress

if TYPE_CHECKING:
    from pipeline.tracking.live_runs import LiveRuns

LONG = 5.0  # seconds; a training is shown once it has run so long
INTERVAL = 2.0  # seconds between two readings of the progress files
RETRY = 5.0  # seconds before the next request to a store that did not answer


class Follower:
    """Shows each long training as a live run in MLflow, and removes live runs that a crash left behind."""

    def __init__(self) -> None:
        self._runs: LiveRuns | None = None
        self._mark = root() / training_progress.FOLDER / "live"  # exists while the store may hold live runs
        self._retry_at = 0.0
        self._has_warned = False

    def look(self) -> None:
        """Read all progress files once and update the live runs; print errors of the store instead of raising them."""
        trainings = training_progress.read_all()
        dead = {path: each for path, each in trainings.items() if not each.process.is_alive()}
        running = [each for path, each in trainings.items() if path not in dead]
        long = [each for each in running if time.time() > each.begun + LONG]
        if self._runs is None and not long and not self._mark.exists():
            for path in dead:
                training_progress.remove(path)
        elif time.monotonic() >= self._retry_at:
            with self._errors_printed():
                runs = self._connected()
                for path, each in dead.items():
                    runs.drop(each)
                    training_progress.remove(path)
                for each in long:
                    self._mark.touch()
                    runs.show(each)
                runs.settle(running)

    def end(self) -> None:
        """Remove the live runs. If the store does not answer, they stay, and the next follower removes them."""
        if self._runs is not None:
            with self._errors_printed():
                self._runs.end()
                self._mark.unlink(missing_ok=True)

    def _connected(self) -> "LiveRuns":
        if self._runs is None:
            # Imported here, because they take seconds to import.
            from pipeline.params.params import read
            from pipeline.tracking.live_runs import LiveRuns

            self._runs = LiveRuns(read().tracking.experiment)
        return self._runs

    @contextmanager
    def _errors_printed(self) -> Iterator[None]:
        """Print an error of the store instead of raising it, and only once until the store answers again."""
        try:
            yield
            self._has_warned = False
        except Exception as error:
            self._retry_at = time.monotonic() + RETRY
            if not self._has_warned:
                reason = masked((str(error).splitlines() or [type(error).__name__])[0])
                print(
                    f"warning: live: {reason}; trainings continue, and appear in MLflow once it answers",
                    file=sys.stderr,
                )
            self._has_warned = True


def main(with_parent: bool) -> None:
    """Show trainings until Ctrl-C or until the parent process ends; then remove all live runs.

    Args:
        with_parent: whether to end with the parent process. The parent holds the standard input of this process open,
            so the input ends when the parent ends.
    """
    end = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        end.set()  # because a library may catch the exception, such as Python itself in a destructor
        raise KeyboardInterrupt

    # Remove the live runs also when the terminal closes or another command ends this process.
    for name in {"SIGINT", "SIGTERM", "SIGHUP"} & set(signal.Signals.__members__):
        signal.signal(signal.Signals[name], interrupt)
    if with_parent:
        threading.Thread(target=_wait_for_the_end_of_input, args=[end], daemon=True).start()
    (root() / training_progress.FOLDER).mkdir(exist_ok=True)
    try:
        with FileLock(root() / training_progress.FOLDER / "follower.lock", timeout=0):
            if not with_parent:
                print("showing this repository's trainings in MLflow; stop with Ctrl-C", flush=True)
            _follow(end)
    except Timeout:
        print("live: another process already shows the trainings of this repository", flush=True)


def _follow(end: threading.Event) -> None:
    follower = Follower()
    try:
        while not end.is_set():
            follower.look()
            end.wait(INTERVAL)
    except KeyboardInterrupt:
        pass
    finally:
        follower.end()


def _wait_for_the_end_of_input(end: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    end.set()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show trainings in MLflow while they run; stop with Ctrl-C.")
    parser.add_argument("--with-parent", action="store_true", help="end when the standard input ends")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.with_parent)
