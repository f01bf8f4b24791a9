"""`make ui`: serve MLflow's UI on this machine, and open the page that compares the variants."""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import root
from pipeline.params.params import read
from pipeline.tracking import current, store
from pipeline.tracking.run_parameters import Parameters, parameters
from pipeline.tracking.server_process import expect_free, serving, wait_until_it_answers
from pipeline.tracking.servers import is_server
from pipeline.tracking.tags import COMPLETE, CURRENT, LIVE, PAIR, search_for
from pipeline.tracking.ui import addresses

LOG = store.STORE / "server.log"


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
    expect_free(host, port, "ui")
    print("the server takes some 20 seconds to start; stop it with Ctrl-C", flush=True)
    try:
        with _served(uri, host, port) as server:
            wait_until_it_answers(server, base, LOG)
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


def _served(uri: str, host: str, port: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    options = ["--workers", "1", "--host", host, "--port", str(port)]
    # A database's address may hold a password, and all users of the machine can read the command line.
    return serving(options, {"MLFLOW_BACKEND_STORE_URI": uri}, root() / LOG)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Look at the runs in MLflow's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.host, arguments.port)
