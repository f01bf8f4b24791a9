"""Files: save then load is identity, damage is said in one line, nothing is half-written, bytes hold no clock."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training, variant
from imports import ROOT

from examples import SHIPPED, classified, origin_of, regressed
from pipeline import export
from pipeline.data.raw_files import load_raw
from pipeline.data.split import files as splits
from pipeline.data.split.samples import Origin, Split
from pipeline.diagnosis import theory
from pipeline.evaluation import replica_table, summary
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.ranking import best_replica, median_replica
from pipeline.foundations import files
from pipeline.foundations import formats as tables
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import pack_dataset
from pipeline.foundations.tensorflow import keras
from pipeline.history import agreement
from pipeline.history import files as runs
from pipeline.history.recipe import Recipe
from pipeline.history.record import LAYER_TABLE, REQUIRED
from pipeline.params.evaluation_params import EvaluationParams
from pipeline.params.params import Params
from pipeline.params.variant_params import VariantParams
from pipeline.tracking.manifest import load_manifest
from pipeline.training.common.train_replicas import Trained, train

PACKAGES = {"python": "3.11"}


@pytest.fixture(scope="module")
def result(circles: Split) -> Trained:
    return train(variant(), "v", circles, training(epochs=1))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_split_comes_back_as_it_was(circles: Split, origin: Origin) -> None:
    splits.save_split(circles, origin)
    loaded = splits.load_split()
    for before, after in ((circles.train, loaded.train), (circles.test, loaded.test)):
        assert (before.inputs == after.inputs).all()
        assert (before.targets == after.targets).all()
    assert loaded.task == circles.task
    assert splits.load_origin() == origin
    assert origin.inputs == ("x1", "x2")


def test_a_run_knows_its_recipe_with_scaling_and_task(result: Trained, origin: Origin) -> None:
    saved(result, variant(), origin)
    loaded = runs.load_recipe("v")
    assert loaded == recipe(variant(), origin)
    assert (loaded.inputs, loaded.task, loaded.variant) == (origin.inputs, origin.task, variant())
    for change in ({"columns": [{"offset": 1.0}]}, {"task": {"kind": "binary"}}, {"variant": {"units": 5}}):
        text = json.dumps(json.loads(recipe(variant(), origin).model_dump_json()) | change)
        runs.recipe_path("v").write_text(text)
        with pytest.raises(UserError, match=r"^runs/v/recipe.json: damaged .*: must be a recipe as `train` writes it"):
            runs.load_recipe("v")


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


def recipe(made: VariantParams, origin: Origin) -> Recipe:
    return Recipe(variant=made, training=training(), versions=PACKAGES, **dict(origin))


def saved(result: Trained, made: VariantParams, origin: Origin) -> None:
    """What `train` leaves, as far as models are made of it."""
    runs.save_run("v", result.history, result.predictions, result.weights)
    runs.save_recipe("v", recipe(made, origin))


def raw(inputs: np.ndarray, origin: Origin) -> np.ndarray:
    """As they were before they were scaled."""
    offset, factor = (np.array([getattr(each, name) for each in origin.columns]) for name in ("offset", "factor"))
    return (inputs - offset) / factor


def with_v(made: VariantParams, origin: Origin) -> Params:
    """The shipped parameters with a variant `v`, and what its run was trained on and with."""
    return SHIPPED.model_copy(
        update={"variants": {"v": made}, "training": training(), "data": origin.data, "split": origin.split}
    )


def test_a_model_comes_back_and_predicts_what_was_recorded(result: Trained, circles: Split, origin: Origin) -> None:
    path = Path("x/replica.keras")
    saved(result, variant(), origin)
    export.save_model(export.replica_model("v", 2), path)
    predicted = keras.models.load_model(path).predict(raw(circles.test.inputs, origin), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, result.predictions.test_prediction[2, :, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_bytes_hold_no_clock_and_no_address(result: Trained, origin: Origin) -> None:
    written = []
    for _ in range(2):
        saved(result, variant(), origin)
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
    for name in REQUIRED:
        runs.save_run("v", result.history.drop_vars(name), result.predictions, result.weights)
        with pytest.raises(UserError, match=rf"^runs/v/history.nc: no variable {name}"):
            runs.load_history("v")
    without = result.history.isel(layer=0)
    table = {name: result.history[name] for name in LAYER_TABLE}
    values_without = without.drop_vars([*LAYER_TABLE, "layer"]).assign(table)
    for made, first in ((without, "path"), (values_without, "gradient_mean_abs")):
        runs.save_run("v", made, result.predictions, result.weights)
        with pytest.raises(UserError, match=rf"^runs/v/history.nc: {first} is over"):
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
        (lambda text: text.splitlines()[0], "data/split/train.csv: 0 rows: must have 52"),
    ],
)
def test_a_damaged_table_is_named_in_one_line(damage: object, line: str, circles: Split, origin: Origin) -> None:
    splits.save_split(circles, origin)
    path = splits.part_files()["train"]
    path.write_text(damage(path.read_text()))
    with pytest.raises(UserError, match=f"^{line}"):
        splits.load_split()


def test_what_is_missing_is_named() -> None:
    for load in (load_raw, splits.load_split, lambda: runs.load_history("v"), lambda: runs.files("v")):
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


def test_a_full_disk_is_reported_with_the_file() -> None:
    """The limit of a file's size stands for the disk's: neither error names a file by itself."""
    code = (
        "import resource; from pathlib import Path; from pipeline.foundations import errors, files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "with errors.reported_in_one_line(): files.save_bytes(bytes(20), Path('runs/v/history.nc'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: runs/v/history.nc: File too large\n")
    assert not list(Path("runs/v").iterdir())


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt, None])
def test_a_temporary_folder_goes_however_its_use_ends(end: type[BaseException] | None) -> None:
    """None: by SIGTERM, which Python itself leaves to the system."""

    def use() -> None:
        with files.temporary_folder("model-", Path.cwd()) as folder:
            (folder / "large").write_text("x")
            signal.raise_signal(signal.SIGTERM) if end is None else None
            raise end or AssertionError

    with pytest.raises(end or SystemExit) as ended:
        use()
    assert end or ended.value.code == 128 + signal.SIGTERM
    assert not list(Path.cwd().iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("first", ["xarray", "pipeline.stages"])
def test_arrays_can_be_read_whether_stages_are_imported_before_xarray_or_after(first: str) -> None:
    """`make repro` imports a stage late, if nothing is stale."""
    code = f"import {first}, xarray, pipeline.stages; xarray.Dataset(coords={{'epoch': [0, 1]}})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


HOLD = """
import sys
from pathlib import Path
from pipeline.foundations.files import temporary_folder
with temporary_folder("model-", Path(sys.argv[1])) as folder:
    (folder / "large").write_text("x")
    print(folder, flush=True)
    input()
"""


def test_the_folder_of_a_killed_process_goes_with_the_next_use_and_that_of_a_living_one_stays() -> None:
    place, command = Path.cwd(), [sys.executable, "-c", HOLD, str(Path.cwd())]
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    with subprocess.Popen(command, **options) as killed, subprocess.Popen(command, **options) as living:
        left, kept = (Path(each.stdout.readline().strip()) for each in (killed, living))
        killed.kill()
        killed.wait()
        assert left.exists()
        with files.temporary_folder("model-", place) as own, files.temporary_folder("model-", place) as other:
            assert set(place.iterdir()) == {kept, own, other}
        living.communicate("\n")
    assert not list(place.iterdir())


def test_whoever_handles_sigterm_goes_on_to() -> None:
    noticed: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: noticed.append(number))
    try:
        with files.temporary_folder("model-", Path.cwd()):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert noticed == [signal.SIGTERM]


def damaged(content: bytes, random: Random) -> bytes:
    """With one byte that is another one."""
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ random.randrange(1, 256)]) + content[place + 1 :]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of numbers that are out of every range
@pytest.mark.parametrize("name", ["history.nc", "predictions.nc", "weights.npz", "recipe.json"])
def test_a_byte_that_is_another_one_is_said_in_one_line_or_is_a_number(
    name: str, result: Trained, circles: Split, origin: Origin
) -> None:
    """At 30 places: what is read can be evaluated, or is refused by its name."""
    saved(result, variant(), origin)
    runs.save_recipe("v", recipe(variant(), origin).model_copy(update={"training": training(epochs=1)}))
    path = runs.folder("v") / name
    content, random = path.read_bytes(), Random(name)
    rule, params = rule_for(circles.task, SHIPPED.evaluation.learned), SHIPPED.diagnosis
    messages: list[str] = []
    for _ in range(30):
        path.write_bytes(damaged(content, random))
        try:
            found, history, predictions = runs.load_run("v", circles)
        except UserError as error:
            messages.append(str(error))
            continue
        predicted = replica_table.of_predictions(predictions, circles, found.targets)
        premises = theory.premises(found.variant, found, circles.train.inputs)
        summary.evaluate("v", history, found.variant, premises, rule, params, predicted)
    assert messages
    assert all(each.startswith("runs/v/") and "\n" not in each for each in messages)


def test_a_history_of_another_training_is_not_evaluated(result: Trained, circles: Split, origin: Origin) -> None:
    """Of another seed, of another variant, of other replicas, and of another number of epochs."""
    others = {
        "the weights beside it belong to another training": train(variant(), "v", circles, training(epochs=1, seed=8)),
        "the units of the layers differ from the recipe beside it": train(
            variant(hidden_layers=3), "v", circles, training(epochs=1)
        ),
        "2 values along replica": train(variant(), "v", circles, training(epochs=1, replicas=2)),
        "4 values along epoch": train(variant(), "v", circles, training(epochs=3)),
    }
    for said, other in others.items():
        saved(result, variant(), origin)
        runs.save_recipe("v", recipe(variant(), origin).model_copy(update={"training": training(epochs=1)}))
        runs.load_run("v", circles)
        tables.save_arrays(other.history, runs.history_path("v"))
        with pytest.raises(UserError, match=rf"^runs/v/history.nc: damaged \({said}.*the history of v's training"):
            runs.load_run("v", circles)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda history: history.rename(test_loss="tesu_loss"), "tesu_loss is not a variable of a history"),
        (lambda history: history.assign_coords(epoch=history.epoch + 1), "epoch does not count from 0"),
        (lambda history: history.assign(dead=history.dead + 2), "dead has a value below 0 or above 1"),
        (lambda history: history.drop_vars("test_accuracy"), "test_accuracy is missing"),
        (
            lambda history: history.assign_coords(slope_fraction=history.slope_fraction.astype(str)),
            "slope_fraction has the type",
        ),
        (lambda history: history.assign_attrs(task="{"), "Expecting"),
        (lambda history: history.assign(train_loss=history.dead.isel(layer=0, recorded_epoch=0)), "train_loss is over"),
    ],
)
def test_a_history_that_is_not_whole_is_named(
    damage: Callable[[xr.Dataset], xr.Dataset], said: str, result: Trained
) -> None:
    tables.save_arrays(damage(result.history), runs.history_path("v"))
    with pytest.raises(UserError, match=rf"^runs/v/history.nc: .*{said}"):
        runs.load_history("v")


def test_results_are_tied_to_their_recipe(origin: Origin) -> None:
    runs.save_recipe("v", recipe(variant(), origin))
    same = with_v(variant(), origin)
    runs.expect_recipe("v", same)
    for others, changed in (
        ("variant", with_v(variant(units=6), origin)),
        ("training", same.model_copy(update={"training": training(epochs=9)})),
        ("data, split", same.model_copy(update={"data": SHIPPED.data, "split": SHIPPED.split})),
    ):
        line = f"runs/v: trained with other parameters ({others}) than params.yaml says now: run `dvc repro` first"
        with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
            runs.expect_recipe("v", changed)


def test_the_variant_is_read_as_it_was_trained(origin: Origin) -> None:
    runs.save_recipe("v", recipe(variant(units=5), origin))
    assert runs.load_recipe("v").variant == variant(units=5)
    assert runs.versions(["v"]) == {"python": ["3.11"]}
    for damaged in ("{}", "[]", '{"variant": 1}'):
        runs.recipe_path("v").write_text(damaged)
        with pytest.raises(UserError, match=r"^runs/v/recipe.json: damaged .*: must be a recipe as `train` writes it"):
            runs.load_recipe("v")
    with pytest.raises(UserError, match=r"^runs/w: not found: `dvc repro` makes it, if params.yaml has a variant w$"):
        runs.load_recipe("w")


def test_arrays_are_the_bytes_that_xarray_itself_writes(circles: Split) -> None:
    history = train(variant(), "v", circles, training(histograms=True)).history
    assert pack_dataset(history) == bytes(history.to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def test_a_damaged_manifest_is_none(tmp_path: Path) -> None:
    for damaged in ("[]", '{"v": 1}', "{"):
        (tmp_path / "manifest.json").write_text(damaged)
        assert load_manifest(tmp_path / "manifest.json") == {}


def test_any_replica_can_be_exported(result: Trained, circles: Split, origin: Origin) -> None:
    params = with_v(variant(), origin)
    saved(result, variant(), origin)
    export.export("v", "3", Path("three.keras"), params)
    predicted = keras.models.load_model("three.keras").predict(raw(circles.test.inputs, origin), verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, result.predictions.test_prediction[3, :, 0], rtol=1e-5, atol=1e-6)
    for replica in ("4", "-1"):
        with pytest.raises(UserError, match=f"replica {replica}: v has 4 replicas: must be 0 to 3"):
            export.export("v", replica, Path("four.keras"), params)
    with pytest.raises(UserError, match="replica worst: must be a number, median or best"):
        export.export("v", "worst", Path("worst.keras"), params)
    with pytest.raises(UserError, match=r"three.h5: the file name must end in .keras"):
        export.export("v", "3", Path("three.h5"), params)


@pytest.mark.parametrize(("name", "chosen"), [("median", median_replica), ("best", best_replica)])
def test_the_median_and_the_best_replica_can_be_exported(
    name: str, chosen: Callable, result: Trained, origin: Origin
) -> None:
    saved(result, variant(), origin)
    export.export("v", name, Path("named.keras"), with_v(variant(), origin))
    export.save_model(export.replica_model("v", chosen(result.history, "accuracy")), Path("numbered.keras"))
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
@pytest.mark.usefixtures("imports_beforehand")
def test_a_model_with_all_that_variants_can_say_loads_where_this_project_is_not(
    circles: Split, tmp_path: Path, origin: Origin
) -> None:
    whole = variant(
        hidden_layers=3, batch_normalization=True, residual=True, kernel_initializer="randomized_asymmetric"
    )
    made = train(whole, "v", circles, training())
    saved(made, whole, origin)
    export.save_model(export.replica_model("v", 1), tmp_path / "v.keras")
    assert b"pipeline" not in zipfile.ZipFile(tmp_path / "v.keras").read("config.json")
    np.save(tmp_path / "inputs.npy", raw(circles.test.inputs, origin))
    np.save(tmp_path / "expected.npy", made.predictions.test_prediction.values[1, :, 0])
    arguments = [str(tmp_path / name) for name in ("v.keras", "inputs.npy", "expected.npy")]
    alone = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", LOADED_ALONE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_that_do_not_fit_are_refused(result: Trained, origin: Origin) -> None:
    saved(result, variant(units=4), origin)
    with pytest.raises(
        UserError, match=r"weights of hidden_01/kernel are of shape \(2, 3\): must be of shape \(2, 4\)"
    ):
        export.replica_model("v", 0)
    runs.save_run("v", result.history, result.predictions, {"output/bias": np.zeros((4, 1))})
    with pytest.raises(UserError, match=r"weights.npz: weights of hidden_01/kernel are missing: must be of shape"):
        export.replica_model("v", 0)
    saved(result, variant(), origin)
    runs.recipe_path("v").write_text(runs.recipe_path("v").read_text().replace('"units": 3', '"units": 0'))
    with pytest.raises(UserError, match=r"^runs/v/recipe.json: damaged .*: must be a recipe as `train` writes it"):
        export.replica_model("v", 0)


@pytest.mark.parametrize("split", [classified(3), regressed(2)], ids=lambda split: split.task.kind)
def test_a_model_of_another_task_gives_what_was_recorded(
    split: Split, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tuple(f"x{number}" for number in range(split.inputs))
    of_split = origin_of(split.task, names, offset=-0.5, factor=2.0)
    made = train(variant(), "v", split, training(epochs=1))
    saved(made, variant(), of_split)
    params = with_v(variant(), of_split)
    if split.task.kind == "regression":
        with pytest.raises(
            UserError, match=r"^evaluation.learned: accuracy: must be one of r2, skill for a regression"
        ):
            export.export("v", "best", Path("v.keras"), params)
    usual = params.model_copy(update={"evaluation": EvaluationParams()})
    export.export("v", "best", Path("v.keras"), usual)
    assert split.task.says() in capsys.readouterr().out
    best = best_replica(made.history, split.task.usual_threshold[0])
    predicted = keras.models.load_model("v.keras").predict(raw(split.test.inputs, of_split), verbose=0)
    np.testing.assert_allclose(predicted, made.predictions.test_prediction[best], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 9 GiB"), ValueError("C error: out of memory")])
def test_a_file_without_memory_for_it_is_perhaps_not_damaged(error: Exception, tmp_path: Path) -> None:
    path = tmp_path / "history.nc"
    path.touch()
    expected = r"history.nc: damaged, or too large for the free memory \((U|C e)"
    with pytest.raises(UserError, match=expected), files.reading(path, "text"):
        raise error


def test_predictions_whose_surface_lacks_an_axis_are_damaged(result: Trained, circles: Split) -> None:
    whole = result.predictions
    assert {"x1", "x2"} <= whole.coords.keys()
    agreement.expect_predictions(whole, result.history, circles)
    for damaged in (whole.drop_vars("x2"), whole.isel(x2=[0])):
        with pytest.raises(ValueError, match="the surface has no two values of x2"):
            agreement.expect_predictions(damaged, result.history, circles)
