"""Test that an interrupted `make repro` ends what it has started, whoever gets the signal."""

import subprocess
import sys

import psutil
import pytest

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
