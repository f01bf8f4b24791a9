"""Test that exported, packaged and served models take raw rows (with texts and gaps) and predict as recorded."""

import io
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training, variant
from imports import ROOT
from preloaded import PLACE
from ruamel.yaml import YAML
from workspace import Workspace, answers, free_port, wait_until

from pipeline.data.profile import load_profile, profile, save_profile
from pipeline.data.raw_table import RawTable, check_table
from pipeline.data.split.files import part_files, save_split
from pipeline.data.split.samples import Origin, RawData, Split, is_plain
from pipeline.data.splitting import split
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.ranking import at_percentiles, best_replica, median_replica
from pipeline.evaluation.replica_table import of_predictions
from pipeline.evaluation.summary import evaluate
from pipeline.evaluation.variant import VariantEvaluation, VariantMetrics
from pipeline.foundations.formats import save_npz
from pipeline.history.files import save_recipe, save_run
from pipeline.history.recipe import Recipe
from pipeline.params.data_params import DataParams
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.params import Params
from pipeline.params.split_params import SplitParams
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking.metric_values import variant_points
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import ReplicaPayload, VariantFiles, VariantPayload, VariantSource, assemble
from pipeline.tracking.registered_model import choose
from pipeline.tracking.run_parameters import Parameters
from pipeline.training.common.train_replicas import Trained, train
from pipeline.training.common.versions import versions

ROWS, TRAIN = 60, 40
TRACKING = TrackingParams(experiment="e", registered_model="m", layer_epochs=3, profile_epochs=2)
GENERATOR = np.random.default_rng(3)


def nasty() -> pd.DataFrame:
    """Return a table with every kind of column and difficult names; `[UNK]` is Keras's name of an unknown category."""
    table = pd.DataFrame(
        {
            'naïve "col"': GENERATOR.normal(size=ROWS),
            "income/year": GENERATOR.integers(1, 90, ROWS) * 1000,
            "income_year": GENERATOR.normal(2000, 5, ROWS),
            "born": 1e8 + GENERATOR.normal(size=ROWS),
            "a b": GENERATOR.choice(["[UNK]", "x", "é, ü", ""], ROWS),
            "output": GENERATOR.choice(["yes", "no"], ROWS),
            "smoker": GENERATOR.random(ROWS) < 0.5,
            "member": (GENERATOR.random(ROWS) < 0.5).astype(object),
            "hidden_01": GENERATOR.normal(size=ROWS),
        }
    )
    table.loc[[1, 50], "hidden_01"] = np.nan
    table.loc[[2, 51], "a b"] = None
    table.loc[[3, 52], "member"] = None
    return table


def plain() -> pd.DataFrame:
    """Return a table of numbers only."""
    return pd.DataFrame({"x1": GENERATOR.normal(size=ROWS), "x2": GENERATOR.normal(5, 3, ROWS)})


def targets(task: str) -> pd.DataFrame:
    """Return random targets; nothing can be learned, which does not matter here."""
    if task == "regression":
        values = GENERATOR.normal(5000, 700, (ROWS, 2))
        return pd.DataFrame(values, columns=["price", "rent"])
    classes = ["no", "yes"] if task == "binary" else ["ant", "bee", "cat"]
    return pd.DataFrame({"label": np.resize(classes, ROWS)})


@dataclass(frozen=True)
class Made:
    """A trained variant, and its raw table."""

    table: pd.DataFrame
    raw: RawData
    origin: Origin
    parts: Split
    trained: Trained

    def recorded(self, replica: int) -> np.ndarray:
        """Return the recorded predictions for the rows of the table, in order, in the unit of the raw targets."""
        found = self.trained.predictions
        rows = np.concatenate([found[f"{part}_prediction"].values[replica] for part in self.parts.parts])
        for place, target in enumerate(self.origin.targets):
            rows[:, place] = (rows[:, place] - target.offset) / target.factor
        return rows

    def agree(self, predictions: Any, replica: int = 1, rows: slice = slice(None)) -> None:
        """Check that predictions equal the recorded ones."""
        recorded = self.recorded(replica)
        assert np.ptp(recorded, axis=0).min() > 1e-3  # no constant
        assert np.shape(predictions) == recorded[rows].shape
        np.testing.assert_allclose(predictions, recorded[rows], rtol=2e-5, atol=2e-5)

    @property
    def given(self) -> Any:
        """Return the raw rows as lists, in the form that the `.keras` file takes."""
        from pipeline.models.preprocessing import input_names, missing_text

        if is_plain(self.origin.columns):
            return self.table.to_numpy().tolist()
        found = {}
        for name, column in zip(input_names(self.origin), self.origin.columns, strict=True):
            values = self.table[column.name].astype(object)
            missing = missing_text(column) if column.kind == "category" else float("nan")
            found[name] = [missing if lost else each for each, lost in zip(values, values.isna(), strict=True)]
        return found


def make(folder: Path, name: str, table: pd.DataFrame, task: str, validation: int = 0) -> Made:
    """Train on a table for a few epochs; move the files of the training to the folder."""
    known = task != "regression" or None
    asked = DataParams(source="tables/mine.csv", missing="most_frequent")
    raw = check_table(RawTable(table, targets(task), known, None), asked)
    scale = {"inputs": "standard", "targets": "standard" if task == "regression" else "none"}
    cut = {"train": TRAIN, "validation": validation, "scale": scale, "fit_scaler_on": "train"}
    parts, origin = split(raw, asked, SplitParams.model_validate(cut))
    params, recipe = training(epochs=4, replicas=2, chunk=2), variant(activation="tanh")
    trained = train(recipe, name, parts, params)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        save_recipe(name, Recipe(variant=recipe, training=params, versions=versions(), **dict(origin)))
        save_run(name, trained.history, trained.predictions, trained.weights)
    return Made(table, raw, origin, parts, trained)


TASKS = ("binary", "multiclass", "regression")
NAMES = (*TASKS, "plain")
PUBLISHED = "regression"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the pipeline ran."""
    return tmp_path_factory.mktemp("raw")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Made]:
    """Return a training on the difficult table for each task, and one on the plain table."""
    found = {task: make(folder, task, nasty(), task) for task in TASKS}
    return {**found, "plain": make(folder, "plain", plain(), "multiclass")}


@pytest.fixture(scope="module")
def exported(folder: Path, made: dict[str, Made]) -> list[str]:
    """Export replica 1 of each as a `.keras` file, twice; return the printed lines."""
    from pipeline.export import export

    params = cast(Params, SimpleNamespace(evaluation=SimpleNamespace(learned=None)))
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(io.StringIO()) as said:
        patched.chdir(folder)
        for suffix in ("", "_again"):
            for name in made:
                export(name, "1", Path(f"{name}{suffix}.keras"), params)
    return said.getvalue().splitlines()


@pytest.fixture(scope="module")
def chosen(made: dict[str, Made]) -> dict[str, int]:
    """Return the packaged replica of each variant: 1, but the best of the published variant."""
    each = made[PUBLISHED]
    return {**dict.fromkeys(made, 1), PUBLISHED: best_replica(each.trained.history, judge(each).rule.score)}


@pytest.fixture(scope="module")
def under_way(folder: Path, made: dict[str, Made], chosen: dict[str, int]) -> Iterator[Packages]:
    """Package the models as publishing does, all in one process."""
    with Packages() as begun:
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(folder)
            patched.setenv("PYTHONPATH", str(ROOT))
            if PLACE in os.environ:
                patched.setattr(sys, "executable", f"{os.environ[PLACE]}/python3")
            begun.begin({name: {"best": replica} for name, replica in chosen.items()})
        yield begun


@pytest.fixture(scope="module")
def packages(under_way: Packages, made: dict[str, Made]) -> dict[str, Path]:
    return {name: under_way.folders(name)["best"] for name in made}


@pytest.fixture(scope="module")
def published(folder: Path, made: dict[str, Made], chosen: dict[str, int], under_way: Packages) -> VariantPayload:
    """Publish one variant to a store of its own; return what was published."""
    from pipeline.tracking.publish import publish

    each = made[PUBLISHED]
    parameters = {"variant": {"units": 3}, "training": {"seed": 7}}
    source = VariantSource(PUBLISHED, parameters, {}, VariantFiles([], [], {}, []), each.origin.columns)
    content = assemble(source, judge(each), {"best": chosen[PUBLISHED]}, TRACKING)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert publish([content], TRACKING, (), data_files(each), under_way) == {PUBLISHED: "published"}
    return content


# All in one process, because TensorFlow takes seconds to start. First Keras alone loads the files, without this
# project and with warnings as errors. Then MLflow loads the packages, and the registered model by its alias alone.
LOAD = """
import json, os, sys, warnings
warnings.simplefilter("error")
warnings.simplefilter("ignore", DeprecationWarning)
os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
sys.modules["pipeline"] = None
import keras, numpy as np
found = {}
def array(values):
    return np.array(values, object if any(isinstance(each, str) for each in values) else np.float64)
for task, rows in json.load(open("given.json")).items():
    model = keras.saving.load_model(f"{task}.keras")
    given = {name: array(values) for name, values in rows.items()} if isinstance(rows, dict) else np.array(rows)
    columns = {name: each[:, None] for name, each in given.items()} if isinstance(given, dict) else given
    found[task] = {"called": model(columns).numpy().tolist(), "predicted": model.predict(given, verbose=0).tolist()}
json.dump(found, open("loaded.json", "w"))

def predict(place, name, to):
    model = mlflow.pyfunc.load_model(place)
    model.predict(pd.read_pickle(f"{name}.table")).to_pickle(f"{to}.predicted")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc, pandas as pd
    predict("models:/m@best", sys.argv[1], "registered")
for name, place in json.loads(sys.argv[2]).items():
    predict(place, name, name)
"""


@pytest.fixture(scope="module")
def loaded(
    folder: Path, made: dict[str, Made], exported: list[str], packages: dict[str, Path], published: VariantPayload
) -> dict[str, Any]:
    """Return the predictions of the `.keras` files for the raw rows.

    Afterwards the folder holds MLflow's predictions for the raw tables, whose index starts at 100.
    """
    (folder / "given.json").write_text(json.dumps({name: each.given for name, each in made.items()}))
    for name, each in made.items():
        each.table.set_index(pd.RangeIndex(100, 100 + ROWS)).to_pickle(folder / f"{name}.table")
    places = json.dumps({name: str(place) for name, place in packages.items()})
    uri = f"sqlite:///{folder}/mlruns/mlflow.db"
    Workspace(folder).run("python3", "-c", LOAD, PUBLISHED, places, MLFLOW_TRACKING_URI=uri)
    return json.loads((folder / "loaded.json").read_text())


@pytest.fixture(scope="module")
def predicted(folder: Path, made: dict[str, Made], loaded: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the predictions of the packages and of the registered model."""
    return {name: pd.read_pickle(folder / f"{name}.predicted") for name in (*made, "registered")}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_exported_model_needs_only_keras_and_takes_raw_rows(
    folder: Path, made: dict[str, Made], loaded: dict[str, Any], name: str
) -> None:
    """The model is called with columns [row, 1], or gets the table in `predict`, which first converts it to float32."""
    made[name].agree(loaded[name]["called"])
    assert np.shape(loaded[name]["predicted"]) == np.shape(loaded[name]["called"])
    assert (folder / f"{name}.keras").read_bytes() == (folder / f"{name}_again.keras").read_bytes()


def test_an_export_prints_the_inputs_and_outputs_of_the_model(exported: list[str]) -> None:
    """The export prints names as the file has them: without a slash, and none of another layer."""
    takes = (
        'raw rows, a map of columns: naïve "col" (number), income_year (number), _income_year (number), born (number), '
        "a b (text, may be missing), _output (text), smoker (true or false), member (true or false, may be missing), "
        "_hidden_01 (number, may be missing)"
    )
    classes = "gives the probabilities of the classes ant, bee, cat"
    assert exported[:4] == [
        f"binary.keras: replica 1 of binary; takes {takes}, gives the probability of class yes",
        f"multiclass.keras: replica 1 of multiclass; takes {takes}, {classes}",
        f"regression.keras: replica 1 of regression; takes {takes}, gives the predicted price, rent",
        f"plain.keras: replica 1 of plain; takes raw rows (x1, x2), {classes}",
    ]


def test_an_unknown_category_counts_as_missing_or_as_no_category(made: dict[str, Made]) -> None:
    """It counts as missing if values may be missing; otherwise all its inputs are 0."""
    from pipeline.foundations.tensorflow import keras
    from pipeline.models.preprocessing import raw_inputs

    source, encoded = raw_inputs(made["binary"].origin)
    model = keras.Model(source, encoded)
    columns = {name: np.array(values, object)[:2, None] for name, values in made["binary"].given.items()}
    columns |= dict.fromkeys(("a b", "_output"), np.full((2, 1), "new", object))
    row = dict(zip(made["binary"].origin.inputs, model(columns)[0].numpy(), strict=True))
    (column,) = (each for each in made["binary"].origin.columns if each.name == "a b")
    assert [row[f"a b={category}"] for category in column.categories] == [
        float(category == column.fill) for category in column.categories
    ]
    assert row["output=no"] == row["output=yes"] == 0


# MLflow


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_takes_a_table(
    made: dict[str, Made], chosen: dict[str, int], predicted: dict[str, pd.DataFrame], name: str
) -> None:
    """The table is one of pandas, with whole numbers, booleans and gaps; the predictions keep its index."""
    assert predicted[name].index.equals(pd.RangeIndex(100, 100 + ROWS))
    made[name].agree(probabilities(predicted[name]), chosen[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_names_its_predictions(
    made: dict[str, Made], predicted: dict[str, pd.DataFrame], name: str
) -> None:
    """It returns the most probable class and the probability of each class, or the targets of a regression."""
    task, answer = made[name].origin.task, predicted[name]
    if not task.is_classification:
        assert list(answer) == ["price", "rent"]
        return
    assert list(answer) == ["predicted", *(f"probability of {each}" for each in task.names)]
    shares = answer.drop(columns="predicted").to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert answer["predicted"].tolist() == [task.names[label] for label in shares.argmax(axis=1)]
    assert answer["predicted"].nunique() > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_model_is_a_keras_model_too(
    folder: Path, made: dict[str, Made], packages: dict[str, Path], name: str
) -> None:
    """Loaded by `mlflow.keras`, it is the model of the `.keras` file, which takes raw rows and returns numbers."""
    from pipeline.foundations.tensorflow import keras  # noqa: F401 -- before MLflow imports Keras

    import mlflow.keras  # isort: skip

    model = mlflow.keras.load_model(str(packages[name]))
    assert model.output_shape == (None, made[name].origin.task.outputs)


def probabilities(answer: pd.DataFrame) -> np.ndarray:
    """Return the output of the network itself, [row, output]; for two classes only the probability of the second."""
    numbers = answer.drop(columns="predicted", errors="ignore")
    return numbers.to_numpy()[:, 1:] if numbers.shape[1] == 2 and "predicted" in answer else numbers.to_numpy()


def test_a_package_has_no_pickle_and_describes_its_inputs(packages: dict[str, Path]) -> None:
    import mlflow.models

    for name, folder in packages.items():
        suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
        assert suffixes <= {"", ".keras", ".py", ".txt", ".yaml", ".yml", ".json"}, name
    signature = mlflow.models.get_model_info(str(packages["regression"])).signature
    takes = {each["name"]: (each["type"], each["required"]) for each in signature.inputs.to_dict()}
    assert takes == {
        'naïve "col"': ("any", True),
        "income/year": ("any", True),
        "income_year": ("any", True),
        "born": ("any", True),
        "a b": ("string", False),
        "output": ("string", True),
        "smoker": ("boolean", True),
        "member": ("any", False),
        "hidden_01": ("any", False),
    }
    gives = {name: mlflow.models.get_model_info(str(folder)).signature.outputs for name, folder in packages.items()}
    assert {each.name: each.type.name for each in gives["regression"].inputs} == {"price": "float", "rent": "float"}
    assert {each.name: each.type.name for each in gives["binary"].inputs} == {
        "predicted": "string",
        "probability of no": "float",
        "probability of yes": "float",
    }
    assert gives["plain"].input_names()[1:] == [f"probability of {each}" for each in ("ant", "bee", "cat")]
    assert "/tmp" not in (packages["regression"] / "MLmodel").read_text()


@pytest.mark.slow
def test_a_package_is_served(
    folder: Path, made: dict[str, Made], chosen: dict[str, int], packages: dict[str, Path]
) -> None:
    """MLflow's server takes JSON in all its forms; a missing value is null, or left out."""
    each, best, port = made[PUBLISHED], chosen[PUBLISHED], free_port()
    address = f"http://127.0.0.1:{port}"
    package = str(packages[PUBLISHED])
    command = ["mlflow", "models", "serve", "--env-manager", "local", "--model-uri", package, "--port", str(port)]
    with Workspace(folder).running(*command) as server:
        wait_until(lambda: answers(f"{address}/ping") or server.poll() is not None)
        table = each.table.astype(object).where(each.table.notna(), None)
        rows = table.to_dict("records")
        for body in (
            {"dataframe_split": table.to_dict("split", index=False)},
            {"dataframe_records": rows},
            {"dataframe_records": [_without_gaps(row) for row in rows]},
            {"inputs": table.to_dict("list")},
        ):
            each.agree(posted(address, body), best)
        each.agree(posted(address, {"dataframe_records": rows[1:2]}), best, rows=slice(1, 2))
        each.agree(posted(address, {"dataframe_records": [_without_gaps(rows[2])]}), best, rows=slice(2, 3))


def _without_gaps(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def posted(address: str, body: Any) -> np.ndarray:
    """Return the server's predictions, [row, output]."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/invocations", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return pd.DataFrame(json.load(answer)["predictions"]).to_numpy()


# Chosen on the validation set


def test_the_best_and_the_median_are_chosen_on_the_validation_set() -> None:
    """By their scores on the test set, the choice would be opposite; it is used if there is no validation set."""
    epochs = ("replica", "epoch")
    scores = {"validation": [0.9, 0.7, 0.5], "test": [0.4, 0.6, 0.8]}
    named = {
        name: (epochs, np.array(values)[:, None])
        for part, each in scores.items()
        for name, values in ((f"{part}_accuracy", each), (f"{part}_loss", each))
    }
    history = xr.Dataset({"train_loss": (epochs, np.ones((3, 1))), **named})
    assert best_replica(history, "accuracy") == 0
    assert best_replica(history.drop_vars(["validation_accuracy", "validation_loss"]), "accuracy") == 2
    assert median_replica(history, "accuracy") == 1
    assert at_percentiles(history, "accuracy", (0, 100)) == ([0, 2], [0.4, 0.8])


def payload(variant: str, chosen_by: str, scores: list[tuple[float, float]]) -> VariantPayload:
    """Return the payload of a variant whose replicas have these scores on the judged and on the choosing part."""
    replicas = [ReplicaPayload(f"replica {n:03d}", {}, {}, [], *each) for n, each in enumerate(scores)]
    plain: tuple[Any, ...] = (Parameters({}, {}), "", [], replicas, {}, [], {"best": 0})
    return VariantPayload(variant, "", "", "test_accuracy", chosen_by, "Use.", *plain)


def test_the_best_model_states_the_part_on_which_it_was_chosen() -> None:
    validated = [payload("a", "validation_accuracy", [(0.9, 0.6)]), payload("b", "validation_accuracy", [(0.7, 0.8)])]
    best = choose(validated)
    assert best is not None
    assert best.description == (
        "b, replica 000: validation accuracy 0.800, the highest of 2 replicas of a, b. Its test accuracy is 0.700. "
        "The test data played no part in the choice."
    )
    assert "the highest final validation accuracy of all variants" in best.model_description
    assert "too good" not in best.description + best.model_description
    judged = choose([payload("a", "test_accuracy", [(0.9, 0.9), (0.7, 0.7)])])
    assert judged is not None
    flattered = "It was chosen by its test score, which is therefore too good: expect less on new rows."
    assert judged.description == f"a, replica 000: test accuracy 0.900, the highest of 2 replicas of a. {flattered}"
    assert flattered in judged.model_description


def test_a_variant_whose_best_score_is_nan_is_not_registered() -> None:
    """It is the first in params.yaml, so `max` would choose it."""
    nan = float("nan")
    best = choose([payload("a", "test_accuracy", [(nan, nan)]), payload("b", "test_accuracy", [(0.5, 0.5)])])
    assert best is not None
    assert best.content.variant == "b"


# What is told of predictions


def test_scores_of_predictions_are_those_of_scikit_learn_in_the_targets_own_units(made: dict[str, Made]) -> None:
    from sklearn import metrics

    for name, each in made.items():
        found = of_predictions(each.trained.predictions, each.parts, each.origin.targets)
        wanted = {"test_rmse", "test_mae"} if name == "regression" else {"test_macro_f1"}
        assert {column for column in found if column.startswith("test_")} == wanted
        for replica in (0, 1):
            given = each.recorded(replica)[TRAIN:]
            if name == "regression":
                offset, factor = np.array([(target.offset, target.factor) for target in each.origin.targets]).T
                true = (each.parts.test.targets - offset) / factor
                rmse = metrics.root_mean_squared_error(true, given, multioutput="uniform_average")
                assert found.test_rmse[replica] == pytest.approx(rmse, rel=1e-5)
                assert found.test_mae[replica] == pytest.approx(metrics.mean_absolute_error(true, given), rel=1e-5)
            else:
                labels = each.origin.task.predicted_labels(given)
                f1 = metrics.f1_score(each.parts.test.targets, labels, average="macro", zero_division=0)
                assert found.test_macro_f1[replica] == pytest.approx(f1, rel=1e-5)


def judge(made: Made, predicted: bool = True) -> VariantEvaluation:
    """Evaluate as the stage does, or as a study, which has no predictions."""
    thresholds = DiagnosisParams.model_validate(YAML(typ="safe").load(ROOT / "params.yaml")["diagnosis"])
    told = of_predictions(made.trained.predictions, made.parts, made.origin.targets) if predicted else None
    rule = rule_for(made.origin.task, None)
    return evaluate("v", made.trained.history, variant(activation="tanh"), Premises(), rule, thresholds, told)


def test_scores_of_predictions_are_in_the_table_and_last_in_the_metrics(made: dict[str, Made]) -> None:
    """The metrics are read back unchanged; without predictions these scores are left out."""
    each = made["regression"]
    judged = judge(each), judge(each, predicted=False)
    told = of_predictions(each.trained.predictions, each.parts, each.origin.targets)
    plain = judged[0].metrics.plain
    assert [*plain][-4:] == ["test_rmse", "test_mae", "train_rmse", "train_mae"]
    assert {**judged[1].metrics.plain, **dict([*plain.items()][-4:])} == plain
    assert VariantMetrics.of(json.loads(json.dumps(plain))).plain == plain
    assert (judged[0].final, judged[1].final) == ("test_r2", "test_r2")
    assert judged[0].replicas.test_rmse.tolist() == told.test_rmse.tolist()
    assert judged[0].replicas.drop(columns=[*told]).equals(judged[1].replicas)
    points = {point.key for point in variant_points(judged[0], TRACKING)}
    assert {"test_rmse_median", "train_mae_q25"} <= points


# Published


def data_files(each: Made) -> dict[str, Path]:
    """Write the parts and the profile of a table; return the parts' files."""
    save_split(each.parts, each.origin)
    save_profile(profile(each.raw, each.parts, each.origin))
    return part_files()


def test_data_sets_of_every_format_agree_with_the_profile(
    tmp_path: Path, made: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.tracking.datasets import dataset_inputs

    monkeypatch.chdir(tmp_path)
    files = data_files(made["multiclass"])
    pd.read_csv(files["test"]).to_parquet(tmp_path / "test.parquet", index=False)
    save_npz({"features": np.zeros((7, 5, 2)), "label": np.zeros(7, np.int64)}, tmp_path / "train.npz")
    csv, parquet = dataset_inputs({**files, "test": Path("test.parquet")})
    (arrays,) = dataset_inputs({"train": Path("train.npz")})
    assert [each.dataset.name for each in (csv, parquet, arrays)] == ["train", "test", "train"]
    assert [each.tags[0].value for each in (csv, parquet)] == ["training", "testing"]
    columns = {each["name"]: each["type"] for each in json.loads(csv.dataset.schema)["mlflow_colspec"]}
    assert (columns["a b=é, ü"], columns["label"]) == ("double", "long")
    assert json.loads(parquet.dataset.schema) == json.loads(csv.dataset.schema)
    assert "5, 2" in json.loads(arrays.dataset.schema)["mlflow_tensorspec"]["features"]
    said = json.loads(parquet.dataset.profile)
    assert (said["num_rows"], said["features"], said["inputs"]) == (ROWS - TRAIN, 9, 13)
    assert said["task"] == "3 classes (ant, bee, cat)"
    assert sum(said["classes"].values()) == pytest.approx(1, abs=1e-5)
    assert said["warnings"] == list(load_profile().warnings)


def test_a_registered_model_takes_a_table(
    made: dict[str, Made], chosen: dict[str, int], predicted: dict[str, pd.DataFrame], published: VariantPayload
) -> None:
    """The model is published to a store of its own, and loaded by its alias alone."""
    made[PUBLISHED].agree(probabilities(predicted["registered"]), chosen[PUBLISHED])
    assert "encodes and scales. Answers with the columns `price`, `rent`. " in published.use
    assert published.use.endswith("which gives the predicted price, rent, float32 [row, 2].")
    assert "`income/year` (number), `income_year` (number)" in published.use
