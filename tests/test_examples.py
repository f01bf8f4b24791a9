"""The examples run with small numbers, on real DVC and MLflow, and leave what is the user's own alone."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from workspace import ROOT, Workspace, variants

from pipeline.data.split.tasks import Task

SMALL = {"epochs": 2, "replicas": 2, "chunk": 2, "surface_resolution": 4}
KINDS = {"customers": "binary", "diabetes": "regression", "digits": "multiclass", "memory": "multiclass"}
GRID = {"config.cell": ["lstm"], "data.config.steps": [10, 20]}  # of the study of sequences
ALONE = ("customers", "diabetes")  # of which one variant is tried, and nothing set beside it


def shrink(path: Path, example: str) -> list[str]:
    """A few epochs of two replicas of two recipes, set side by side: the example's pair, or its network and the first
    of that. Their names."""
    yaml = YAML()
    params: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"))
    params["training"].update(SMALL)
    for network in params["networks"].values():
        network["epochs"] = SMALL["epochs"]
    names = [*params["networks"], *params["comparison"].get("pair", ())][: 1 if example in ALONE else 2]
    params["variants"] = {name: params["variants"][name] for name in names if name not in params["networks"]}
    params["comparison"] = {"pair": names} if len(names) > 1 else {}
    if example == "memory":
        params["data"]["config"].update(steps=20, samples=80)
        params["split"]["train"] = 40
        params["studies"] = {"length": params["studies"]["length"] | {"grid": GRID}}
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",  # each takes half a minute; one is enough in every run
    [name if name == "customers" else pytest.param(name, marks=pytest.mark.campaign) for name in sorted(KINDS)],
)
def test_an_example_runs_by_one_command_in_a_folder_of_its_own(name: str, empty_store: Path, tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "study")
    source = workspace.folder / "examples" / name
    (source / "run" / "mlruns").mkdir(parents=True)
    shutil.copy(empty_store, source / "run" / "mlruns")
    files = sorted(source.glob("params*.yaml"))
    tried = [variant for params in files for variant in shrink(params, name)]
    workspace.commit()
    workspace.run("python3", "-m", "examples.run", name)
    changed = subprocess.check_output(["git", "status", "--porcelain"], cwd=workspace.folder, text=True)
    assert changed == ""
    assert not (workspace.folder / "mlruns").exists()
    for params in files:
        assert (source / "run" / f"reports_{params.stem}" / "index.html").is_file()
    described = json.loads((source / "run" / "data" / "split" / "profile.json").read_text(encoding="utf-8"))
    assert Task.of(described["task"]).kind == KINDS[name]
    runs = Workspace(source / "run").runs()
    studies = ["length"] if name == "memory" else []
    assert variants(runs) == sorted([*tried, *studies])
    if studies:
        (study,) = (run for run in runs.values() if run.variant == "length")
        lengths = {each.params.get("data.config.steps") for each in study.children.values()}
        assert lengths == {"10", None}  # the base's rows have the other length
    assert all(len(run.children) == SMALL["replicas"] for run in runs.values())
    with Workspace(source / "run").client() as client:
        (registered,) = client.search_registered_models()
    assert registered.name == f"{name}-{'regressor' if KINDS[name] == 'regression' else 'classifier'}"


def test_every_example_is_in_the_docs_and_tried_here() -> None:
    examples = {path.parent.name for path in (ROOT / "examples").glob("*/params*.yaml")}
    assert examples == set(KINDS)
    page = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    assert all(f"NAME={name}" in page for name in examples)
