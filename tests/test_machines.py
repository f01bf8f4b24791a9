"""The report for machines: its models, its schema, its exit codes, and the command that writes it."""

import ast
import json
import math
import os
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import keras
import numpy as np
import pytest
from imports import ROOT

import pipeline
from docs.generate import SCHEMA
from examples import THRESHOLDS, history
from pipeline.diagnosis.causes import TABLE, cause_names
from pipeline.diagnosis.evidence_units import MEANINGS, UNITS
from pipeline.diagnosis.notices import NOTICES
from pipeline.watch import __main__ as command
from pipeline.watch.fit_verdict import Verdict, unrecorded
from pipeline.watch.for_machines.exit_codes import exit_code
from pipeline.watch.for_machines.replicas_report import fit_of_replicas
from pipeline.watch.for_machines.report_models import CheckReport, CheckStatus, FitReport, MachineReport, number
from pipeline.watch.scripts.attempt import Attempt
from pipeline.watch.scripts.run_request import RunResult
from pipeline.watch.scripts.script import run_as_main
from pipeline.watch.scripts.script_replicas import FitRecord, FitSummary, summary
from pipeline.watch.verdict import judge

SCHEMA_TEXT = json.loads(SCHEMA.read_text(encoding="utf-8"))


def watched(*accuracy: float, dead: bool = False) -> Any:
    """Return the record of one watched training."""
    made = history([list(accuracy)], [[int(dead)] * len(accuracy)])
    return made.assign_attrs(task_is_known=1, probe="rows")


def verdict_of(*accuracy: float, dead: bool = False) -> Verdict:
    return judge(watched(*accuracy, dead=dead), None, THRESHOLDS, ())


def over_seeds(*finals: float, dead: bool = False) -> FitSummary:
    """Return the summary of one run for each final accuracy."""
    records = [
        FitRecord("small", seed, watched(0.5, final, dead=dead), sets_its_seed=False, notes=())
        for seed, final in enumerate(finals)
    ]
    return summary(records, None)


def expect_valid(part: Any, name: str) -> None:
    """Check the part against the schema file, as JSON that has no NaN."""
    plain = json.loads(json.dumps(part, allow_nan=False))
    jsonschema.Draft202012Validator({**SCHEMA_TEXT["$defs"][name], "$defs": SCHEMA_TEXT["$defs"]}).validate(plain)


def fit_with(verdict: Verdict) -> FitReport:
    return FitReport(number=1, model="small", verdict=verdict.report)


def test_the_schema_is_itself_valid_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA_TEXT)
    for name, part in {**SCHEMA_TEXT["$defs"], "MachineReport": SCHEMA_TEXT}.items():
        assert not [field for field, what in part["properties"].items() if "description" not in what], name
        assert set(part["required"]) == set(part["properties"]), name


def test_a_failure_has_cause_evidence_advice_and_layers() -> None:
    report = verdict_of(0.5, 0.5, dead=True).as_dict()
    expect_valid(report, "VerdictReport")
    assert (report["schema_version"], report["outcome"], report["cause"]) == (1, "not_learned", "born_dead")
    assert (report["abstained"], report["tentative"], report["epochs"]) == (False, False, 1)
    assert report["score"] == {
        "name": "balanced_accuracy",
        "value": 0.5,
        "threshold": 0.75,
        "part": "test",
        "guess": 0.5,
        "outputs": [],
    }
    assert report["evidence"]["born_dead"] == {"value": 1.0, "unit": "1 or 0", "meaning": MEANINGS["born_dead"]}
    assert report["evidence"]["dead_layer"]["value"] == report["layers"][0]["path"]
    leaky = next(each for advice in report["advice"] for each in advice["remedies"] if each["name"] == "leaky_units")
    assert (leaky["fixed"], leaky["runs"], leaky["is_in_place"]) == (2, 2, True)
    assert [layer["role"] for layer in report["layers"]] == ["hidden", "output"]


def test_the_advice_of_the_report_is_the_advice_of_the_text() -> None:
    verdict = verdict_of(0.5, 0.5, dead=True)
    words = [advice.words for advice in verdict.report.advice]
    assert words == list(verdict.tries)
    assert words


def test_a_model_that_learned_gets_no_advice() -> None:
    report = verdict_of(0.5, 0.9).as_dict()
    expect_valid(report, "VerdictReport")
    assert (report["outcome"], report["cause"], report["advice"]) == ("learned", None, [])
    assert not report["abstained"]


def test_unexplained_failures_and_missing_outcomes_are_abstentions() -> None:
    unexplained = Verdict("not_learned", "unexplained", {}, (), "", "", (), ())
    unknown = unrecorded("nothing was recorded", ())
    assert unexplained.report.abstained
    assert unknown.report.abstained
    assert not replace(unexplained, cause="no_signal").report.abstained
    expect_valid(unknown.as_dict(), "VerdictReport")


@pytest.mark.parametrize("cause", cause_names())
def test_a_report_is_as_tentative_as_the_text(cause: str) -> None:
    report = Verdict("not_learned", cause, {}, (), "", "", (), ()).report
    assert report.tentative == next(each for each in TABLE if each.name == cause).is_tentative


def test_numbers_that_json_does_not_have_are_texts() -> None:
    record = watched(0.5, math.nan, dead=True)
    record["train_loss"][0, -1] = np.inf
    record["gradient_mean_abs"][0, -1, 0] = np.inf
    report = judge(record, None, THRESHOLDS, ()).as_dict()
    expect_valid(report, "VerdictReport")
    assert report["score"]["value"] == "NaN"
    assert report["layers"][0]["gradient"] == "Infinity"
    assert [number(value) for value in (math.nan, -math.inf, 2)] == ["NaN", "-Infinity", 2.0]


def test_every_number_of_the_evidence_has_a_unit() -> None:
    assert set(UNITS) == set(MEANINGS)


def test_replicas_and_attempts() -> None:
    run = RunResult([], None, None, fit_site=("/elsewhere/mine.py", 7))
    attempt = Attempt(("adam", "longer"), "another optimizer", 2, 3, 0.66, -0.1, 0.9, ("saturated",), {}, [run])
    report = fit_of_replicas(over_seeds(0.5, 0.9, 0.5, dead=True), [attempt], {"adam + residual": "another model"})
    expect_valid(report.as_dict(), "FitReport")
    assert report.replicas is not None
    assert report.attempts is not None
    assert report.untried is not None
    assert (report.replicas.learned, report.replicas.runs, report.replicas.causes) == (1, 3, {"born_dead": 2})
    assert report.replicas.interval == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert [(each.seed, each.outcome) for each in report.replicas.by_seed] == [
        (0, "not_learned"),
        (1, "learned"),
        (2, "not_learned"),
    ]
    assert report.replicas.by_seed[0].score == 0.5
    assert report.replicas.by_seed[0].evidence["dead_layer"].unit == "layer, from 1"
    assert [each.words for each in report.replicas.advice]
    assert (report.attempts[0].remedies, report.attempts[0].effect) == (("adam", "longer"), "undecided")
    assert (report.attempts[0].diff, report.attempts[0].place) == (None, "/elsewhere/mine.py:7")
    assert report.untried[0].remedies == ("adam", "residual")


def checks(*statuses: CheckStatus) -> FitReport:
    rest = {"sentence": "", "remedy": None, "reason": None, "cause": None, "numbers": {}}
    reports = [CheckReport(name="x", status=each, **rest) for each in statuses]
    return FitReport(number=1, model="small", checks=tuple(reports))


LEARNED, FAILED, UNKNOWN = verdict_of(0.5, 0.9), verdict_of(0.5, 0.5), unrecorded("nothing was recorded", ())


@pytest.mark.parametrize(
    ("fits", "code"),
    [
        ([fit_with(LEARNED)], 0),
        ([fit_with(LEARNED), fit_with(FAILED), fit_with(UNKNOWN)], 3),
        ([fit_with(LEARNED), fit_with(UNKNOWN)], 4),
        ([], 4),
        ([fit_of_replicas(over_seeds(0.9, 0.9, 0.5))], 0),
        ([fit_of_replicas(over_seeds(0.9, 0.5))], 3),
        ([checks("fine", "hint", "not_run")], 0),
        ([checks("fine", "fault")], 3),
        ([checks("not_run")], 4),
    ],
)
def test_the_worst_fit_decides_the_exit_code(fits: list[FitReport], code: int) -> None:
    assert exit_code(fits) == code


# The command


def run_here(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["watch", *arguments])
    command.main()


@pytest.mark.parametrize("name", dict.fromkeys([*cause_names(), *(each.name for each in NOTICES)]))
def test_explain_prints_the_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run_here(monkeypatch, tmp_path, "--explain", name)
    assert not end.value.code
    printed = " ".join(capsys.readouterr().out.split())
    page = " ".join((ROOT / "docs" / "causes.md").read_text(encoding="utf-8").split())
    for each in (each for each in TABLE if each.name == name):
        assert f"Cause: {name.replace('_', ' ')} * Looks like: " in printed
        assert all(advice.words in printed and advice.words in page for advice in each.advice)
    for each in (each for each in NOTICES if each.name == name):
        assert f"Notice: {name.replace('_', ' ')} * Means: " in printed
        assert each.false_alarms in page
    assert "**" not in printed


def test_explain_suggests_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pipeline.UserError, match=r"--explain: born_ded: must be .*: did you mean born_dead\?"):
        run_here(monkeypatch, tmp_path, "--explain", "born_ded")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", r"--json: \(empty\): is a folder"),
        (".", "--json: .: is a folder: must be a file, or - for standard output"),
        ("mine.py", "--json: mine.py: is the script: must be another file"),
        ("mine.py/x.json", "--json: mine.py/x.json: .*: must be a file that can be written"),
    ],
)
def test_a_report_that_cannot_be_written_is_one_line_before_the_script_runs(
    target: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    with pytest.raises(pipeline.UserError, match=message):
        run_here(monkeypatch, tmp_path, "--json", target, "mine.py")


SCRIPT = """
import os, sys
import keras
import numpy as np
print("from Python")
os.system("echo from a subprocess")
os.write(1, b"from C\\n")
inputs = np.random.default_rng(0).normal(size=(128, 2)).astype("float32")
labels = (inputs.sum(axis=1) > 0).astype("int32")
good = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")], name="good")
good.compile(keras.optimizers.Adam(0.3), "binary_crossentropy")
bad = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros")], name="bad")
bad.compile(keras.optimizers.SGD(1e-12), "binary_crossentropy")
for model in (good, bad):
    model.fit(inputs, labels, epochs=6, verbose=0)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_json_is_all_that_standard_output_has_and_a_script_keeps_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT, encoding="utf-8")
    words = [sys.executable, "-m", "pipeline.watch", "--json", "-", "--fail", "mine.py", "5"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA_TEXT).validate(report)
    assert MachineReport.model_validate_json(done.stdout).as_dict() == report
    assert (report["error"], report["exit_code"], report["arguments"]) == ("SystemExit: 5", 3, ["5"])
    assert [(fit["number"], fit["model"], fit["verdict"]["outcome"]) for fit in report["fits"]] == [
        (1, "good", "learned"),
        (2, "bad", "not_learned"),
    ]
    assert all(each in done.stderr for each in ("from Python", "from a subprocess", "from C", "fit 1, good\nLearned"))
    assert not [path.name for path in tmp_path.iterdir() if path.name != "mine.py"]


def block(page: str, language: str) -> str:
    """Return the only block of code of a language on a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(code)


def expect_within(shown: Any, real: Any, place: str) -> None:
    """Check that the page shows a part of the real report: numbers to 1%, and lists of layers from the first on."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            expect_within(value, real[name], f"{place}.{name}")
    elif isinstance(shown, list):
        assert len(shown) == len(real) or place.endswith("layers"), place
        for number, (each, other) in enumerate(zip(shown, real, strict=False)):
            expect_within(each, other, f"{place}.{number}")
    else:
        assert real == (pytest.approx(shown, rel=0.01) if isinstance(shown, float) else shown), place


@pytest.mark.slow
@pytest.mark.usefixtures("quick_models_once")
def test_the_pages_show_what_the_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example for assistants, the gate of CI, and an older report that a script which fails at once leaves."""
    script, file = tmp_path / "train.py", tmp_path / "out" / "verdict.json"
    script.write_text(block("assistants.md", "python"), encoding="utf-8")
    keras.utils.clear_session(free_memory=False)  # layers get their names as in a process of their own
    with pytest.raises(SystemExit) as end:
        run_here(monkeypatch, tmp_path, "--json", "out/verdict.json", "--fail", "train.py", "20")
    assert end.value.code == 3
    shown, real = json.loads(block("assistants.md", "json")), json.loads(file.read_text(encoding="utf-8"))
    verdicts = [report["fits"][0]["verdict"] for report in (shown, real)]
    assert {*verdicts[1]["symptoms"]} <= {"exploding", "died_in_training", "saturated"}
    if verdicts[1]["symptoms"] != verdicts[0]["symptoms"]:
        # With inputs this large, the processor's last digits decide whether the layer dies or saturates at the end.
        for verdict in verdicts:
            del verdict["symptoms"], verdict["layers"]
            verdict["evidence"].pop("dead_layer", None)
    expect_within(shown, real, "report")
    assert "fit 1, net\nDid not learn" in capsys.readouterr().out
    (tmp_path / "gate.py").write_text(block("ci.md", "python"), encoding="utf-8")
    monkeypatch.chdir(file.parent)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(tmp_path / "gate.py"))
    assert end.value.code == 3
    assert "Cause: unscaled inputs." in capsys.readouterr().out
    script.write_text("raise ValueError('before any fit')", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        run_here(monkeypatch, tmp_path, "--json", "out/verdict.json", "train.py")
    assert (end.value.code, str(end.value.__cause__)) == (1, "before any fit")
    assert not file.exists()


def test_the_gate_ignores_causes_that_exist() -> None:
    (names,) = re.findall(r"TOO_SHORT = (\{.*\})", block("ci.md", "python"))
    assert set(ast.literal_eval(names)) < set(cause_names())


@pytest.mark.parametrize(
    ("text", "kind", "frames"),
    [
        ('print("begins")\nopen("missing.csv")\n', FileNotFoundError, 1),
        ("def half(x):\n    return x / 0\nhalf(1)\n", ZeroDivisionError, 2),
        ("x = (\n", SyntaxError, 0),
    ],
)
def test_an_error_of_the_script_is_shown_with_the_lines_of_the_script_alone(
    text: str, kind: type[Exception], frames: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "fails.py"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        run_as_main(script, [])
    assert end.value.code == 1
    assert isinstance(end.value.__cause__, kind)
    shown = capsys.readouterr().err
    assert kind.__name__ in shown.splitlines()[-1]
    assert shown.count(", in ") == frames
    assert 'fails.py", line' in shown
    assert "pipeline" not in shown
    assert "runpy" not in shown
