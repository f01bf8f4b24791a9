"""Test a user's own network in the pipeline, with the real DVC, Dask and MLflow; a second file has its classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_networks import BLOCKS, HEAD, WITH_BLOCKS
from workspace import Workspace, stage, variants

pytestmark = pytest.mark.slow

OWN = {"config": {}, "epochs": 2, "replicas": 3}
REACHED = {"fit@own", "evaluate_network@own", "compare", "track"}


@pytest.fixture(scope="module")
def finished(published: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace in which variants and a network are published. Tests must not change it."""
    workspace = published.copy(tmp_path_factory.mktemp("finished") / "study")
    folder = workspace.folder / "networks" / "own"
    folder.mkdir(parents=True)
    (folder / "network.py").write_text(HEAD + WITH_BLOCKS)
    (folder / "blocks.py").write_text(BLOCKS)
    workspace.edit({"comparison": {}, "networks": {"own": OWN}})
    workspace.commit()
    assert workspace.repro().executed == REACHED
    return workspace


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy that a test may change."""
    return finished.copy(tmp_path / "study")


def test_a_network_is_published_like_the_variants(finished: Workspace) -> None:
    runs = finished.runs()
    assert variants(runs) == ["own", "relu_2", "tanh_1"]
    (own,) = (run for run in runs.values() if run.variant == "own")
    assert len(own.children) == 3
    assert own.params["training.epochs"] == "2"
    assert "source" in own.params
    assert len(own.models) == 2
    assert {"learned_rate", "loss/train_median", "gradient_mean_abs/layer_01"} <= set(own.metrics)
    page = (finished.folder / "reports" / "index.md").read_text(encoding="utf-8")
    assert "| `own` | `networks/own/network.py` |" in page
    assert "(`own` 3 times for 2)" in page
    assert finished.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


LOADED = """
import sys
import mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
raw = pd.read_csv("raw.csv")
model = mlflow.pyfunc.load_model(sys.argv[2])
np.savetxt("predicted.txt", model.predict(raw[["x1", "x2"]])["probability of 1"])
"""


def test_its_model_takes_raw_rows_and_is_loaded_without_this_project(finished: Workspace, tmp_path: Path) -> None:
    """The model has the class of the second file, and predicts what the pipeline recorded."""
    (own,) = (run for run in finished.runs().values() if run.variant == "own")
    with finished.client() as client:
        (model,) = (each for each in map(client.get_logged_model, own.models) if each.name == "own_median")
        artifacts = Path(model.artifact_location.removeprefix("file://"))
    raw = pd.read_csv(finished.folder / "data" / "raw" / "points.csv")
    raw.to_csv(tmp_path / "raw.csv", index=False)
    (tmp_path / "load.py").write_text(LOADED)
    elsewhere = Workspace(tmp_path)
    elsewhere.run("python3", "load.py", f"sqlite:///{tmp_path}/none.db", str(artifacts))
    predicted = np.loadtxt(tmp_path / "predicted.txt")
    code = (
        "import json; from pipeline.history.files import load_history, load_predictions; "
        "from pipeline.evaluation.ranking import median_replica; "
        "r = median_replica(load_history('own'), 'accuracy'); "
        "print(json.dumps(load_predictions('own').test_prediction.sel(replica=r).values.reshape(-1).tolist()))"
    )
    recorded = np.array(json.loads(finished.run("python3", "-c", code).stdout))
    np.testing.assert_allclose(predicted[-len(recorded) :], recorded, atol=1e-5)


def test_another_file_or_config_of_a_network_trains_only_this_network(workspace: Workspace) -> None:
    blocks = workspace.folder / "networks" / "own" / "blocks.py"
    blocks.write_text(BLOCKS + "\n# edited\n")
    assert stale(workspace) == REACHED
    blocks.write_text(BLOCKS)
    assert stale(workspace) == set()
    workspace.edit({"networks.own.epochs": 3})
    assert stale(workspace) == REACHED
    workspace.edit({"networks.own.epochs": 2, "variants.tanh_1.units": 4})
    assert stale(workspace) == {"train@tanh_1", "evaluate@tanh_1", "compare", "track"}


def stale(workspace: Workspace) -> set[str]:
    """Return the stages that `dvc repro` would run."""
    return {
        line.split("'")[1]
        for line in workspace.run("dvc", "repro", "--dry", "--force-downstream").stdout.splitlines()
        if line.startswith("Running stage")
    }


@pytest.mark.long
def test_a_kill_loses_only_unfinished_replicas(finished: Workspace, workspace: Workspace) -> None:
    bytes_before = finished.content("runs/own")
    shutil.rmtree(workspace.folder / "runs" / "own")
    shutil.rmtree(workspace.folder / "cells")

    def kept() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (workspace.folder / "cells").glob("*/history.nc")}

    workspace.kill_when(lambda: len(kept()) >= 1, *stage("fit", "own"))
    before = kept()
    assert 1 <= len(before) < 3
    assert not (workspace.folder / "runs" / "own").exists()
    workspace.run(*stage("fit", "own"))
    assert before.items() <= kept().items()
    assert workspace.content("runs/own") == bytes_before


def test_a_study_changes_a_network(workspace: Workspace) -> None:
    study = {"base": "own", "replicas": 2, "cells": {"adam": {"optimizer": "adam"}}}
    workspace.edit({"studies": {"mine": study}})
    done = workspace.run("dvc", "repro", "studies/dvc.yaml:study@mine")
    assert done.executed == {"studies/dvc.yaml:study@mine"}
    cells = pd.read_csv(workspace.folder / "studies" / "mine" / "cells.csv")
    assert cells.cell.tolist() == ["own", "adam"]
    assert cells.replicas.tolist() == [2, 2]


ZEROS = """
def build(inputs, task):
    zeros = {"kernel_initializer": "zeros"}
    made = [layers.Dense(4, "tanh", **zeros), layers.Dense(1, "sigmoid", **zeros)]
    return keras.Sequential([keras.Input(inputs), *made])
"""


@pytest.mark.long
def test_a_study_tries_the_remedies_that_the_diagnosis_of_its_base_suggests(workspace: Workspace) -> None:
    folder = workspace.folder / "networks" / "zeros"
    folder.mkdir()
    (folder / "network.py").write_text(HEAD + ZEROS)
    study = {"base": "zeros", "cells": "suggested"}
    workspace.edit({"networks": {"own": OWN, "zeros": {"epochs": 2, "replicas": 1}}, "studies": {"mine": study}})
    workspace.run("dvc", "repro", "studies/dvc.yaml:study@mine")
    result = workspace.folder / "studies" / "mine"
    cells = pd.read_csv(result / "cells.csv")
    first, *more = cells.cell[1:]  # two epochs are too few, so a cell with more epochs is added
    assert (cells.cell[0], first) == ("zeros", "fresh_kernels")
    assert more
    assert all(name.startswith("fresh_kernels + ") for name in more)
    assert cells.symmetric.tolist() == [1, *[0] * (len(cells) - 1)]
    page = (result / "index.md").read_text(encoding="utf-8")
    assert "Change: Keras's own kernels and biases in all layers: `glorot_uniform`" in page
    again = workspace.run(*stage("study", "mine"))
    assert f"study mine: {len(cells)} cells" in again.stdout
    workspace.edit({"studies.mine": {"base": "zeros", "cells": {"none": {"remedy": "leaky_units"}}}})
    refused = workspace.attempt(*stage("study", "mine"))
    assert refused.code == 1
    assert refused.stderr.splitlines()[-1] == "error: no hidden layer uses ReLU"


def test_make_repro_reports_a_fault_in_its_file_before_a_variant_trains(workspace: Workspace) -> None:
    (workspace.folder / "networks" / "own" / "network.py").write_text("def build(inputs, task):\n    return nowhere\n")
    workspace.edit({"variants.tanh_1.units": 4})
    done = workspace.attempt("python3", "-m", "pipeline.repro")
    assert done.code == 1
    assert done.executed == set()
    assert done.stderr.strip().splitlines()[-1].startswith("error: networks/own/network.py, line 2: build fails")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def build(inputs, task):\n    return nowhere\n",
            "error: networks/own/network.py, line 2: build fails: NameError",
        ),
        ("x = 1\n", "error: networks/own/network.py: defines no build: must define build(inputs, task, **config)"),
    ],
)
def test_a_fault_in_its_file_is_reported_in_one_line_and_nothing_is_written(
    workspace: Workspace, code: str, message: str
) -> None:
    shutil.rmtree(workspace.folder / "runs" / "own")
    (workspace.folder / "networks" / "own" / "network.py").write_text(code)
    done = workspace.attempt(*stage("fit", "own"))
    assert done.code == 1
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert "Traceback" not in done.stderr
    assert not (workspace.folder / "runs" / "own").exists()
