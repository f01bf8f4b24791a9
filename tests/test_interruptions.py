"""Test that an interrupted `make repro` ends what it has started, whoever gets the signal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from imports import ROOT

from pipeline.repro import __main__ as repro

# Ignores Ctrl-C while its stage runs, as DVC does.
DVC = """
import signal, subprocess, sys
stage = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(stage.pid, flush=True)
sys.exit(stage.wait())
"""
STAGE = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {STAGE}"


@pytest.mark.parametrize("stage", [STAGE, STUBBORN], ids=["ends by Ctrl-C", "ignores Ctrl-C"])
def test_a_signal_to_the_first_process_ends_dvc_and_its_stage(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repro, "REACHED_WITHIN", 0.1)
    monkeypatch.setattr(repro, "INTERRUPTED_WITHIN", 2.0)
    with subprocess.Popen([sys.executable, "-c", DVC, stage], stdout=subprocess.PIPE, text=True) as dvc:
        assert dvc.stdout is not None
        number = int(dvc.stdout.readline())
        repro._end(dvc)
        assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE
        assert dvc.returncode is not None


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "interrupted before any stage:"),
        (["split", "train@v"], "interrupted in train@v: finished stages are kept;"),
        (["studies/dvc.yaml:study@s"], "interrupted in study@s: finished cells and stages are kept;"),
        (["studies/dvc.yaml:track_study@s"], "interrupted in track_study@s: finished stages are kept;"),
    ],
)
def test_the_message_says_what_is_kept(stages: list[str], message: str) -> None:
    """DVC prints the file of a stage that is not in the root's dvc.yaml."""
    assert repro._interruption(stages).startswith(message)


@pytest.mark.parametrize("module", ["pipeline.repro", "pipeline.stages.compare"])
@pytest.mark.parametrize(
    ("statement", "code", "line"),
    [
        (
            "import signal; signal.raise_signal(signal.SIGINT)",
            -signal.SIGINT,
            "interrupted: run the same command again",
        ),
        ("raise MemoryError", 1, "error: {module}: out of memory while it loads libraries"),
        ("raise ImportError('x.so: failed to map segment from shared object')", 1, "error: {module}: out of memory"),
    ],
    ids=["Ctrl-C", "memory", "library"],
)
def test_what_ends_the_imports_is_reported_in_one_line(
    module: str, statement: str, code: int, line: str, tmp_path: Path
) -> None:
    (tmp_path / "pandas.py").write_text(statement)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(line.format(module=module))
    assert done.stderr.count("\n") == 1
