"""The registered model at work: served over HTTP, and loaded in a process, it predicts what training wrote down."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pandas as pd
import pytest
from workspace import SMALL, Workspace, answers, free_port, wait_until

pytestmark = pytest.mark.slow

MODEL = "models:/circles-classifier@best"
LOAD = f"""
import json, sys
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model({MODEL!r})
print(json.dumps(model.predict(pd.DataFrame(json.load(sys.stdin)))["probability of 1"].tolist()))
"""


@pytest.fixture(scope="module")
def recorded(published: Workspace) -> tuple[pd.DataFrame, np.ndarray]:
    """The raw test points, and the best replica's predictions for them, as training wrote them down."""
    from pipeline.data.raw_files import POINTS
    from pipeline.evaluation.ranking import best_replica, final_scores
    from pipeline.history.files import load_history, load_predictions

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(published.folder)
        histories = {variant: load_history(variant) for variant in published.recipes}
        variant = max(histories, key=lambda name: final_scores(histories[name], "accuracy").max())
        best = best_replica(histories[variant], "accuracy")
        predictions = load_predictions(variant).test_prediction.values[best, :, 0]
        assert np.ptp(predictions) > 1e-3  # no constant
        return pd.read_csv(POINTS.with_suffix(".csv")).iloc[SMALL["split.train"] :], predictions


def test_the_registered_model_is_served(published: Workspace, recorded: tuple[pd.DataFrame, np.ndarray]) -> None:
    """As docs/how-to.md has it, on a free port."""
    port = free_port()
    points, predictions = recorded
    served = ["mlflow", "models", "serve", "--env-manager", "local", "--model-uri", MODEL, "--port", str(port)]
    with published.running(*served, MLFLOW_TRACKING_URI=f"sqlite:///{published.database}") as server:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ping") or server.poll() is not None)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_split": points[["x1", "x2"]].to_dict("split", index=False)}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = pd.DataFrame(json.load(answer)["predictions"])
    assert list(found) == ["predicted", "probability of 0", "probability of 1"]
    np.testing.assert_allclose(found["probability of 1"], predictions, atol=1e-5)
    assert (found["predicted"] == np.where(predictions > 0.5, "1", "0")).all()


def test_the_registered_model_is_loaded(
    published: Workspace, recorded: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    """In a process of its own, from the alias alone."""
    points, predictions = recorded
    (tmp_path / "load.py").write_text(LOAD)
    points.to_json(tmp_path / "points.json", orient="records")
    command = f"python3 {tmp_path / 'load.py'} < {tmp_path / 'points.json'}"
    done = published.run("sh", "-c", command, MLFLOW_TRACKING_URI=f"sqlite:///{published.database}")
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[-1]), predictions, atol=1e-5)


@pytest.mark.usefixtures("imports_beforehand")
def test_the_ui_says_where_to_look_and_ends_quietly(published: Workspace) -> None:
    """`make ui` without a display: addresses, a server that answers, and after Ctrl-C no word and no process."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "pipeline.tracking.ui.serve", "--port", str(port)]
    quiet = {name: value for name, value in published.environment().items() if "DISPLAY" not in name}
    with subprocess.Popen(command, cwd=published.folder, env=quiet, stdout=PIPE, stderr=PIPE, text=True) as ui:
        try:
            lines = [next(ui.stdout) for _ in range(5)]  # the fourth page is there once another run is
            assert lines[-1] == "ready\n"
            assert f"{base}/#/experiments/1/runs?" in lines[0]
            assert "relu_2 over tanh_1, chart by chart: " in lines[1]
            assert "pipeline.pair" in lines[1]
            assert f"relu_2 beside tanh_1, in numbers: {base}/#/compare-runs?runs=" in lines[2]
            assert answers(f"{base}/health")
            busy = published.attempt("python3", *command[1:])
            assert busy.stderr.startswith(f"error: port {port} of 127.0.0.1: ")
        finally:
            ui.send_signal(signal.SIGINT)
        assert ui.wait(60) == 0
        assert (ui.stdout.read(), ui.stderr.read()) == ("", "")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))  # refused while anything of the server listens


def test_the_ui_of_a_store_without_runs_says_how_to_make_some(published: Workspace, tmp_path: Path) -> None:
    """One line, no server."""
    done = published.attempt("python3", "-m", "pipeline.tracking.ui.serve", DVC_ROOT=str(tmp_path))
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "run `make repro` or `make publish` first" in done.stderr
