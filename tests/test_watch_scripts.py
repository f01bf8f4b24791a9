"""Whole scripts and notebooks with every `fit` in them watched, and MLflow and TensorBoard beside them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from imports import ROOT
from watched_models import dense

import pipeline
from pipeline import Diagnosis

SCRIPT = """
import sys
import keras
import numpy as np
{seeding}
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
labels = (inputs.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")], name="small")
model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
model.fit(inputs, labels, epochs=3, verbose=0)
model.fit(inputs, labels, epochs=3, verbose=0)
print("arguments", sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No store, and Keras as it was."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    pipeline.autolog(disable=True)
    keras.backend.clear_session()


def test_autolog_watches_every_fit_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    fit = keras.Model.fit
    pipeline.autolog()
    pipeline.autolog(learned=0.99)
    model, inputs, labels = dense()
    model.fit(inputs, labels, epochs=2, verbose=0)
    assert "balanced accuracy" not in capsys.readouterr().out
    model.fit(inputs, labels, epochs=1, verbose=0)
    assert "accuracy" in (said := capsys.readouterr().out)
    assert "after 3 epochs; learned is above 0.99" in said
    own = Diagnosis()
    model.fit(inputs, labels, epochs=1, verbose=0, callbacks=[own])
    assert capsys.readouterr().out == ""
    assert own.is_recorded
    pipeline.autolog(disable=True)
    assert keras.Model.fit is fit
    assert "fit" not in vars(keras.Model)


def test_autolog_gives_way_to_an_error_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.autolog()
    model, inputs, _ = dense()
    with pytest.raises(ValueError, match="cardinality"):
        model.fit(inputs, inputs[:3], verbose=0)
    assert "Nothing is recorded" in capsys.readouterr().out


def watched(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python3 -m pipeline.watch` in the script's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline.watch", *arguments]
    return subprocess.run(command, cwd=script.parent, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_script_is_watched_with_nothing_changed(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT.format(seeding=""), encoding="utf-8")
    done = watched(script, script.name, "one", "--two")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"fit \d, small", done.stdout) == ["fit 1, small", "fit 2, small"]
    assert "arguments ['one', '--two']" in done.stdout
    none = watched(script, "none.py")
    assert (none.returncode, none.stderr) == (1, "error: none.py: not found: must be a Python script\n")


@pytest.mark.slow
@pytest.mark.parametrize("seeding", ["", "keras.utils.set_random_seed(3)"], ids=["free", "sets its seed"])
def test_a_script_from_several_seeds(tmp_path: Path, seeding: str) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT.format(seeding=seeding), encoding="utf-8")
    done = watched(script, "--replicas", "2", script.name)
    assert done.returncode == 0, done.stderr
    assert re.search(r"small: \d of 2 replicas learn", done.stdout)
    assert ("sets its own seed" in done.stdout) == bool(seeding)
    assert ("start from the same weights" in done.stdout) == bool(seeding)
    assert "Fit 1: small" in (tmp_path / "why.html").read_text(encoding="utf-8")


LIVE = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import keras
import mlflow
from watched_models import dense
from pipeline import Diagnosis

class Looks(keras.callbacks.Callback):
    seen = 0
    def on_epoch_end(self, epoch, logs=None):
        runs = mlflow.MlflowClient().search_runs(["0"])
        if runs and runs[0].data.metrics:
            Looks.seen += 1
            assert runs[0].info.status == "RUNNING"
            if Looks.seen > 2:
                self.model.stop_training = True

model, inputs, labels = dense()
diagnosis = Diagnosis(inputs, labels, max_overhead=1000)
model.fit(inputs, labels, epochs=2000, verbose=0, validation_data=(inputs, labels), callbacks=[diagnosis, Looks()])
assert Looks.seen > 2
assert not diagnosis.verdict.notes, diagnosis.verdict.notes
run, = mlflow.MlflowClient().search_runs(["0"])
print(*run.data.metrics, run.info.status, run.data.tags["outcome"], run.data.tags["cause"])
print(*[each.path for each in mlflow.MlflowClient().list_artifacts(run.info.run_id, "diagnosis")])
print([each.name for each in mlflow.search_logged_models(experiment_ids=["0"], output_format="list")])
"""


@pytest.mark.slow
def test_a_run_in_mlflow_grows_while_it_trains(tmp_path: Path) -> None:
    code = LIVE.format(root=str(ROOT), tests=str(ROOT / "tests"))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    metrics, artifacts, models = done.stdout.splitlines()[-3:]
    for key in ("loss/train_median", "accuracy/validation_median", "gradient_mean_abs/layer_01", "weight_l1/layer_03"):
        assert key in metrics.split()
    assert "gradient_profile/epoch_0000" in metrics.split()
    assert metrics.split()[-3] == "FINISHED"
    assert artifacts.split() == ["diagnosis/curves.png", "diagnosis/gradients.png", "diagnosis/why.html"]
    assert models == "['model']"


@pytest.mark.slow
def test_a_server_that_does_not_answer_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        model, inputs, labels = dense()
        diagnosis = Diagnosis(inputs, labels)
        model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    finally:
        mlflow.set_tracking_uri(before)
    assert diagnosis.outcome is not None
    assert len([line for line in caplog.messages if "MLflow" in line]) == 1


def test_tensorboards_events_are_written_while_it_trains(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen: list[int] = []

    class Looks(keras.callbacks.Callback):
        """Reads what was written so far."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """As TensorBoard does."""
            events = EventAccumulator(str(tmp_path / "diagnosis"))
            events.Reload()
            seen.append(len(events.Tensors("loss/train")))

    model, inputs, labels = dense()
    diagnosis = Diagnosis(inputs, labels, tensorboard=tmp_path, max_overhead=1000)
    model.fit(inputs, labels, epochs=3, verbose=0, callbacks=[diagnosis, Looks()])
    assert seen == [2, 3, 4]
    events = EventAccumulator(str(tmp_path / "diagnosis"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"sequential/dense/kernel", "sequential/dense/kernel/gradient_log10", "accuracy/train"} <= set(tags)


def test_the_notebook_shows_the_verdict(tmp_path: Path) -> None:
    """Its cells as a notebook runs them, and what the last one shows; no kernel is needed for that."""
    notebook = json.loads((ROOT / "examples" / "watch_a_fit.ipynb").read_text(encoding="utf-8"))
    *before, last = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    *lines, shown = last.splitlines()
    names: dict[str, Any] = {}
    for cell in [*before, "\n".join(lines)]:
        exec(cell, names)
    html = eval(shown, names)._repr_html_()
    assert html.count("<img") == 2
    assert "learned is above" in html


@pytest.mark.slow
def test_the_example_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "watch_a_fit.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "Cause: " in done.stdout
    assert (tmp_path / "why.html").is_file()
