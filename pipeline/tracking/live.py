"""`make live`: follow trainings in MLflow while they run. `make repro` and `make studies` start it by themselves.

A process of its own, which reads the progress files. A training that is soon over costs nothing: MLflow is imported
when one has run for some seconds. Nothing that goes wrong here reaches a training.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipeline.foundations.errors import masked, reported_in_one_line
from pipeline.foundations.files import root
from pipeline.history import training_progress

if TYPE_CHECKING:
    from pipeline.tracking.live_runs import LiveRuns

LONG = 5.0  # seconds; a training that has run for less is not shown
EVERY = 2.0  # seconds between two looks
RETRY = 5.0  # seconds before a store that did not answer is asked again
# MLflow's client would go on trying for minutes.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class Follower:
    """Keeps a live run for each training that takes long, and clears what crashes left."""

    def __init__(self) -> None:
        self._runs: LiveRuns | None = None
        self._left = (
            root() / training_progress.FOLDER / "live"
        )  # there while the store may hold live runs of a follower
        self._asked_again = 0.0
        self._has_warned = False

    def look(self) -> None:
        """At all progress files, once. Whatever the store says, nothing is raised."""
        found = training_progress.read_all()
        dead = {path: each for path, each in found.items() if not each.process.is_alive()}
        running = [each for path, each in found.items() if path not in dead]
        long = [each for each in running if time.time() > each.begun + LONG]
        if self._runs is None and not long and not self._left.exists():
            for path in dead:
                training_progress.remove(path)
        elif time.monotonic() >= self._asked_again:
            with self._patient():
                runs = self._connected()
                for path, each in dead.items():
                    runs.drop(each)
                    training_progress.remove(path)
                for each in long:
                    self._left.touch()
                    runs.show(each)
                runs.settle(running)

    def end(self) -> None:
        """Remove the live runs; where the store does not answer, the next follower does."""
        if self._runs is not None:
            with self._patient():
                self._runs.end()
                self._left.unlink(missing_ok=True)

    def _connected(self) -> "LiveRuns":
        if self._runs is None:
            for name, value in IMPATIENT.items():
                os.environ.setdefault(name, value)
            # Here, for they take seconds to import.
            from pipeline.params.params import read
            from pipeline.tracking.live_runs import LiveRuns

            self._runs = LiveRuns(read().tracking.experiment)
        return self._runs

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """One line for as long as the store does not answer, or refuses; it is asked again after a while."""
        try:
            yield
            self._has_warned = False
        except Exception as error:
            self._asked_again = time.monotonic() + RETRY
            if not self._has_warned:
                reason = masked((str(error).splitlines() or [type(error).__name__])[0])
                print(f"warning: live: {reason}; trainings go on, and show once this is mended", file=sys.stderr)
            self._has_warned = True


def main(with_parent: bool) -> None:
    """Follow until interrupted, or until the parent is gone; then leave nothing.

    Args:
        with_parent: whether to end when the standard input does, which the parent holds.
    """
    # A terminal that is closed, or a command that ends this one, must not leave its runs behind.
    for name in {"SIGTERM", "SIGHUP"} & set(signal.Signals.__members__):
        signal.signal(signal.Signals[name], signal.default_int_handler)
    over = threading.Event()
    if with_parent:
        threading.Thread(target=_wait_for_the_end_of_input, args=[over], daemon=True).start()
    (root() / training_progress.FOLDER).mkdir(exist_ok=True)
    try:
        with FileLock(root() / training_progress.FOLDER / "follower.lock", timeout=0):
            if not with_parent:
                print("trainings of this repository are followed in MLflow; stop with Ctrl-C", flush=True)
            _follow(over)
    except Timeout:
        print("live: another process follows the trainings here already", flush=True)


def _follow(over: threading.Event) -> None:
    follower = Follower()
    try:
        while not over.is_set():
            follower.look()
            over.wait(EVERY)
    except KeyboardInterrupt:
        pass
    finally:
        follower.end()


def _wait_for_the_end_of_input(over: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    over.set()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Follow trainings in MLflow while they run; ends with Ctrl-C.")
    parser.add_argument("--with-parent", action="store_true", help="end when the standard input does")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.with_parent)
