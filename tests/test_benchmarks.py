"""The benchmarks: peers take the same steps, and docs/explanation.md has the table of the last results."""

import ast
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from preloaded import PLACE
from workspace import Workspace

from benchmarks import big_table, keras_fit, numba_floor, ratios, run, table
from benchmarks.recipe import arrays, load_recipe
from pipeline.params.file import load
from pipeline.training.common.train_replicas import train


def test_the_table_of_speed_is_that_of_the_last_results() -> None:
    results = json.loads(table.RESULTS.read_text())
    text = table.PAGE.read_text(encoding="utf-8")
    between = text.partition(table.BEGIN)[2].partition(table.END)[0]
    assert between == table.rendered(results)


@pytest.mark.parametrize("path", sorted(Path(table.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_from_the_pipeline_exists(path: Path) -> None:
    """By its import statements, because some benchmarks need packages that only `make bench` installs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"):
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("make", [run.bare, run.trivial])
def test_the_stages_that_do_nothing_can_be_reproduced(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if PLACE in os.environ:
        monkeypatch.setenv("PATH", os.environ[PLACE], prepend=os.pathsep)
    folder = tmp_path / "copy"
    make(folder)
    if (folder / "params.yaml").exists():  # two of the variants are enough
        workspace = Workspace(folder)
        workspace.edit({"variants": {name: workspace.recipes[name] for name in ("tanh_1", "relu_5")}})
    run.timed(folder, "dvc", "repro", "--quiet")  # raises where it fails


@pytest.mark.slow
@pytest.mark.long
def test_the_loops_take_the_engines_steps() -> None:
    """After few epochs; over many, rounding changes the trainings."""
    recipe = load_recipe("relu_5", epochs=5, replicas=8)
    ours = train(recipe.variant, "relu_5", recipe.parts, recipe.training).history.test_accuracy.values[:, -1]
    np.testing.assert_allclose(numba_floor.train(recipe), ours, atol=0.004)  # a point or two of 500


@pytest.mark.slow
def test_fit_is_what_a_user_would_write() -> None:
    accuracy = keras_fit.train(load_recipe("relu_5", epochs=1, replicas=1))
    assert accuracy.shape == (1,)
    assert 0.4 < accuracy[0] < 0.9


@pytest.mark.slow
def test_fit_learns_digits() -> None:
    (accuracy,) = keras_fit.train(load_recipe("digits", epochs=2, replicas=1))
    assert 0.3 < accuracy <= 1  # of ten classes


def test_the_recipe_of_the_digits() -> None:
    recipe = load_recipe("digits", epochs=3, replicas=2)
    inputs, targets, test_inputs, test_targets = arrays(recipe)
    assert len(inputs) + len(test_inputs) == 1797
    assert inputs.shape[1] == test_inputs.shape[1] == 64
    assert targets.shape[1] == test_targets.shape[1] == recipe.parts.task.outputs == 10
    assert recipe.variant.widths == (32, 32)
    assert (targets.sum(axis=1) == 1).all()
    assert (recipe.training.epochs, recipe.training.replicas, recipe.training.batch_size) == (3, 2, 32)
    assert recipe.variant.optimizer.model_dump() == load()["defaults"]["optimizer"]


def test_the_recipe_of_the_tutorial_is_that_of_params() -> None:
    inputs, targets, *_ = arrays(load_recipe("relu_5", epochs=1, replicas=1))
    assert inputs.shape == (500, 2)
    assert targets.shape == (500, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_all_but_jaxs_own_peer_can_be_imported_without_jax() -> None:
    """`make setup` does not install JAX."""
    names = "big_table, keras_fit, numba_floor, peers, ratios, recipe, run, table"
    command = f"import sys; sys.modules['jax'] = None; from benchmarks import {names}"
    subprocess.run([sys.executable, "-c", command], cwd=run.ROOT, check=True, stderr=subprocess.DEVNULL)


def fake_peer(way: str, recipe: str, epochs: int, replicas: int) -> float:
    """Return seconds: of the start, and of each epoch of each replica."""
    start, epoch = {"keras": (5, 1), "jax": (1, 0.5), "floor": (1, 0.4), "engine_cold": (9, 0.1)}.get(way, (1, 0.1))
    return start + epoch * epochs * replicas


def test_ratios_are_of_the_right_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "peer", fake_peer)
    epoch = ratios.million()
    assert epoch["million_epoch_seconds"] == pytest.approx(0.1)  # no start
    assert epoch["million_epoch_over_fit"] == pytest.approx(0.1 / 1)
    digits = ratios.digits()
    assert digits["digits_engine_times_faster_than_fit"] == pytest.approx(30 * (5 + 100) / (1 + 0.1 * 3000))
    assert digits["digits_lean_times_faster_than_jax"] == pytest.approx((1 + 0.5 * 3000) / (1 + 0.1 * 3000))
    assert ratios.relu_5()["marginal_over_floor"] == pytest.approx(0.1 / 0.4)


def test_every_figure_of_the_table_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "peer", fake_peer)
    measured = {**ratios.relu_5(), **ratios.digits(), **ratios.million()}
    others = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (run, big_table))
    for _, _, template in table.ROWS:
        for _, field, _, _ in Formatter().parse(template):
            assert field is None or field in measured or f'"{field}"' in others


def test_every_row_of_the_table_has_three_cells() -> None:
    for row in table.ROWS:
        assert "|" not in "".join(row)


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n",
            "AMD EPYC (family 25, model 1)",
        ),
        ("model name\t: Some Processor: 2 GHz\n", "Some Processor: 2 GHz"),
    ],
)
def test_the_processor_has_the_name_that_linux_gives(cpuinfo: str, name: str) -> None:
    assert run.processor(cpuinfo) == name


def test_a_processor_without_cpuinfo_has_a_name_too() -> None:
    assert run.processor("")
