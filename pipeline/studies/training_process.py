"""Train replicas in a second process, where a seed determines all random numbers.

Keras and a user's code draw from Python's and NumPy's global random generators. Other threads of a worker use them too,
so in the worker itself a seed would guarantee nothing. The process trains its worker's replicas one after the other, so
that TensorFlow is imported once. One of its threads reads standard input, and ends the process when the worker ends.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Protocol

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.training.common.trainer import OnEpoch

_process: subprocess.Popen[bytes] | None = None  # the training process of this worker
_lock = threading.Lock()


class Trainable(Protocol):
    """A task that the process can train; must be picklable."""

    def train(self, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]: ...


def train(task: Trainable, split: Split, on_epoch: OnEpoch) -> dict[str, bytes]:
    """Run `task.train(split, on_epoch)` in the training process; return its files by name.

    Raises:
        UserError: `task.train` raised it.
        RuntimeError: `task.train` raised another error, or the process died.
    """
    with _lock:
        process = _ensure_process()
        try:
            with _report_death(process):
                assert process.stdin is not None
                _send((task, split), process.stdin)
            while True:
                with _report_death(process):
                    assert process.stdout is not None
                    kind, content = pickle.load(process.stdout)
                if kind != "epoch":
                    break
                on_epoch(*content)
        except BaseException:  # otherwise the process keeps sending messages, and the next task would read them
            with suppress(BrokenPipeError), process:  # closes its pipes
                process.kill()
            raise
        if kind == "done":
            return content
        raise UserError(content) if kind == "user error" else RuntimeError(content)


@contextmanager
def _report_death(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        code = process.wait()
        raise RuntimeError(f"the training process died (exit code {code}): out of memory?") from None


def _ensure_process() -> subprocess.Popen[bytes]:
    """Return the training process; start it if it does not run."""
    global _process
    if _process is None or _process.poll() is not None:
        command = [sys.executable, "-m", "pipeline.studies.training_process"]
        # The process gets this process's import path, because a worker may run in any folder.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folder or os.getcwd() for folder in sys.path)}
        _process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    return _process


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Train the tasks that the worker sends, until the worker ends."""
    tasks: queue.SimpleQueue[tuple[Trainable, Split]] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                tasks.put(pickle.load(requests))
        except (EOFError, pickle.UnpicklingError):
            os._exit(0)
        except Exception as error:  # such as a task that cannot be imported here; otherwise the worker would wait on
            print(f"cannot read the task: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        task, split = tasks.get()
        try:
            files = task.train(split, lambda epoch, curves: _send(("epoch", (epoch, dict(curves))), answers))
            answer: tuple[str, dict[str, bytes] | str] = "done", files
        except UserError as error:
            answer = "user error", str(error)
        except Exception as error:
            answer = "failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        _send(answer, answers)


def _send(message: tuple[object, ...], stream: IO[bytes]) -> None:
    pickle.dump(message, stream)
    stream.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt ends the worker, and with it this process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a user's code prints goes to stderr, so that it does not mix with the answers
    _serve(sys.stdin.buffer, answers)
