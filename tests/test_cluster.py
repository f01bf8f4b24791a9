"""Test running studies: on this machine, and on a real Dask scheduler with two workers, of which one is killed."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest
from workspace import Done, Workspace, free_port, stage, wait_until

pytestmark = pytest.mark.slow

STUDY = {"base": "relu_2", "grid": {"hidden_layers": [1, 2, 3]}}
TABLES = ("cells.csv", "replicas.csv", "curves.csv", "index.md", "index.html")


@pytest.fixture(scope="module")
def local(published: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the published workspace after its study has run on this machine. Tests must not change it."""
    workspace = published.copy(tmp_path_factory.mktemp("local") / "study")
    workspace.edit({"studies": {"depth": STUDY}})
    workspace.run("dvc", "repro", "studies/dvc.yaml")
    return workspace


@pytest.fixture
def untouched(local: Workspace, tmp_path: Path) -> Workspace:
    """Return a workspace with the same data and parameters, but without cells."""
    return without_cells(local, tmp_path)


def without_cells(local: Workspace, folder: Path) -> Workspace:
    left = [local.folder / name for name in (".git", ".dvc", "cells", "studies/depth")]
    shutil.copytree(
        local.folder,
        folder / "study",
        ignore=lambda place, names: [name for name in names if Path(place, name) in left],  # not pipeline/studies
    )
    return Workspace(folder / "study")


def tables(workspace: Workspace) -> dict[str, bytes]:
    return {name: (workspace.folder / "studies" / "depth" / name).read_bytes() for name in TABLES}


def finished(workspace: Workspace) -> dict[Path, int]:
    """Return the time at which each cell in the store was written."""
    return {path: path.stat().st_mtime_ns for path in (workspace.folder / "cells").glob("*/history.nc")}


@contextmanager
def cluster(workspace: Workspace, *sources: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """Start a scheduler, and a worker for each folder of sources; yield its address and the first worker."""
    address = f"tcp://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    with ExitStack() as stack:
        scheduler = ["dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
        stack.enter_context(workspace.running(*scheduler, PYTHONPATH=str(workspace.folder)))
        command = worker(workspace, address)
        first, *more = sources
        killed = stack.enter_context(workspace.running_alone(*command, PYTHONPATH=str(first)))
        for folder in more:
            stack.enter_context(workspace.running(*command, PYTHONPATH=str(folder)))
        yield address, killed


def worker(workspace: Workspace, address: str) -> list[str]:
    """Return the command that starts a worker."""
    options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(workspace.folder / "dask")]
    return ["dask", "worker", address, *options]


def only_line(done: Done) -> str:
    """Return the one line that the command prints on stderr."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def study(workspace: Workspace, address: str) -> Done:
    return workspace.attempt(*stage("study", "depth"), DASK_SCHEDULER_ADDRESS=address)


def test_a_study_is_one_run_and_each_of_its_cells_a_child_run(local: Workspace) -> None:
    before = local.runs()
    (run,) = (run for run in before.values() if run.variant == "depth")
    assert (run.variant, run.status, run.tags["pipeline.complete"]) == ("depth", "FINISHED", "true")
    assert "The reference, `hidden_layers=2`, learns in" in run.tags["mlflow.note.content"]
    assert set(run.children) == {f"hidden_layers={layers}" for layers in (1, 2, 3)}
    assert run.children["hidden_layers=2"].tags["effect"] == "reference"
    deepest = run.children["hidden_layers=3"]
    assert (deepest.params["hidden_layers"], deepest.params["study"]) == ("3", "depth")
    assert deepest.tags["changes"] == "hidden_layers: 3"
    cells = pd.read_csv(local.folder / "studies" / "depth" / "cells.csv").set_index("cell")
    for name, child in run.children.items():
        assert child.metrics["learned_rate"] == pytest.approx(cells.learned_rate[name])
    local.run(*stage("track_study", "depth"))
    assert local.runs() == before


def test_a_second_repro_only_keeps_tried_remedies_and_the_root_does_not_run_studies(
    local: Workspace,
) -> None:
    """`make studies` keeps tried remedies for the report, but not those of removed studies."""
    assert "remedies" in local.json("studies/tried.json")  # as in the repository
    assert local.run("python3", "-m", "pipeline.repro", "--studies").executed == set()
    kept = local.json("studies/tried.json")
    assert list(kept) == ["depth"]
    assert kept["depth"]["base"] == "relu_2"
    assert [cell["changes"] for cell in kept["depth"]["cells"]] == [{"hidden_layers": 1}, {}, {"hidden_layers": 3}]
    assert local.attempt("dvc", "repro", "--dry").executed == {"compare"}  # whose report shows the tried remedies
    text = (local.folder / "studies" / "depth" / "index.md").read_text()
    assert "The reference, `hidden_layers=2`, learns in" in text


@pytest.mark.long
def test_two_workers_of_which_one_is_killed_and_one_worker_give_the_local_bytes(
    local: Workspace, untouched: Workspace, tmp_path: Path
) -> None:
    """Then the remaining worker trains everything again, for a workspace without cells."""
    folder, again = untouched.folder, without_cells(local, tmp_path / "again")
    with cluster(untouched, folder, folder) as (address, first):
        command = stage("study", "depth")
        with untouched.running(*command, DASK_SCHEDULER_ADDRESS=address) as process:
            wait_until(lambda: finished(untouched) or process.poll() is not None, every=0.01)
            assert process.poll() is None, "it ended before a worker could be killed"
            os.killpg(first.pid, signal.SIGKILL)
            assert process.wait(240) == 0
        assert study(again, address).code == 0
    assert tables(untouched) == tables(local)
    assert tables(again) == tables(local)
    assert len(finished(again)) == 3


@pytest.mark.long
def test_a_worker_that_starts_after_the_only_one_is_killed_trains_the_rest(local: Workspace, tmp_path: Path) -> None:
    """Everything that the first worker held is lost, including the data."""
    again = without_cells(local, tmp_path / "again")
    with (
        cluster(again, again.folder) as (address, first),
        again.running(*stage("study", "depth"), DASK_SCHEDULER_ADDRESS=address) as process,
    ):
        wait_until(lambda: finished(again) or process.poll() is not None, every=0.01)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        with again.running(*worker(again, address), PYTHONPATH=str(again.folder)):
            assert process.wait(240) == 0
    assert tables(again) == tables(local)
    assert len(finished(again)) == 3


def test_an_added_cell_trains_alone_and_an_interrupted_study_resumes(untouched: Workspace) -> None:
    with untouched.running_alone(*stage("study", "depth")) as process:
        wait_until(lambda: finished(untouched) or process.poll() is not None, every=0.01)
        assert process.poll() is None, "it ended before it could be killed"
    before = finished(untouched)
    assert 1 <= len(before) < 3
    noisy = {"data": {"config": {"noise": 0.3}}}  # with rows of its own
    untouched.edit({"studies.depth.cells": {"wide": {"units": 7}, "noisy": noisy}})
    untouched.run(*stage("study", "depth"))
    after = finished(untouched)
    assert before.items() <= after.items()
    assert len(after) == 5
    text = (untouched.folder / "studies" / "depth" / "index.md").read_text()
    assert "`wide`" in text
    assert "| `noisy` | `data.config.noise: 0.3` |" in text


def test_an_invalid_cell_is_reported_before_any_cell_trains(untouched: Workspace) -> None:
    untouched.edit({"studies.depth.cells": {"bad": {"activation": "nonsense"}}})
    done = untouched.attempt(*stage("study", "depth"))
    line = only_line(done)
    assert (done.code, "Traceback" in done.stderr) == (1, False)
    assert line.startswith("error: studies.depth.cells.bad.activation: nonsense: not a Keras")
    assert finished(untouched) == {}
    assert not (untouched.folder / "studies" / "depth").exists()


def test_a_worker_with_other_sources_is_reported_in_one_line(untouched: Workspace, tmp_path: Path) -> None:
    other = without_cells(untouched, tmp_path / "other")
    changed = other.folder / "pipeline" / "training" / "stacked" / "quantities.py"
    changed.write_text(changed.read_text() + "# other\n")
    with cluster(untouched, other.folder) as (address, _):
        done = study(untouched, address)
    line = only_line(done)
    assert done.code == 1
    assert "runs other source code than the study" in line
    assert finished(untouched) == {}


def test_a_scheduler_that_does_not_answer_is_reported_in_one_line(untouched: Workspace) -> None:
    untouched.replace("pipeline/studies/workers.py", "TIMEOUT = 10 ", "TIMEOUT = 1 ")
    done = study(untouched, f"tcp://127.0.0.1:{free_port()}")
    line = only_line(done)
    assert done.code == 1
    assert line.startswith("error: DASK_SCHEDULER_ADDRESS: tcp://127.0.0.1:")
