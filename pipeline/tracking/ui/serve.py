"""`make ui`: serve MLflow's UI on this machine, and open the page that compares the variants."""

import argparse
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

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import root
from pipeline.params.params import read
from pipeline.tracking import current, store
from pipeline.tracking.run_parameters import Parameters, parameters
from pipeline.tracking.servers import is_server
from pipeline.tracking.tags import COMPLETE, CURRENT, LIVE, PAIR, search_for
from pipeline.tracking.ui import addresses

STARTS_WITHIN = 180  # seconds; usually 20
ENDS_WITHIN = 3  # seconds; the server is then killed, because it would wait until all open pages are closed
LOG = store.STORE / "server.log"

# Ctrl-C, a command that ends this process, a closed terminal
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(host: str, port: int) -> None:
    """Print the addresses, serve the repository's own store until interrupted, and open the browser.

    Raises:
        UserError: nothing has been published yet, the store does not answer, or the server cannot start.
    """
    params = read()
    name, pair = params.tracking.experiment, params.comparison.pair or ()
    by_variant = {variant: parameters(params.trained_with(variant), params.judged_by) for variant in params.recipes}
    uri = store.tracking_uri()
    remote = is_server(uri)
    base = uri.rstrip("/") if remote else f"http://{host}:{port}"
    page = _print_addresses(uri, base, name, by_variant, pair)
    if remote:
        addresses.open_page(page)
        return
    _expect_free(host, port)
    print("the server takes some 20 seconds to start; stop it with Ctrl-C", flush=True)
    try:
        with _serving(uri, host, port) as server:
            _wait_until_it_answers(server, f"{base}/health")
            print("ready", flush=True)
            addresses.open_page(page)
            server.wait()
    except KeyboardInterrupt:
        return
    raise UserError(f"MLflow's server has ended: see {LOG} for the reason")


def _print_addresses(uri: str, base: str, name: str, by_variant: Mapping[str, Parameters], pair: Sequence[str]) -> str:
    """Print the addresses of all pages; return the address of the page to open, which shows the present variants.

    In this repository's own store, the runs of params.yaml are marked again, because params.yaml may have changed since
    they were published. On a server, only publishers mark runs.
    """
    with store.readable_errors(uri), store.locked():
        client = store.connect(uri)
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise UserError(f"MLflow store {uri}: no experiment {name}: run `make repro` or `make publish` first")
        experiment_id = experiment.experiment_id
        if store.is_own():
            current.arrange(client, experiment_id, by_variant, pair)
        runs = current.runs_of(client, experiment_id, by_variant)
        complete = {run.info.run_id for run in store.search(client, experiment_id, search_for(COMPLETE))}
        live = store.search(client, experiment_id, search_for(LIVE))
    page = addresses.search_results(base, experiment_id, search_for(CURRENT if runs else COMPLETE))
    print(f"all variants, charts beside them: {page}")
    if pair and set(pair) <= runs.keys():
        print(
            f"{' over '.join(pair)}, chart by chart: {addresses.search_results(base, experiment_id, search_for(PAIR))}"
        )
        ids = [runs[variant].info.run_id for variant in pair]
        print(f"{' beside '.join(pair)}, in numbers: {addresses.comparison(base, experiment_id, ids)}")
    if complete - {run.info.run_id for run in runs.values()}:  # otherwise this page would equal the first page
        all_runs = addresses.search_results(base, experiment_id, search_for(COMPLETE))
        print(f"experiments and earlier recipes too: {all_runs}")
    if live:
        print(f"training now: {addresses.search_results(base, experiment_id, search_for(LIVE))}")
    missing = [variant for variant in by_variant if variant not in runs]
    if missing:
        print(f"not published as in params.yaml now: {', '.join(missing)}; run `make repro`")
    sys.stdout.flush()
    return page


def _expect_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        # A server that has just ended may still hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"port {port} of {host}: {error.strerror}: must be free; choose another with `make ui PORT=5001`"
            ) from None


@contextmanager
def _serving(uri: str, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server and its helper processes in a process group of their own, which ends with this block.

    So Ctrl-C reaches only this process, and the server's processes end in order and print nothing.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["MLFLOW_BACKEND_STORE_URI"] = uri  # because all users of the machine can read the command line
    # With jobs, the server would start ten processes that no page needs.
    environment.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    # Interruptions during the start; if they were raised at once, the server would stay running.
    early: list[int] = []
    for name in INTERRUPTIONS:
        signal.signal(name, lambda number, frame: early.append(number))
    with (root() / LOG).open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", host, "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
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


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise UserError(f"MLflow's server does not answer at {address}: see {LOG} for the reason")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Look at the runs in MLflow's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.host, arguments.port)
