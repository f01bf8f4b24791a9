"""The checks before training: their lines, that nothing of a script runs after them, and that the model is restored."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np
import pytest
from imports import ROOT

from benchmarks.checked import rendered
from pipeline import Diagnosis
from pipeline.foundations.errors import UserError
from pipeline.foundations.untyped import FitKeywords
from pipeline.watch.checks import check_fit as checks
from pipeline.watch.checks import check_script as script
from pipeline.watch.checks.check_line import FAULT, FINE, NOT_RUN, CheckLine, FitChecks
from pipeline.watch.checks.check_script import check_script
from pipeline.watch.checks.machine_checks import fit_of_checks
from pipeline.watch.checks.trial_fit import TrialFit
from pipeline.watch.for_machines.exit_codes import exit_code
from pipeline.watch.for_machines.report_models import MachineReport

pytestmark = pytest.mark.usefixtures("quick_models_once")

ROWS = """
import argparse, atexit
import keras
import numpy as np
import tensorflow as tf
keras.utils.set_random_seed(0)
rows = np.random.default_rng(0).normal(size=(256, 3)).astype("float32")
labels = (rows.sum(axis=1) > 0).astype("int32")
"""
# As people write them: a function, an argument, a fit within try, a save at the end, callbacks that write files.
TYPICAL = (
    ROWS
    + """
def train(epochs):
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")], name="typical")
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    callbacks = [
        keras.callbacks.ModelCheckpoint("best.keras"), keras.callbacks.CSVLogger("log.csv"),
        keras.callbacks.TensorBoard("logs"), keras.callbacks.EarlyStopping(monitor="val_accuracy", mode="min"),
    ]
    try:
        model.fit(rows, labels, validation_split=0.25, epochs=epochs, callbacks=callbacks, verbose=0)
    except Exception as error:
        print("swallowed", error)
    model.save("model.keras")

if __name__ == "__main__":
    atexit.register(lambda: open("at_exit", "w"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    try:
        train(parser.parse_args().epochs)
    finally:
        open("at_the_end", "w")
"""
)
FAULTY = (
    ROWS
    + """
order = np.argsort(labels)
rows[3] = np.nan
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "softmax")], name="faulty")
rate = keras.optimizers.schedules.PolynomialDecay(0.01, 4, 0)
model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=[keras.metrics.Accuracy()])
model.fit(rows[order], labels[order], batch_size=16, epochs=20, shuffle=False, class_weight={"0": 1.0, "1": 2.0})
"""
)
STREAMS = (
    ROWS
    + """
class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.hidden, self.last = keras.layers.Dense(8, "relu"), keras.layers.Dense(1)
    def call(self, inputs):
        return self.last(self.hidden(inputs))
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True)[:, 0] - tf.cast(y, tf.float32)) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}

def endless():
    while True:
        yield rows[:32], labels[:32]

first = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")], name="first")
first.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
first.fit(endless(), steps_per_epoch=2, shuffle=False, verbose=0)
own = Own()
own.compile("adam")
own.fit(tf.data.Dataset.from_tensor_slices((rows, labels)).batch(32).repeat(), steps_per_epoch=4, epochs=2, verbose=0)
"""
)
Checked = Callable[..., FitChecks]


class Ended(BaseException):
    """The end of the process, in a test that goes on."""


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """A function that checks a script in its own folder, in this process."""

    def check(text: str, *arguments: str, fit: int = 1) -> FitChecks:
        reports: list[FitChecks] = []

        def check_fit(model: keras.Model, arguments: FitKeywords, number: int) -> FitChecks:
            reports.append(checks.check_fit(model, arguments, number))
            return reports[0]

        def end(code: int) -> NoReturn:
            assert code == (3 if reports[0].of_level(FAULT) else 0)
            raise Ended

        (tmp_path / "script.py").write_text(text)
        monkeypatch.setattr(script, "check_fit", check_fit)
        monkeypatch.chdir(tmp_path)
        own = keras.Model.fit
        with pytest.raises(Ended):
            check_script(Path("script.py"), arguments, fit, end=end)
        assert keras.Model.fit is own
        return reports[0]

    return check


def line_of(report: FitChecks, name: str) -> CheckLine:
    return next(line for line in report.lines if line.name == name)


@pytest.mark.slow
def test_each_fault_of_a_script_has_its_line(checked: Checked) -> None:
    report = checked(FAULTY)
    for name, cause in {
        "numbers": "non_finite_data",
        "output": "output_mismatch",
        "order of batches": "ordered_batches",
        "class weights": "ignored_class_weight",
        "schedule": "learning_rate_ended",
    }.items():
        line = line_of(report, name)
        assert (line.level, line.cause) == (FAULT, cause), line
        assert line.advice, line
    assert [line.level for line in report.lines] == sorted(
        (line.level for line in report.lines), key=["fault", "hint", "fine", "not run"].index
    )


@pytest.mark.slow
def test_streams_own_steps_and_a_later_fit_are_checked(checked: Checked) -> None:
    first = checked(STREAMS)
    assert line_of(first, "fitting 64 rows by heart").level == FINE
    second = checked(STREAMS, fit=2)
    assert str(second).startswith("fit 2, own: checked before training")
    assert line_of(second, "loss at the start").level == NOT_RUN
    assert line_of(second, "fitting 64 rows by heart").level == FINE


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_nothing_of_a_script_runs_after_the_checked_fit(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(TYPICAL)
    command = [sys.executable, "-m", "pipeline.watch", "--check", "--json", "-", "script.py", "--epochs", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert "swallowed" not in result.stderr
    assert "\nfault    early stopping: `EarlyStopping` treats a worse number as better" in result.stderr
    (fit,) = MachineReport.model_validate_json(result.stdout).fits
    assert fit.checks is not None
    assert [(check.name, check.cause) for check in fit.checks if check.status == "fault"] == [
        ("early stopping", "stopped_early")
    ]
    assert os.listdir(tmp_path) == ["script.py"]


def test_a_script_without_the_fit_is_one_line(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('nothing')")
    with pytest.raises(UserError, match="0 calls of `fit`: there is no fit 1 to check"):
        check_script(script, [])
    script.write_text("raise SystemExit(7)")
    with pytest.raises(SystemExit, match="7"):
        check_script(script, [])


def test_a_checked_model_trains_as_if_it_were_not() -> None:
    rows = np.random.default_rng(0).normal(size=(128, 3)).astype("float32")
    targets = rows.sum(axis=1)

    def trained(is_checked: bool) -> tuple[list[np.ndarray], float]:
        keras.utils.set_random_seed(3)
        layers = [keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.Adam(0.01), "mse")
        if is_checked:
            report = Diagnosis.check(model, rows, targets, epochs=2)
            assert not report.of_level(FAULT), report
            assert line_of(report, "fitting 64 rows by heart").level == FINE
        model.fit(rows, targets, epochs=2, verbose=0)
        return model.get_weights(), random.random()

    (unchecked, number), (checked, same) = trained(False), trained(True)
    assert number == same
    for expected, weight in zip(unchecked, checked, strict=True):
        np.testing.assert_array_equal(expected, weight)


def test_invalid_arguments_are_one_line() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(UserError, match="not compiled"):
        Diagnosis.check(model, np.zeros((4, 1)), np.zeros(4))
    with pytest.raises(UserError, match="epoch"):
        Diagnosis.check(model, np.zeros((4, 1)), np.zeros(4), epoch=3)


def test_a_report_counts_its_lines() -> None:
    lines = [CheckLine("a", FAULT, "wrong.", "mend it"), CheckLine("b", FINE, "good."), CheckLine("c", NOT_RUN, "no.")]
    report = FitChecks("m", lines, 1)
    assert str(report).splitlines()[1] == "fault    a: wrong. Do: mend it."
    assert report.summary == "1 fault, 0 hints; 1 check could not run"
    codes = [exit_code([fit_of_checks(FitChecks("m", lines[first:]))]) for first in range(3)]
    assert codes == [3, 0, 4]


def test_a_trial_has_the_batches_of_the_fit() -> None:
    rows = np.zeros((1000, 2), np.float32)
    trial = TrialFit({"x": rows, "y": rows, "epochs": 5, "initial_epoch": 2, "validation_split": 0.2})
    assert (trial.epochs, trial.steps_per_epoch, trial.batch_size) == (3, 25, 32)
    assert len(trial.arguments["x"]) == 800
    assert len(trial.arguments["validation_data"][0]) == 200
    assert {name: trial.trial[name] for name in ("epochs", "steps_per_epoch", "batch_size", "validation_steps")} == {
        "epochs": 3,
        "steps_per_epoch": 25,
        "batch_size": 32,
        "validation_steps": 7,
    }
    by_steps = TrialFit({"x": rows, "y": rows, "steps_per_epoch": 100, "callbacks": [keras.callbacks.CSVLogger("a")]})
    assert (by_steps.batch_size, by_steps.trial["steps_per_epoch"], by_steps.trial["callbacks"]) == (10, 32, [])
    endless = TrialFit({"x": (batch for batch in [(rows, rows)] * 2)})
    assert endless.steps_per_epoch is None
    endless.build(keras.Sequential([keras.layers.Dense(2)]))
    assert len(list(endless.arguments["x"])) == 2  # it got its first batch back


def test_the_tables_count_programs_by_set_and_check() -> None:
    good = {"a": {"fault": {}, "hint": {"classes": "imbalanced"}}, "b": {"fault": {}, "hint": {}}}
    faulty = {
        "c": {"accepted": ["frozen"], "fault": {"trained layers": "frozen"}, "hint": {}},
        "d": {"accepted": ["frozen"], "fault": {"output": "output_mismatch"}, "hint": {"classes": "imbalanced"}},
    }
    shares, lines = rendered({"known_good": good, "known_faults": faulty}).split("\n\n")
    half, none, whole = "1 of 2 (9% to 91%)", "0 of 2 (0% to 66%)", "2 of 2 (34% to 100%)"
    assert shares.splitlines()[2:] == [
        f"| `known_good` | 2 | {none} | {half} | - | - | 0 |",
        f"| `known_faults` | 2 | {whole} | {half} | {half} | {half} | 0 |",
    ]
    assert lines.splitlines()[2:] == [
        "| classes | 0 | 1 | 0 | 1 |",
        "| output | 0 | 0 | 1 | 0 |",
        "| trained layers | 0 | 0 | 1 | 0 |",
    ]
