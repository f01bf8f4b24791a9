"""The examples run with small numbers, on real DVC and MLflow, and leave what is the user's own alone."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from workspace import ROOT, Workspace

from pipeline.data.tasks import Task

SMALL = {"epochs": 2, "replicas": 2, "chunk": 2}
KINDS = {"customers": "binary", "diabetes": "regression", "digits": "multiclass"}


def shrink(path: Path) -> None:
    """A few epochs of two replicas of the two variants that are set side by side."""
    yaml = YAML()
    params: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"))
    params["training"].update(SMALL)
    pair = params["comparison"]["pair"]
    params["variants"] = {name: params["variants"][name] for name in pair}
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_example_runs_by_one_command_in_a_folder_of_its_own(name: str, tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "study")
    source = workspace.folder / "examples" / name
    files = sorted(source.glob("params*.yaml"))
    for params in files:
        shrink(params)
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
    assert len(runs) == 2 * len(files)
    assert all(len(run.children) == SMALL["replicas"] for run in runs.values())


def test_every_example_is_in_the_docs_and_tried_here() -> None:
    examples = {path.parent.name for path in (ROOT / "examples").glob("*/params*.yaml")}
    assert examples == set(KINDS)
    page = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    assert all(f"NAME={name}" in page for name in examples)
