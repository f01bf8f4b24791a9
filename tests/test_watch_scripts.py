"""Whole scripts and notebooks with every `fit` in them watched, and MLflow and TensorBoard beside them."""

import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import pytest
from answering import answering
from imports import ROOT
from watched_models import dense, embedded
from workspace import wait_until

import pipeline
import pipeline.watch.scripts.run_progress
from pipeline import Diagnosis
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import PROGRAM
from pipeline.history import training_progress
from pipeline.history.training_progress import Process
from pipeline.recorder.guard import Guard
from pipeline.tracking import servers
from pipeline.tracking.tags import PROCESS
from pipeline.watch import __main__ as command
from pipeline.watch import mlflow_run
from pipeline.watch.scripts import run_process
from pipeline.watch.scripts import tries as watch_tries
from pipeline.watch.tensorboard import Events

pytestmark = pytest.mark.usefixtures("quick_models_once")

SCRIPT = """
import sys
import keras
import numpy as np
{seeding}
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
labels = (inputs.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")], name="small")
model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", run_eagerly=True)
model.fit(inputs, labels, epochs=3, verbose=0)
model.fit(inputs, labels, epochs=3, verbose=0)
print("arguments", sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No store, no kept runs, and Keras as it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    pipeline.autolog(disable=True)
    keras.utils.clear_session(free_memory=False)  # to look for it takes a second


@pytest.mark.slow
def test_autolog_watches_every_fit_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    fit = keras.Model.fit
    pipeline.autolog()
    pipeline.autolog(learned=0.99)
    model, inputs, labels = dense(run_eagerly=True)
    model.fit(inputs, labels, epochs=2, verbose=0)
    assert "balanced accuracy" not in capsys.readouterr().out
    model.fit(inputs, labels, epochs=1, verbose=0)
    assert "accuracy" in (said := capsys.readouterr().out)
    assert "after 3 epochs (learned means above 0.99)" in said
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


def watch(monkeypatch: pytest.MonkeyPatch, script: Path, *before: str, after: Sequence[str] = ()) -> None:
    """`python3 -m pipeline.watch` in the script's folder, in this process, for TensorFlow takes seconds to start.

    Args:
        before, after: what stands before and after the script.
    """
    monkeypatch.chdir(script.parent)
    monkeypatch.setattr(sys, "argv", ["watch", *before, script.name, *after])
    command.main()


@pytest.mark.slow
def test_a_script_is_watched_with_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT.format(seeding=""), encoding="utf-8")
    watch(monkeypatch, script, after=("one", "--two"))
    said = capsys.readouterr().out
    assert re.findall(r"fit \d, small", said) == ["fit 1, small", "fit 2, small"]
    assert "arguments ['one', '--two']" in said


@pytest.mark.slow
def test_a_script_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "pipeline.watch", "none.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    none = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (none.returncode, none.stderr) == (1, "error: none.py: not found: must be a Python script\n")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--learned", '"x"', "learned: x: must be a number"),
        ("--learned", "[0.5]", "learned: [0.5]: must be a number"),
        ("--learned", "NaN", "learned.score: nan: must be a finite number"),
        ("--learned", '{"beauty": 1}', "learned: beauty: must be one of"),
        ("--replicas", "0", "--replicas: 0: must be at least 1"),
        ("--report", ".", "--report: .: is a folder: must be a file"),
    ],
)
def test_a_wrong_option_is_one_line_before_the_script_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str, said: str
) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    with pytest.raises(pipeline.UserError, match=f"^{re.escape(said)}"):
        watch(monkeypatch, tmp_path / "mine.py", option, value)


def from_two_seeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, seeding: str = ""
) -> str:
    """What is said of a script's two replicas."""
    (folder / "mine.py").write_text(SCRIPT.format(seeding=seeding), encoding="utf-8")
    with pytest.raises(UserError, match="every replica is identical; remove that line") if seeding else nullcontext():
        watch(monkeypatch, folder / "mine.py", "--replicas", "5" if seeding else "2")
    said = capsys.readouterr().out
    assert re.search(r"small: \d of 2 replicas learn", said)
    assert "Fit 1: small" in (folder / "why.html").read_text(encoding="utf-8")
    return said


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_a_script_from_several_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each replica is a process of its own: `python3 -m pipeline.watch`."""
    said = from_two_seeds(monkeypatch, capsys, tmp_path)
    assert "sets its own seed" not in said
    assert "start from the same weights" not in said


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("in_this_process")
def test_a_script_from_several_seeds_that_sets_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = from_two_seeds(monkeypatch, capsys, tmp_path, "keras.utils.set_random_seed(3)")
    assert "your script sets its own seed, so every replica is identical; remove that line." in said
    assert "start from the same weights" in said


TO_TRY = """
import keras
import numpy as np
random = np.random.default_rng(0)
inputs = random.normal(size=(300, 2)).astype("float32")
labels = (inputs.prod(axis=1) > 0).astype("int32")
first = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
first.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
first.fit(inputs, labels, epochs=15, verbose=0)
layers = [keras.layers.Dense(each, name, kernel_initializer="zeros") for each, name in ((8, "tanh"), (1, "sigmoid"))]
second = keras.Sequential([keras.Input((2,)), *layers], name="zeros")
second.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
second.fit(inputs, labels, validation_data=(inputs[:99], labels[:99]), epochs=15, verbose=0)
"""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("in_this_process")
def test_remedies_are_tried_on_the_fit_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(TO_TRY, encoding="utf-8")
    watch(monkeypatch, tmp_path / "mine.py", "--try", "--replicas", "1")
    said = capsys.readouterr().out
    assert "Tried on fit 2; without a remedy it learned in 0 of 1 runs:" in said
    change = (
        "Change: Keras's own kernels and biases in all layers: `glorot_uniform` and 0, recurrent ones `orthogonal`."
    )
    assert re.search(r"undecided: fresh_kernels: learned in 1 of 1 runs?, \+100 points", said)
    assert change in said
    assert "To keep fresh_kernels, change at mine.py:13: Keras's own kernels" in said
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "What was tried:" in page
    assert "Score, loss and gradients by layer, as the script is and with the best remedies" in page


TOO_SLOW = """
import keras
import numpy as np
inputs = np.random.default_rng(0).normal(size=(300, 2)).astype("float32")
labels = (inputs.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1, "sigmoid")])
slow = keras.optimizers.SGD(
    learning_rate=0.0001,  # too small
)
model.compile(slow, "binary_crossentropy", metrics=["accuracy"])
model.fit(inputs, labels, epochs=12, verbose=0)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_the_diff_of_the_best_remedy_is_applied_and_the_script_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second start finds the runs of the first."""
    monkeypatch.setattr(watch_tries, "network_remedies", lambda *causes: ["adam", "much_larger_steps"])
    script = tmp_path / "mine.py"
    script.write_text(TOO_SLOW.replace("0.0001", "0.003"), encoding="utf-8")
    options = ("--try", "--replicas", "1", "--learned", "0.97")
    watch(monkeypatch, script, *options)
    first = capsys.readouterr()
    patch = first.out[first.out.index("--- a/mine.py") : first.out.index("report: ")]
    assert "+    learning_rate=0.3,  # too small" in patch
    watch(monkeypatch, script, *options)
    again = capsys.readouterr()
    assert again.out.endswith(first.out)
    assert "1 of 1 runs kept from" in again.err
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=patch, text=True, check=True, capture_output=True)
    watch(monkeypatch, script, "--learned", "0.97")
    assert "Learned: " in capsys.readouterr().out


OWN_COMPILE = """
import keras
import numpy as np


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, "relu")
        self.normalised = keras.layers.BatchNormalization(momentum=0.999)
        self.last = keras.layers.Dense(1)

    def compile(self, rate):
        super().compile(keras.optimizers.SGD(rate), "mse")

    def call(self, inputs, training=False):
        return self.last(self.normalised(self.hidden(inputs), training=training))


random = np.random.default_rng(0)
inputs = random.normal(size=(300, 2)).astype("float32")
model = Own()
model.compile(rate=0.01)
model.fit(inputs, inputs.sum(axis=1), validation_data=(inputs, inputs.sum(axis=1)), epochs=12, verbose=0)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_what_cannot_be_done_is_known_before_anything_is_trained_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that a model with its own `compile` cannot take cost no run."""
    suggested = ["fitting_output", "trained_layers", "clipped_gradients", "residual"]
    monkeypatch.setattr(watch_tries, "network_remedies", lambda *causes: suggested)
    asked: list[str] = []
    run = run_process.subprocess.Popen

    def counted(command: list[str], **rest: object) -> object:
        asked.append(" ".join(each for before, each in pairwise(command) if before == "--remedy"))
        return run(command, **rest)

    monkeypatch.setattr(run_process.subprocess, "Popen", counted)
    (tmp_path / "mine.py").write_text(OWN_COMPILE, encoding="utf-8")
    watch(monkeypatch, tmp_path / "mine.py", "--try", "--replicas", "1", "--learned", "0.99999")
    said = capsys.readouterr().out
    assert "not tried: trained_layers (the model's own `compile` has other arguments" in said
    assert "not tried: residual (it needs another model" in said
    assert "clipped_gradients: learned in" in said
    assert not [each for each in asked if re.search("trained_layers|residual", each)]
    assert asked[:2] == ["", "clipped_gradients"]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_command_explains_itself(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["watch", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    said = " ".join("".join(capsys.readouterr()).split())
    assert "python3 -m pipeline.watch --try my_script.py" in said
    for option in (
        "--replicas N run the script",
        "--try run the script",
        "--report FILE the file",
        "--learned SCORE the final",
    ):
        assert option in said


def test_progress_says_what_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 30.0, 60.0, 90.0, 120.0])
    monkeypatch.setattr(pipeline.watch.scripts.run_progress.time, "monotonic", lambda: next(clock))
    progress = pipeline.watch.scripts.run_progress.RunProgress(5)
    progress.finished("run 1 of 2 with adam")
    progress.finished("run 2 of 2 with adam")
    progress.finished("run 1 of 3 with longer", unneeded=1)
    progress.finished("run 2 of 3 with longer")
    assert capsys.readouterr().err.splitlines() == [
        "run 1 of 2 with adam is finished; 4 runs left, about 2 min",
        "run 2 of 2 with adam is finished; 3 runs left, about 90 s",
        "run 1 of 3 with longer is finished; 1 run left, about 30 s",
        "run 2 of 3 with longer is finished",
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as in a script of the user's own
def test_a_run_in_mlflow_grows_while_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient()
    seen: list[str] = []

    class Looks(keras.callbacks.Callback):
        """At what is in the store so far; three looks at something are enough."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """As somebody who looks at MLflow's pages."""
            runs = client.search_runs(["0"])
            if runs and runs[0].data.metrics:
                seen.append(runs[0].info.status)
                self.model.stop_training = len(seen) > 2

    model, inputs, labels = embedded()
    diagnosis = Diagnosis(inputs, labels, max_overhead=1000)
    model.fit(inputs, labels, epochs=2000, verbose=0, validation_data=(inputs, labels), callbacks=[diagnosis, Looks()])
    assert seen == ["RUNNING"] * 3
    assert not diagnosis.verdict.notes
    (run,) = client.search_runs(["0"])
    keys = ("loss/train_median", "accuracy/validation_median", "gradient_mean_abs/layer_01", "weight_l1/layer_03")
    assert {*keys, "gradient_profile/epoch_0000"} <= set(run.data.metrics)
    by_time = client.get_metric_history(run.info.run_id, "gradient_time_profile/epoch_0000_layer_01")
    assert [point.step for point in by_time] == [1, 2, 3]
    assert run.info.status == "FINISHED"
    assert {"outcome", "cause"} <= set(run.data.tags)
    artifacts = [each.path for each in client.list_artifacts(run.info.run_id, "diagnosis")]
    pictures = [f"diagnosis/{name}.png" for name in ("curves", "gradient_by_time", "gradients")]
    assert artifacts == [*pictures, "diagnosis/why.html"]
    models = mlflow.search_logged_models(experiment_ids=["0"], output_format="list")
    assert [each.name for each in models] == ["model"]


def test_a_run_that_a_killed_process_left_is_marked_by_the_next(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client, own = mlflow.MlflowClient(), Process.own()
    processes = {
        "own": own,
        "killed": own.model_copy(update={"started": "1"}),
        "elsewhere": own.model_copy(update={"host": "elsewhere", "started": "1"}),
    }
    for name, process in processes.items():
        client.create_run("0", run_name=name, tags={PROCESS: process.model_dump_json()})
    client.create_run("0", run_name="somebody's")
    guard = Guard()
    live = mlflow_run.LiveRun("next", 1, guard)
    live._queue.put(None)
    live._thread.join()
    mlflow.end_run()
    running = {run.info.run_name for run in client.search_runs(["0"]) if run.info.status == "RUNNING"}
    killed = {run.info.run_name for run in client.search_runs(["0"]) if run.info.status == "KILLED"}
    assert (running, killed, guard.notes) == ({"own", "elsewhere", "somebody's"}, {"killed"}, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "status"),
    [("epoch", "KILLED"), ("last epoch", "KILLED"), ("model", "KILLED"), ("TensorBoard's file closes", "FINISHED")],
)
def test_ctrl_c_leaves_a_run_with_its_end(
    moment: str, status: str, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_store, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"{PROGRAM}mlflow-of_a_killed_process").mkdir()
    model, inputs, labels = dense()
    diagnosis = Diagnosis(inputs, labels, mlflow=True, tensorboard=tmp_path / "logs")
    callbacks: list[keras.callbacks.Callback] = [diagnosis]
    match moment:
        case "epoch":
            callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=interrupt))
        case "last epoch":
            ends = keras.callbacks.LambdaCallback(
                on_train_end=lambda logs: monkeypatch.setattr(diagnosis.watching, "finish", interrupt)
            )
            callbacks.insert(0, ends)
        case "model":
            model.save = interrupt
        case _:
            monkeypatch.setattr(Events, "close", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(inputs, labels, epochs=2, verbose=0, callbacks=callbacks)
    mlflow.end_run()  # as MLflow does before the callback when a script ends; it calls the run finished
    diagnosis.close()
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.info.status == status
    assert not list(tmp_path.glob(f"{PROGRAM}*"))


START_A_RUN = """
import sys, time
from pathlib import Path
from pipeline.watch.scripts.run_process import RunProcess
from pipeline.watch.scripts.run_request import RunRequest
run = RunProcess(RunRequest(Path("mine.py"), [], None), 0, Path("records"), Path("kept"), 1)
print(run._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.long
def test_the_processes_of_a_killed_command_end_with_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import time; time.sleep(600)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", START_A_RUN]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        running = Process(host=Process.own().host, pid=number, started=training_progress._started(number))
        assert running.is_alive()
        parent.kill()
    wait_until(lambda: not running.is_alive())


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # as in a script of the user's own
def test_a_store_that_falls_silent_while_it_trains_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends, and one line says what it may lack."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    answers = threading.Event()
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", lambda *_, **__: answers.wait(60))
    monkeypatch.setattr(mlflow_run, "END_WITHIN", 1)
    model, inputs, labels = dense()
    try:
        model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[Diagnosis(inputs, labels)])
        (sender,) = [each for each in threading.enumerate() if each.name == "pipeline.watch"]
        (line,) = [line for line in caplog.messages if line.startswith("pipeline.watch")]
        assert "MLflow does not answer in time: its run may lack" in line
        (run,) = mlflow.MlflowClient().search_runs(["0"])
        assert run.info.status == "FINISHED"
    finally:
        answers.set()
    sender.join(60)
    assert not sender.is_alive()


@pytest.mark.slow
def test_a_server_that_does_not_answer_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    model, inputs, labels = dense(run_eagerly=True)
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
    assert diagnosis.outcome is not None
    assert len([line for line in caplog.messages if "MLflow" in line]) == 1


@pytest.mark.slow
def test_a_server_that_is_healthy_and_answers_nothing_stops_no_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor is a password that stands in its address shown."""
    import mlflow

    for name in ("MLFLOW_TRACKING_URI", servers.USER, servers.PASSWORD, *servers.impatience(2)):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(mlflow_run, "PATIENCE", 2)
    with answering("hangs") as (port, asked):
        mlflow.set_tracking_uri(f"http://user:s3cret@127.0.0.1:{port}")
        model, inputs, labels = dense(run_eagerly=True)
        diagnosis = Diagnosis(inputs, labels)
        model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[diagnosis])
        assert mlflow.get_tracking_uri() == f"http://127.0.0.1:{port}"
    assert len(asked) == 2  # once more, and no third time
    assert diagnosis.outcome is not None
    assert len([line for line in caplog.messages if "MLflow" in line]) == 1
    assert "s3cret" not in " ".join([*caplog.messages, *capfd.readouterr()])


@pytest.mark.slow
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

    model, inputs, labels = dense(run_eagerly=True)
    diagnosis = Diagnosis(inputs, labels, tensorboard=tmp_path, max_overhead=1000)
    model.fit(inputs, labels, epochs=3, verbose=0, callbacks=[diagnosis, Looks()])
    assert seen == [2, 3, 4]
    events = EventAccumulator(str(tmp_path / "diagnosis"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"sequential/dense/kernel", "sequential/dense/kernel/gradient_log10", "accuracy/train"} <= set(tags)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as in a script of the user's own
def test_mlflows_own_autolog_and_it_share_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.tensorflow.autolog(log_models=False)
    try:
        model, inputs, labels = dense(run_eagerly=True)
        diagnosis = Diagnosis(inputs, labels, max_overhead=1000)
        model.fit(inputs, labels, epochs=3, verbose=0, callbacks=[diagnosis])
    finally:
        mlflow.tensorflow.autolog(disable=True)
    assert diagnosis.outcome is not None
    assert not diagnosis.verdict.notes
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.info.status == "FINISHED"
    assert {"loss", "gradient_mean_abs/layer_01"} <= set(run.data.metrics)  # autolog's and ours
    assert run.data.params["epochs"] == "3"
    assert "outcome" in run.data.tags


def few(source: str, epochs: int) -> str:
    """An example's source with fewer epochs than its own."""
    own = f"epochs={epochs}"
    assert source.count(own) == 1
    return source.replace(own, "epochs=2")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.usefixtures("imports_beforehand")
def test_the_notebook_shows_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real kernel: what its last cell shows."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    notebook = nbformat.read(ROOT / "examples" / "watch_a_fit.ipynb", as_version=4)
    last = notebook.cells[-1]
    last.source = few(last.source, epochs=10)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (shown,) = [each for each in last.outputs if each.output_type == "execute_result"]
    assert shown.data["text/html"].count("<img") == 2
    assert "learned means above" in shown.data["text/html"]


@pytest.mark.slow
def test_the_example_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = (ROOT / "examples" / "watch_a_fit.py").read_text(encoding="utf-8")
    (tmp_path / "watch_a_fit.py").write_text(few(example, epochs=20), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("watch_a_fit.py", run_name="__main__")
    assert "Cause: " in capsys.readouterr().out
    assert (tmp_path / "why.html").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_ctrl_c_says_that_the_command_starts_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import time\nopen('begun', 'w').close()\ntime.sleep(600)\n", encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.watch", "mine.py"]
    options: dict[str, Any] = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **options) as running:
        wait_until(lambda: (tmp_path / "begun").exists() or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        said = running.communicate()[1]
    assert running.returncode == 130
    assert said.splitlines()[-1] == "interrupted: the same command starts again from the beginning"
