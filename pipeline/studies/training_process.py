"""Training in a process beside the worker's own, whose threads draw from Python's and NumPy's global generators.

Keras and a user's code seed and draw from these too: with other threads beside them a seed would promise nothing. The
process serves one replica after the other, so that TensorFlow is imported once. It ends with its worker, however that
ends: a thread waits for the end of its standard input.
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
from typing import IO, Any

from pipeline.foundations.errors import UserError

OnEpoch = Callable[[int, Mapping[str, float]], None]
_process: subprocess.Popen[bytes] | None = None  # of this worker
_using = threading.Lock()


def train(task: Any, split: Any, on_epoch: OnEpoch) -> dict[str, bytes]:
    """`task.train(split, on_epoch)`, there.

    Raises:
        UserError: as `train`.
        RuntimeError: it raised something else, or the process died.
    """
    with _using:
        process = _running()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump((task, split), process.stdin)
            process.stdin.flush()
            while True:
                kind, said = pickle.load(process.stdout)
                if kind == "epoch":
                    on_epoch(*said)
                elif kind == "done":
                    return said
                elif kind == "refused":
                    raise UserError(said)
                else:
                    raise RuntimeError(said)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = process.wait()
            raise RuntimeError(f"the process that trained it died (exit code {code}): out of memory?") from None
        except BaseException as error:
            if not isinstance(error, UserError | RuntimeError):  # what it says next would be of this task
                process.kill()
            raise


def _running() -> subprocess.Popen[bytes]:
    global _process
    if _process is None or _process.poll() is not None:
        command = [sys.executable, "-m", "pipeline.studies.training_process"]
        _process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())
    return _process


def _environment() -> dict[str, str]:
    """With this process's own path: a worker may have been started anywhere."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)}


def _serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """In the process: do what is asked, until nobody is there to ask."""
    waiting: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(EOFError, pickle.UnpicklingError):
            while True:
                waiting.put(pickle.load(asked))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        task, split = waiting.get()
        try:
            answer: tuple[str, Any] = "done", task.train(split, lambda epoch, curves: _tell(told, epoch, curves))
        except UserError as error:
            answer = "refused", str(error)
        except Exception as error:
            answer = "failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        pickle.dump(answer, told)
        told.flush()


def _tell(told: IO[bytes], epoch: int, curves: Mapping[str, float]) -> None:
    pickle.dump(("epoch", (epoch, dict(curves))), told)
    told.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker's end is this one's too
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a user's code prints is no answer
    _serve(sys.stdin.buffer, answers)
