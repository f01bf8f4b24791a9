"""Scripts as people write them, under `--replicas 2`: none fails, and no file appears that they did not write."""

import ast
import re
import shutil
import sys
from pathlib import Path

import pytest
from imports import ROOT

from pipeline.watch import __main__ as command

FOLDER = ROOT / "tests" / "scripts"
BESIDE = {"my_model.py"}  # modules of other scripts
SCRIPTS = sorted({path.name for path in FOLDER.glob("*.py")} - BESIDE)
# The scripts that differ most; the others run by `pytest -m campaign`.
IN_EVERY_RUN = {"saves_model.py", "two_fits.py"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("in_this_process", "quick_models_once"),
    pytest.mark.filterwarnings("ignore"),  # as in a script of the user's own
]


def stated(script: Path, what: str) -> list[str]:
    """Return what a script's docstring says about it, such as the files that it writes."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    found = re.search(rf"{what}: (.*)", text)
    return found.group(1).split() if found else []


@pytest.mark.parametrize(
    "name", [each if each in IN_EVERY_RUN else pytest.param(each, marks=pytest.mark.campaign) for each in SCRIPTS]
)
def test_a_script_runs_from_two_seeds_and_nothing_else_changes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    own.mkdir()
    elsewhere.mkdir()
    for each in (name, *stated(FOLDER / name, "needs")):
        shutil.copy(FOLDER / each, own / each)
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(own)
    arguments = stated(FOLDER / name, "arguments")
    report = elsewhere / "why.html"
    monkeypatch.setattr(sys, "argv", ["watch", "--replicas", "2", "--report", str(report), name, *arguments])
    command.main()
    said = capsys.readouterr()
    assert re.search(r"\d of 2 replicas learn|2 replicas; cannot tell whether they learned", said.out), said
    assert report.is_file()
    after = {path.name: path.read_bytes() for path in own.iterdir() if path.name != "__pycache__"}
    assert {each: after[each] for each in before} == before
    assert set(after) - set(before) == set(stated(own / name, "writes"))
    assert [each.name for each in elsewhere.iterdir()] == ["why.html"]
