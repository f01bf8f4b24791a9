"""`make ui`: MLflow's pages on this machine, and the address that opens on the runs."""

import argparse
import os
import subprocess
import sys

from pipeline.errors import UserError, reported_in_one_line
from pipeline.params import file
from pipeline.params.tracking import TrackingParams
from pipeline.tracking import store


def main(host: str, port: int) -> int:
    """Serve the repository's own store until interrupted; for a remote one, say where it is.

    Raises:
        UserError: nothing has been published yet, or the store does not answer.
    """
    name = file.section(file.read(), "tracking", TrackingParams).experiment
    uri = store.tracking_uri()
    with store.readable_errors(uri), store.locked():
        experiment = store.connect(uri).get_experiment_by_name(name)
    if experiment is None:
        raise UserError(f"MLflow store {uri}: no experiment {name}: `make repro` or `make publish` makes it")
    remote = uri.startswith(("http://", "https://"))
    base = uri.rstrip("/") if remote else f"http://{host}:{port}"
    page = f"{base}/#/experiments/{experiment.experiment_id}/runs?compareRunsMode=CHART&workflowType=machine_learning"
    print(f"the runs, charts beside them: {page}", flush=True)
    if remote:
        return 0
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", host]
    print("the server takes some 20 seconds to start; stop it with Ctrl-C", flush=True)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run([*command, "--port", str(port), "--workers", "1"], check=False).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Look at the runs in MLflow's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    arguments = parser.parse_args()
    with reported_in_one_line():
        sys.exit(main(arguments.host, arguments.port))
