"""Files: save then load is identity, damage is said in one line, nothing is half-written, bytes hold no clock."""

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training, variant

from pipeline import export
from pipeline.data import raw_files as points
from pipeline.data import split_files as splits
from pipeline.data.samples import Scaling, Split
from pipeline.foundations import files
from pipeline.foundations import formats as tables
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import packed
from pipeline.foundations.tensorflow import keras
from pipeline.history import files as runs
from pipeline.history.record import best_replica, median_replica
from pipeline.params.variants import VariantParams
from pipeline.tracking.manifest import load_manifest
from pipeline.training.replicas import Trained, train

MADE_WITH = {"data": {"samples": 80}, "split": {"train_samples": 52}}


@pytest.fixture(scope="module")
def result(circles: Split) -> Trained:
    return train(variant(), "v", circles, training(epochs=1))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_split_comes_back_as_it_was(circles: Split, scaling: Scaling) -> None:
    splits.save_split(circles, scaling, MADE_WITH)
    loaded = splits.load_split()
    for before, after in ((circles.train, loaded.train), (circles.test, loaded.test)):
        assert (before.inputs == after.inputs).all()
        assert (before.labels == after.labels).all()
    origin = splits.load_origin()
    assert [each["name"] for each in origin["inputs"]] == ["x1", "x2"]
    assert {"data": origin["data"], "split": origin["split"]} == MADE_WITH


def test_a_run_knows_its_scaling(result: Trained, scaling: Scaling) -> None:
    saved(result, variant(), scaling)
    loaded = runs.load_scaling("v")
    assert loaded.names == scaling.names
    assert (loaded.offset == scaling.offset).all()
    assert (loaded.factor == scaling.factor).all()
    runs.recipe_path("v").write_text('{"variant": {}, "inputs": [{"name": "x1"}]}')
    with pytest.raises(UserError, match=r"^runs/v/recipe.json: damaged .*: must be a recipe with name, offset and"):
        runs.load_scaling("v")


def test_a_run_comes_back_as_it_was(result: Trained) -> None:
    runs.save_run("v", result.history, result.predictions, result.weights)
    xr.testing.assert_identical(runs.load_history("v"), result.history)
    xr.testing.assert_identical(runs.load_predictions("v"), result.predictions)
    loaded = runs.load_weights("v")
    assert loaded.keys() == result.weights.keys()
    assert all((loaded[path] == stack).all() for path, stack in result.weights.items())
    entries = zipfile.ZipFile(runs.weights_path("v")).infolist()
    assert {(each.extract_version, each.date_time) for each in entries} == {
        (20, (1980, 1, 1, 0, 0, 0))
    }  # of any Python


def saved(result: Trained, recipe: VariantParams, scaling: Scaling, variant: str = "v") -> None:
    """What `train` leaves, as far as models are made of it."""
    runs.save_run(variant, result.history, result.predictions, result.weights)
    inputs = [
        {"name": name, "offset": float(offset), "factor": float(factor)}
        for name, offset, factor in zip(scaling.names, scaling.offset, scaling.factor, strict=True)
    ]
    runs.save_recipe(variant, {"variant": recipe.model_dump(mode="json"), "inputs": inputs})


def raw(inputs: np.ndarray, scaling: Scaling) -> np.ndarray:
    """As they were before they were scaled."""
    return (inputs - scaling.offset) / scaling.factor


def test_a_model_comes_back_and_predicts_what_was_recorded(result: Trained, circles: Split, scaling: Scaling) -> None:
    path = Path("x/replica.keras")
    saved(result, variant(), scaling)
    export.save_model(export.replica_model("v", 2), path)
    predicted = keras.models.load_model(path).predict(raw(circles.test.inputs, scaling), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, result.predictions.test_probability[2], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_bytes_hold_no_clock_and_no_address(result: Trained, scaling: Scaling) -> None:
    written = []
    for _ in range(2):
        saved(result, variant(), scaling)
        export.save_model(export.replica_model("v", 0), Path("m.keras"))
        names = [Path("m.keras"), *sorted(Path("runs/v").iterdir())]
        written.append([path.read_bytes() for path in names])
        time.sleep(1.1)  # a clock of whole seconds would have moved
    assert written[0] == written[1]


@pytest.mark.parametrize("left", [0.0, 0.01, 0.5, 0.95])
@pytest.mark.parametrize("name", ["history.nc", "predictions.nc", "weights.npz"])
def test_a_truncated_file_is_named_in_one_line(name: str, left: float, result: Trained) -> None:
    runs.save_run("v", result.history, result.predictions, result.weights)
    path = runs.folder("v") / name
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    load = {"history.nc": runs.load_history, "predictions.nc": runs.load_predictions, "weights.npz": runs.load_weights}
    with pytest.raises(UserError, match=f"^runs/v/{name}: ") as caught:
        load[name]("v")
    assert "\n" not in str(caught.value)


def test_a_file_of_another_shape_is_named(result: Trained) -> None:
    runs.save_run("v", result.history.drop_vars("dead"), result.predictions, result.weights)
    with pytest.raises(UserError, match=r"^runs/v/history.nc: no variable dead"):
        runs.load_history("v")
    runs.save_run("v", result.history.isel(layer=0), result.predictions, result.weights)
    with pytest.raises(UserError, match=r"^runs/v/history.nc: gradient_mean_abs is over"):
        runs.load_history("v")


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (
            lambda text: text[: len(text) // 2].rsplit("\n", 1)[0] + "\n",
            r"data/split/train.csv: \d+ rows: must have 52",
        ),
        (lambda text: text.rsplit(",", 1)[0], "data/split/train.csv: line 53: every input must be a finite number"),
        (lambda text: text.replace("x1", "y1"), "data/split/train.csv: no column x1"),
        (lambda text: text.replace("\n-", "\nx-", 1), "data/split/train.csv: damaged"),
        (lambda text: "", "data/split/train.csv: damaged"),
        (lambda text: text.splitlines()[0], "data/split/train.csv: no points"),
    ],
)
def test_a_damaged_table_is_named_in_one_line(damage: object, line: str, circles: Split, scaling: Scaling) -> None:
    splits.save_split(circles, scaling, MADE_WITH)
    splits.TRAIN.write_text(damage(splits.TRAIN.read_text()))
    with pytest.raises(UserError, match=f"^{line}"):
        splits.load_split()


def test_what_is_missing_is_named() -> None:
    for load in (points.load_points, splits.load_split, lambda: runs.load_history("v"), lambda: runs.files("v")):
        with pytest.raises(UserError, match=r"^(data|runs)/.*: not found: `dvc repro` makes it$"):
            load()


def test_a_failed_write_leaves_what_was_there() -> None:
    tables.save_table(pd.DataFrame({"a": [1]}), Path("t.csv"))

    def fail_half_way() -> None:
        with files.replacing(Path("t.csv")) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert Path("t.csv").read_text() == "a\n1\n"
    assert [path.name for path in Path.cwd().iterdir()] == ["t.csv"]


def test_results_are_tied_to_their_recipe() -> None:
    runs.save_recipe("v", {"variant": {"units": 5}, "inputs": []})
    runs.expect_recipe("v", {"variant": {"units": 5}})
    with pytest.raises(
        UserError,
        match=r"^runs/v: trained with other parameters \(variant\) than params.yaml says now: `dvc repro` first$",
    ):
        runs.expect_recipe("v", {"variant": {"units": 6}})


def test_the_variant_is_read_as_it_was_trained() -> None:
    runs.save_recipe("v", {"variant": {"units": 5}, "inputs": []})
    assert runs.load_variant("v") == {"units": 5}
    for damaged in ("{}", "[]", '{"variant": 1}'):
        runs.recipe_path("v").write_text(damaged)
        with pytest.raises(UserError, match=r"^runs/v/recipe.json: no variant: must have it"):
            runs.load_variant("v")
    with pytest.raises(UserError, match=r"^runs/w: not found: `dvc repro` makes it, if params.yaml has a variant w$"):
        runs.load_variant("w")


def test_arrays_are_the_bytes_that_xarray_itself_writes(circles: Split) -> None:
    history = train(variant(), "v", circles, training(histograms=True)).history
    assert packed(history) == bytes(history.to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def test_a_damaged_manifest_is_none(tmp_path: Path) -> None:
    for damaged in ("[]", '{"v": 1}', "{"):
        (tmp_path / "manifest.json").write_text(damaged)
        assert load_manifest(tmp_path / "manifest.json") == {}


def test_any_replica_can_be_exported(result: Trained, circles: Split, scaling: Scaling) -> None:
    saved(result, variant(), scaling)
    export.export("v", "3", Path("three.keras"))
    predicted = keras.models.load_model("three.keras").predict(raw(circles.test.inputs, scaling), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, result.predictions.test_probability[3], rtol=1e-5, atol=1e-6)
    for replica in ("4", "-1"):
        with pytest.raises(UserError, match=f"replica {replica}: v has 4: must be 0 to 3"):
            export.export("v", replica, Path("four.keras"))
    with pytest.raises(UserError, match="replica worst: must be a number, median or best"):
        export.export("v", "worst", Path("worst.keras"))
    with pytest.raises(UserError, match=r"three.h5: must end in .keras"):
        export.export("v", "3", Path("three.h5"))


@pytest.mark.parametrize(("name", "chosen"), [("median", median_replica), ("best", best_replica)])
def test_the_median_and_the_best_replica_can_be_exported(
    name: str, chosen: Callable, result: Trained, scaling: Scaling
) -> None:
    saved(result, variant(), scaling)
    export.export("v", name, Path("named.keras"))
    export.save_model(export.replica_model("v", chosen(result.history)), Path("numbered.keras"))
    assert Path("named.keras").read_bytes() == Path("numbered.keras").read_bytes()


LOADED_ALONE = """
import sys
import keras, numpy as np
inputs = np.load(sys.argv[2]).astype("float32")
predicted = keras.models.load_model(sys.argv[1]).predict(inputs, verbose=0)[:, 0]
assert not any(name.startswith("pipeline") for name in sys.modules)
np.testing.assert_allclose(predicted, np.load(sys.argv[3]), rtol=1e-5, atol=1e-6)
"""


@pytest.mark.slow
def test_a_model_with_all_that_variants_can_say_loads_where_this_project_is_not(
    circles: Split, tmp_path: Path, scaling: Scaling
) -> None:
    recipe = variant(
        hidden_layers=3, batch_normalization=True, residual=True, kernel_initializer="randomized_asymmetric"
    )
    made = train(recipe, "v", circles, training())
    saved(made, recipe, scaling)
    export.save_model(export.replica_model("v", 1), tmp_path / "v.keras")
    assert b"pipeline" not in zipfile.ZipFile(tmp_path / "v.keras").read("config.json")
    np.save(tmp_path / "inputs.npy", raw(circles.test.inputs, scaling))
    np.save(tmp_path / "expected.npy", made.predictions.test_probability.values[1])
    arguments = [str(tmp_path / name) for name in ("v.keras", "inputs.npy", "expected.npy")]
    alone = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-I", "-c", LOADED_ALONE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_that_do_not_fit_are_refused(result: Trained, scaling: Scaling) -> None:
    saved(result, variant(units=4), scaling)
    with pytest.raises(
        UserError, match=r"weights of hidden_01/kernel are of shape \(2, 3\): must be of shape \(2, 4\)"
    ):
        export.replica_model("v", 0)
    runs.save_run("v", result.history, result.predictions, {"output/bias": np.zeros((4, 1))})
    with pytest.raises(UserError, match=r"weights.npz: weights of hidden_01/kernel are missing: must be of shape"):
        export.replica_model("v", 0)
    runs.save_recipe("v", {"variant": variant().model_dump(mode="json") | {"units": 0}, "inputs": []})
    runs.save_run("v", result.history, result.predictions, result.weights)
    with pytest.raises(UserError, match=r"^runs/v/recipe.json.units: 0: must be"):
        export.replica_model("v", 0)
