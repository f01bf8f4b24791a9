"""Run commands without their slow imports: fork each command from one process that has loaded the libraries.

Importing TensorFlow, MLflow and matplotlib takes most of a stage's time, and a test run starts some two hundred
stages. `Preloaded` puts commands named `python3`, `dvc` and so on before the real ones on the path. Such a command
sends its folder, arguments, environment and open files to the server, which forks; the command ends as the forked
process ends. Commands that the forked process starts do the same. The project's own modules are never preloaded,
because each workspace has its own. This works only on Linux. Commands that a test kills start without it, as a user
starts them (see `Workspace.running_alone`).
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PLACE = "PRELOADED_COMMANDS"  # the variable of the environment that names the folder of the commands
LARGEST = 1_000_000  # bytes of a request
DESCRIPTORS = 250  # the most open files that a command may have inherited
# Variables that the project sets before it imports TensorFlow and MLflow.
BEFORE = {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
LIBRARIES = (
    *("pydantic.dataclasses", "ruamel.yaml", "markdown_it", "rich.table"),
    *("pandas", "pandas.io.formats.csvs", "pyarrow.pandas_compat", "xarray", "scipy.stats"),
    *("sklearn.datasets", "sklearn.ensemble", "sklearn.linear_model", "sklearn.preprocessing"),
    *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "contourpy"),
    *("tensorflow", "keras", "numba", "dask.array", "distributed", "dask.__main__"),
    *("mlflow.tracking", "mlflow.keras", "mlflow.pyfunc", "mlflow.cli", "mlflow.server.handlers"),
    *("mlflow.server.jobs.utils", "mlflow.store.model_registry.sqlalchemy_workspace_store"),
    *("mlflow.store.tracking.sqlalchemy_workspace_store", "alembic.command", "sqlalchemy.dialects.sqlite"),
    *("fastapi", "uvicorn", "dvc.cli", "dvc.repo", "dvc.commands.repro"),
)
# The function that each command calls, except Python.
COMMANDS = {
    "dvc": ("dvc.cli", "main"),
    "mlflow": ("mlflow.cli", "cli"),
    "uvicorn": ("uvicorn.main", "main"),
    "dask": ("dask.__main__", "main"),
}
# The real `python3` runs other modules, such as pip. The client passes on every open file that it has inherited.
MODULES = ("benchmarks", "examples", "ipykernel_launcher", "mlflow", "pipeline", "uvicorn")
CLIENT = """#!{python} -ISs
import json, os, signal, socket, sys
called, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if called == "python3" and arguments[:1] == ["-B"]:  # which a process that forbids bytecode gives what it starts
    del arguments[0]
first = arguments[0] if arguments else ""
is_module = first == "-m" and arguments[1].split(".")[0] in {modules!r}
if called == "python3" and not (is_module or first == "-c" or first.endswith(".py")):
    os.execv({python!r}, [{python!r}, *arguments])
def is_inherited(number):
    try:
        return os.get_inheritable(number)
    except OSError:
        return False
numbers = [number for number in map(int, os.listdir("/proc/self/fd")) if is_inherited(number)]
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({address!r})
request = json.dumps([os.getcwd(), [called, *arguments], dict(os.environ), numbers]).encode()
socket.send_fds(server, [request], numbers)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: server.send(bytes([number])))
code = int(server.recv(16))
if code < 0:
    if code != -signal.SIGKILL:
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
        text = CLIENT.format(python=sys.executable, modules=MODULES, address=address)
        for name in ("python3", *COMMANDS):
            path = self._folder / name
            path.write_text(text)
            path.chmod(0o755)
        command = [sys.executable, __file__, str(listening.fileno())]
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
                for number in clients:
                    _send(number, signal.SIGKILL)
                sys.exit()
            if key.data == "request":
                client, _ = listening.accept()
                request, streams, _, _ = socket.recv_fds(client, LARGEST, DESCRIPTORS)
                if not loaded:
                    load()
                    loaded = True
                number = os.fork()
                if not number:
                    for other in (listening, client, *clients.values()):
                        other.close()
                    waiting.close()
                    return _ready(json.loads(request), streams)
                os.setpgid(number, number)
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
                    with suppress(BrokenPipeError):  # the command was killed at this moment
                        client.send(str(code).encode())
                    client.close()
            elif number in clients:
                sent = clients[number].recv(1)
                _send(number, sent[0] if sent else signal.SIGKILL)
                if not sent:  # the command was killed
                    waiting.unregister(clients[number])
                    clients.pop(number).close()


def _send(number: int, signal_number: int) -> None:
    """Send a signal to the forked process and what it has started, as to a command at a terminal."""
    with suppress(ProcessLookupError):
        os.killpg(number, signal_number)


def _ready(request: list, descriptors: list[int]) -> Callable[[], object]:
    """Make the forked process as the command would be, and return what it runs."""
    import random
    from multiprocessing import spawn

    folder, command, environment, numbers = request
    apart = [fcntl.fcntl(each, fcntl.F_DUPFD, max(numbers) + 1) for each in descriptors]
    for number, descriptor in zip(numbers, apart, strict=True):
        os.dup2(descriptor, number)
    for descriptor in {*apart, *descriptors} - {*numbers}:
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    tempfile.tempdir = None  # or an import of the server has already chosen the place, whatever TMPDIR says
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.executable = f"{environment[PLACE]}/python3"  # so that modules which it starts are forked too
    spawn.set_executable(sys.executable)
    path = [*filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    match command:
        case ["python3", "-m", module, *arguments]:
            sys.argv, sys.path[:1] = [module, *arguments], [folder, *path]
            return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["python3", "-c", code, *arguments]:
            sys.argv, sys.path[:1] = ["-c", *arguments], ["", *path]
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            return lambda: exec(code, vars(main))
        case ["python3", script, *arguments]:
            sys.argv, sys.path[:1] = [script, *arguments], [str(Path(script).parent), *path]
            return lambda: runpy.run_path(script, run_name="__main__")
    sys.argv, sys.path[:1] = command, path
    module, name = COMMANDS[command[0]]
    return lambda: sys.exit(getattr(importlib.import_module(module), name)())


def _end_after(run: Callable[[], object]) -> None:
    """Run it and end as Python does, but for the clearing of all modules, which takes a third of a second."""
    code: object = None
    try:
        run()
    except SystemExit as error:
        code = error.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    _end_after(serve(socket.socket(fileno=int(sys.argv[1]))))
