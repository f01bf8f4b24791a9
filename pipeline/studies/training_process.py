"""Train in a process beside the worker, because the worker's threads use Python's and NumPy's global random generators.

Keras and a user's code use these generators too, so with other threads beside them a seed would guarantee nothing. The
process trains one replica after the other, so that TensorFlow is imported once. It ends when its worker ends, because a
thread waits for the end of its standard input.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Protocol

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError

OnEpoch = Callable[[int, Mapping[str, float]], None]
_process: subprocess.Popen[bytes] | None = None  # this worker's
_in_use = threading.Lock()


class Trainable(Protocol):
    """What the process trains; it must be picklable."""

    def train(self, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]: ...


def train(task: Trainable, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]:
    """Run `task.train(split, on_epoch)` in the process.

    Raises:
        UserError: as `task.train`.
        RuntimeError: `task.train` raised another error, or the process died.
    """
    with _in_use:
        process = _running()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump((task, split), process.stdin)
            process.stdin.flush()
            while True:
                kind, content = pickle.load(process.stdout)
                if kind == "epoch":
                    on_epoch(*content)
                elif kind == "done":
                    return content
                elif kind == "user error":
                    raise UserError(content)
                else:
                    raise RuntimeError(content)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = process.wait()
            raise RuntimeError(f"the process that trained it died (exit code {code}): out of memory?") from None
        except BaseException as error:
            if not isinstance(error, UserError | RuntimeError):  # its next messages would be about this task
                process.kill()
            raise


def _running() -> subprocess.Popen[bytes]:
    global _process
    if _process is None or _process.poll() is not None:
        command = [sys.executable, "-m", "pipeline.studies.training_process"]
        _process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())
    return _process


def _environment() -> dict[str, str]:
    """Return the environment with this process's import path, because a worker may run in any folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)}


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Train the tasks that the worker sends, until its end."""
    waiting: queue.SimpleQueue[tuple[Trainable, Split]] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(EOFError, pickle.UnpicklingError):
            while True:
                waiting.put(pickle.load(requests))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        task, split = waiting.get()
        try:
            files = task.train(split, lambda epoch, curves: _send(answers, epoch, curves))
            answer: tuple[str, dict[str, bytes] | str] = "done", files
        except UserError as error:
            answer = "user error", str(error)
        except Exception as error:
            answer = "failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        pickle.dump(answer, answers)
        answers.flush()


def _send(answers: IO[bytes], epoch: int, curves: Mapping[str, float]) -> None:
    pickle.dump(("epoch", (epoch, dict(curves))), answers)
    answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the worker instead
    to_worker = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a user's code may print, which must not mix with the answers
    _serve(sys.stdin.buffer, to_worker)
