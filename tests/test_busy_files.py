"""DVC's list of busy files is removed only if each process that it names has ended."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from workspace import wait_until

from pipeline.repro.busy_files import FILE, remove_if_abandoned


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FILE.parent.mkdir(parents=True)


@pytest.fixture
def zombie() -> Iterator[int]:
    """The number of a process that has ended, and whose parent has not asked for its exit code."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        yield process.pid


def write(*numbers: int, reads: bool = False) -> None:
    """Write a list in which each of these processes uses a file."""
    entries = {f"/data/{number}": {"pid": number, "cmd": "dvc repro"} for number in numbers}
    readers = {path: [entry] for path, entry in entries.items()}
    FILE.write_text(json.dumps({"read": readers if reads else {}, "write": {} if reads else entries}))


@pytest.mark.parametrize("reads", [False, True])
def test_a_running_process_keeps_its_files_busy(reads: bool, zombie: int) -> None:
    write(zombie, os.getpid(), reads=reads)
    remove_if_abandoned()
    assert FILE.exists()


def test_a_zombie_uses_no_file(zombie: int) -> None:
    write(zombie)
    remove_if_abandoned()
    assert not FILE.exists()


def test_a_process_that_began_after_the_list_is_another() -> None:
    write(os.getpid())
    before = time.time() - 24 * 60 * 60
    os.utime(FILE, (before, before))
    remove_if_abandoned()
    assert not FILE.exists()


@pytest.mark.parametrize(
    "text", ["", "\xff", '{"read": {}, "write": {"/data": {"pi', "[]", '{"read": {"a": 1}, "write": {}}']
)
def test_a_list_that_dvc_would_reject_is_removed(text: str) -> None:
    FILE.write_text(text, encoding="latin-1")
    remove_if_abandoned()
    assert not FILE.exists()


def test_without_a_list_nothing_happens() -> None:
    remove_if_abandoned()
    assert not FILE.exists()
