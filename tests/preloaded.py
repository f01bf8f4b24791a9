"""Commands that begin where their imports end: each is forked from one process that has the libraries loaded.

Importing TensorFlow, MLflow and matplotlib takes most of a stage's time, and a test run starts some two hundred
stages. `Preloaded` puts a `python3` and a `dvc` before the real ones on the path: they hand their folder, arguments,
environment and streams to the server, which forks, and end as the forked process ends. The project's own modules are
never loaded beforehand, because each workspace has its own. Only on Linux, and only for commands of which the end
matters: what is killed or watched at work starts as a user starts it (see `Workspace.running`).
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PLACE = "PRELOADED_COMMANDS"  # the folder of the two commands, in the environment
LARGEST = 1_000_000  # bytes of a request
# What the project's one door to TensorFlow sets before the import, and its store before that of MLflow.
BEFORE = {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
LIBRARIES = (
    *(
        "pandas",
        "xarray",
        "scipy.stats",
        "sklearn.datasets",
        "sklearn.preprocessing",
        "matplotlib.pyplot",
        "rich.table",
    ),
    *("tensorflow", "keras", "numba", "distributed", "mlflow.tracking", "mlflow.keras", "mlflow.pyfunc"),
    *("dvc.cli", "dvc.repo", "dvc.commands.repro"),
)
CLIENT = """#!{python} -ISs
import json, os, signal, socket, sys
called = os.path.basename(sys.argv[0])
if called == "python3" and not (sys.argv[1:2] == ["-m"] and sys.argv[2].startswith("pipeline.")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({address!r})
module, *arguments = ["dvc", *sys.argv[1:]] if called == "dvc" else sys.argv[2:]
request = json.dumps([os.getcwd(), module, arguments, dict(os.environ)]).encode()
socket.send_fds(server, [request], [0, 1, 2])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: server.send(bytes([number])))
code = int(server.recv(16))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class Preloaded:
    """The server, from `start` to `end`; it imports with the first request.

    Args:
        folder: an empty one, for the commands and the server's socket.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and let the environment name the folder of its commands."""
        if not hasattr(os, "pidfd_open"):
            return
        address = str(self._folder / "server")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(address)
        listening.listen()
        for name in ("python3", "dvc"):
            path = self._folder / name
            path.write_text(CLIENT.format(python=sys.executable, address=address))
            path.chmod(0o755)
        command = [sys.executable, "-W", "ignore", __file__, str(listening.fileno())]
        with (self._folder / "stderr").open("wb") as stderr:  # what TensorFlow says at its import, and of nobody here
            self._server = subprocess.Popen(
                command, stdin=subprocess.PIPE, stderr=stderr, pass_fds=[listening.fileno()]
            )
        listening.close()
        os.environ[PLACE] = str(self._folder)

    def end(self) -> None:
        """End the server; it also ends where this process is killed."""
        os.environ.pop(PLACE, None)
        if self._server is not None and self._server.stdin is not None:
            self._server.stdin.close()
            self._server.wait()


def load() -> None:
    """Import what the project's stages and DVC import."""
    os.environ.update(BEFORE)
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # or each forked process looks through all of it at its end, for two seconds


def serve(listening: socket.socket) -> Callable[[], object]:
    """Fork for each request until the standard input ends; return, in a forked process, what it has to do.

    Raises:
        SystemExit: the standard input has ended.
    """
    waiting = selectors.DefaultSelector()
    waiting.register(listening, selectors.EVENT_READ, "request")
    waiting.register(sys.stdin, selectors.EVENT_READ, "end")
    clients: dict[int, socket.socket] = {}  # by the number of their process
    loaded = False
    while True:
        for key, _ in waiting.select():
            if key.data == "end":
                sys.exit()
            if key.data == "request":
                client, _ = listening.accept()
                request, streams, _, _ = socket.recv_fds(client, LARGEST, 3)
                if not loaded:
                    load()
                    loaded = True
                number = os.fork()
                if not number:
                    client.close()
                    return _ready(listening, json.loads(request), streams)
                for stream in streams:
                    os.close(stream)
                clients[number] = client
                waiting.register(client, selectors.EVENT_READ, ("client", number))
                waiting.register(os.pidfd_open(number), selectors.EVENT_READ, ("ended", number))
                continue
            what, number = key.data
            if what == "ended":
                os.close(waiting.unregister(key.fileobj).fd)
                code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
                if client := clients.pop(number, None):
                    waiting.unregister(client)
                    client.send(str(code).encode())
                    client.close()
            elif number in clients:
                sent = clients[number].recv(1)
                os.kill(number, sent[0] if sent else signal.SIGKILL)
                if not sent:  # the command was killed
                    waiting.unregister(clients[number])
                    clients.pop(number).close()


def _ready(listening: socket.socket, request: list, streams: list[int]) -> Callable[[], object]:
    """Make the forked process as the command would be, and return what it runs."""
    import random
    import runpy

    listening.close()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    folder, module, arguments, environment = request
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    sys.executable = f"{environment[PLACE]}/python3"  # so that modules which it starts are forked too
    if module == "dvc":
        from dvc.cli import main

        return lambda: sys.exit(main())
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))()
