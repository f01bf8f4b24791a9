"""A small part of `python3 tests/campaigns/inputs.py`: what reads each kind of input, in this process."""

import base64
import json
import marshal
import os
import pickle
import random
import shutil
import types
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from campaigns import file_mutants, payloads, table_mutants
from campaigns.params_mutants import mutants, tiny, written

from pipeline.data.reference.reference import Reference
from pipeline.data.sources import load
from pipeline.data.split import files
from pipeline.data.split.samples import Origin, Split
from pipeline.data.splitting import split
from pipeline.evaluation import study_files
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_json
from pipeline.foundations.formats import save_npz
from pipeline.history import files as runs
from pipeline.params.data_params import DataParams
from pipeline.params.params import parse, read

NUMBER, LARGEST = 30, 100_000


def test_the_tiny_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(written(tiny()))
    assert read(tmp_path / "params.yaml") == parse(tiny())


def rejection(what: str, read_input: Callable[[], object], accepted: str = "") -> str:
    """Return how an input is rejected, or `accepted`; fail if another error is raised."""
    try:
        read_input()
    except UserError as error:
        return str(error)
    except Exception as error:
        pytest.fail(f"{what}: {error!r}")
    return accepted


def read_and_split() -> None:
    """Read params.yaml and its data, unless these are many."""
    params = read()
    count = params.data.config.get("n_samples", 100)
    if not isinstance(count, int) or count <= LARGEST:
        split(load(params.data), params.data, params.split)


@pytest.mark.slow
def test_a_mutant_is_read_and_gives_data_or_is_refused_in_a_short_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lengths: list[int] = []
    for done, text in mutants(NUMBER, seed=1):
        Path("params.yaml").write_text(text)
        line = rejection(done, read_and_split)
        lengths += [len(line)] if line else []
        assert os.listdir() == ["params.yaml"]
    assert NUMBER / 4 < len(lengths) < NUMBER
    assert max(lengths) < 1000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "sequences"])
def test_a_table_is_read_or_refused_in_a_short_line_and_nothing_in_it_is_executed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    canaries = tmp_path / "canaries"
    for folder in (canaries, tmp_path / "tables"):
        folder.mkdir()
    for number in range(7):
        what, _ = getattr(table_mutants, kind)(random.Random(f"{kind} {number}"), tmp_path, canaries)
        assert len(rejection(what, read_and_split)) < 1000, what
        assert os.listdir(canaries) == [], what
        for path in (tmp_path / "tables").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.slow
def test_what_a_stage_wrote_is_read_or_refused_in_one_line(
    split_and_origin: tuple[Split, Origin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        files.save_split(*split_and_origin)
        luck = random.Random(number)
        path = luck.choice(sorted(files.PARTS.iterdir()))
        what = (file_mutants.change_json if path.suffix == ".json" else file_mutants.change_rows)(luck, path, tmp_path)
        assert str(files.PARTS) in rejection(what, files.load_split, str(files.PARTS)), what
        shutil.rmtree(files.PARTS)


def test_each_payload_works_where_something_executes_it(tmp_path: Path) -> None:
    """Otherwise the canaries would prove nothing."""
    pickle.loads(payloads.pickled(tmp_path))
    np.load(BytesIO(payloads.array_of_objects(tmp_path)), allow_pickle=True)
    eval(payloads.statement(tmp_path, "statement"))
    function = marshal.loads(base64.b64decode(payloads.keras_lambda(tmp_path)["config"]["code"]))
    types.FunctionType(function, globals())(1)
    assert sorted(os.listdir(tmp_path)) == ["lambda", "npy", "pickle", "statement"]


def test_the_same_seed_gives_the_same_mutants() -> None:
    assert list(mutants(5, seed=3)) == list(mutants(5, seed=3)) != list(mutants(5, seed=4))


# Defects that the campaign or a reading for it found


def test_an_entry_of_an_npz_file_that_is_no_array_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy returns its bytes."""
    monkeypatch.chdir(tmp_path)
    for path, read_input in (
        (runs.weights_path("v"), lambda: runs.load_weights("v")),
        (Path("tables/t.npz"), lambda: load(DataParams(source="tables/t.npz", target="y"))),
    ):
        file_mutants.replace_file(path, payloads.archive(x__npy=b"no array", y__npy=b"no array"))
        assert rejection(str(path), read_input).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "weights",
    [{}, {"a": np.zeros(())}, {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))}, {"a": np.array(["x"])}],
    ids=["none", "a number", "other replicas", "text"],
)
def test_weights_that_no_training_writes_are_reported(
    weights: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs.folder("v").mkdir(parents=True)
    np.savez(runs.weights_path("v"), **weights)
    assert rejection("weights", lambda: runs.load_weights("v")).startswith("runs/v/weights.npz: damaged")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rows", {"train": 52, "other": 28}),
        ("rows", {"test": 28}),
        ("shape", [3]),
        ("shape", []),
        ("task", {"kind": "binary", "names": ["0"]}),
        ("task", {"kind": "multiclass", "names": ["0", "0"]}),
        ("targets", [{"name": "y"}]),
    ],
)
def test_a_description_of_parts_that_split_does_not_write_is_reported(
    key: str, value: object, split_and_origin: tuple[Split, Origin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.save_split(*split_and_origin)
    document = json.loads(files.DESCRIPTION.read_text()) | {key: value}
    files.DESCRIPTION.write_text(json.dumps(document))
    assert rejection(key, files.load_split).startswith("data/split/split.json: damaged")


@pytest.mark.parametrize(
    "features", [np.zeros((51, 3, 2)), np.full((52, 3, 2), "x"), np.zeros(())], ids=["fewer", "text", "a number"]
)
def test_arrays_that_do_not_fit_their_targets_are_reported(
    features: np.ndarray, split_and_origin: tuple[Split, Origin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.save_split(*split_and_origin)
    (files.PARTS / "train.csv").unlink()
    save_npz({"features": features, "targets": np.zeros(52)}, files.PARTS / "train.npz")
    assert rejection("train", files.load_split).startswith("data/split/train.npz: ")


def test_a_reference_without_bounds_keeps_the_usual_bar() -> None:
    reference = Reference(scores={"linear": {"accuracy": 0.6}}, fitted=30, judged=30, part="test")
    assert reference.bar("accuracy", 0.5, 0.75) == 0.75


def test_a_study_without_the_parameters_of_a_cell_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for recipes in ({}, {"a": {}}, {"a": 1}, []):
        save_json(recipes, Path("studies/s/recipes.json"))
        said = rejection("recipes", lambda: study_files.load_recipes("s", ["a"]))
        assert said.startswith("studies/s/recipes.json: damaged")
