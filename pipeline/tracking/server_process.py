"""Run MLflow's server in a process group of its own, and wait until it answers."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipeline.foundations.errors import UserError

STARTS_WITHIN: Final = 600  # seconds; usually 20, but minutes on a crowded machine
ENDS_WITHIN: Final = 3  # seconds; the server is then killed, because it would wait until all open pages are closed

# Ctrl-C, a command that ends this process, a closed terminal
INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def expect_free(host: str, port: int, command: str) -> None:
    """Check that no other server listens there.

    Args:
        command: the make target that takes PORT, for the message.

    Raises:
        UserError: the port is taken, or the host is no address of this machine.
    """
    with socket.socket() as probe:
        # A server that has just ended may still hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"port {port} of {host}: {error.strerror}: must be free; choose another with `make {command} PORT=5001`"
            ) from None


@contextmanager
def serving(options: Sequence[str], variables: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `mlflow server` and its helper processes in a process group of their own, which ends with this block.

    So Ctrl-C reaches only this process, and the server's processes end in order and print nothing.

    Args:
        options: of the command line, which all users of the machine can read.
        variables: environment variables of the server; they hold what nobody else may read.
        log: the file for all that the server prints.
    """
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"} | dict(variables)
    # With jobs, the server would start ten processes that no page needs.
    environment.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    # Interruptions during the start; if they were raised at once, the server would stay running.
    early: list[int] = []
    for name in INTERRUPTIONS:
        signal.signal(name, lambda number, frame: early.append(number))
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for name in INTERRUPTIONS:
                signal.signal(name, signal.default_int_handler)
            if early:
                raise KeyboardInterrupt
            yield server
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    for name in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, name)
        with suppress(subprocess.TimeoutExpired):
            server.wait(ENDS_WITHIN)


def wait_until_it_answers(server: subprocess.Popen[bytes], base: str, log: Path) -> None:
    """Wait until the server at the address `base` is ready.

    Raises:
        UserError: it has ended, or does not answer in time.
    """
    end = time.monotonic() + STARTS_WITHIN
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{base}/health", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise UserError(f"MLflow's server does not answer at {base}: see {log} for the reason")
