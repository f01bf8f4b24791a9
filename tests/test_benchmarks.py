"""The benchmarks: peers that take the same steps, and a table that is the one in docs/explanation.md."""

import ast
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import keras_fit, numba_floor, run, table
from benchmarks.recipe import recipe
from pipeline.training.replicas import train


def test_the_table_of_speed_is_that_of_the_last_results() -> None:
    results = json.loads(table.RESULTS.read_text())
    text = table.PAGE.read_text(encoding="utf-8")
    between = text.partition(table.BEGIN)[2].partition(table.END)[0]
    assert between == table.rendered(results)


@pytest.mark.parametrize("path", sorted(Path(table.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_takes_from_the_pipeline_is_there(path: Path) -> None:
    """By its import statements, for some need packages that only `make bench` installs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"):
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.slow
@pytest.mark.parametrize("make", [run.bare, run.trivial])
def test_the_stages_that_do_nothing_can_be_reproduced(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "made")
    run.timed(tmp_path / "made", "dvc", "repro", "--quiet")  # raises where it fails


@pytest.mark.slow
def test_the_loops_take_the_engines_steps() -> None:
    """After few epochs; over many, rounding makes other trainings of the deeper ones."""
    made = recipe(epochs=5, replicas=8)
    ours = train(made.variant, "relu_5", made.parts, made.training).history.test_accuracy.values[:, -1]
    np.testing.assert_allclose(numba_floor.train(made), ours, atol=0.004)  # a point or two of 500


def test_fit_is_what_a_user_would_write() -> None:
    accuracy = keras_fit.train(recipe(epochs=1, replicas=1))
    assert accuracy.shape == (1,)
    assert 0.4 < accuracy[0] < 0.9
