"""Test split, scaling and profile: scikit-learn's numbers, the stated shares, and an example of every warning."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from pipeline.data import sources
from pipeline.data.profile import PROFILE, load_profile, profile, save_profile
from pipeline.data.raw_table import RawTable, check_table
from pipeline.data.split import files
from pipeline.data.split.samples import Origin, RawData, Split
from pipeline.data.splitting import split
from pipeline.foundations.errors import UserError
from pipeline.params import params as params_file
from pipeline.params.data_params import DataParams
from pipeline.params.file import load
from pipeline.params.split_params import SplitParams
from pipeline.training.common.trainable import expect_rows_of_numbers

DATA = DataParams(source="tables/t.csv")
REAL = Path(__file__).parent.parent / "params.yaml"
DRAW = np.random.default_rng(5)
INPUTS = DRAW.normal(3, 2, (60, 3))
LABELS = np.repeat(["x", "y", "z"], [36, 18, 6])


def raw(features: Any = INPUTS, target: Any = LABELS, **changes: Any) -> RawData:
    """Return the checked rows of a table with the target `label`."""
    table = features if isinstance(features, pd.DataFrame) else pd.DataFrame(features, columns=["a", "b", "c"])
    return check_table(RawTable(table, pd.DataFrame({"label": target}), None, None), DATA.model_copy(update=changes))


def params(inputs: str = "none", targets: str = "none", bounds: Any = (-1, 1), **changes: Any) -> SplitParams:
    """Return parameters by which the first 40 of 60 rows are for training."""
    scale = {"inputs": inputs, "range": list(bounds), "targets": targets}
    return SplitParams.model_validate({"train": 40, "scale": scale, "fit_scaler_on": "all", **changes})


def cut(rows: RawData, **changes: Any) -> tuple[Split, Origin]:
    """Return the split rows."""
    return split(rows, DATA, params(**changes))


@pytest.mark.parametrize(
    ("train", "validation", "counts"),
    [(40, 0, [40, 20]), (0.5, 0, [30, 30]), (0.5, 12, [30, 12, 18]), (36, 0.25, [36, 15, 9])],
)
def test_numbers_and_shares_of_rows(train: Any, validation: Any, counts: list[int]) -> None:
    """The first rows are for training, the next for validation, the rest for the test; each occurs once, in order."""
    parts, _ = cut(raw(target=np.tile(["x", "y"], 30)), train=train, validation=validation)
    assert [len(part) for part in parts.parts.values()] == counts
    assert (np.concatenate([part.inputs for part in parts.parts.values()]) == INPUTS).all()


@pytest.mark.parametrize("stratify", [False, True])
def test_the_seed_determines_the_shuffle(stratify: bool) -> None:
    """One seed always gives the same rows, another seed other rows; no row is lost or repeated."""
    one, same, other = (cut(raw(), shuffle=True, stratify=stratify, seed=seed)[0] for seed in (1, 1, 2))
    assert one.train.inputs.tobytes() == same.train.inputs.tobytes()
    assert (one.train.inputs != other.train.inputs).any()
    for parts in (one, other):
        every = np.concatenate([parts.train.inputs, parts.test.inputs])
        assert (every[np.lexsort(every.T)] == INPUTS[np.lexsort(INPUTS.T)]).all()


def test_every_part_has_as_large_a_share_of_each_class() -> None:
    """The shares may differ by one row."""
    parts, _ = cut(raw(), train=30, validation=15, shuffle=True, stratify=True)
    for part in parts.parts.values():
        assert np.abs(np.bincount(part.targets, minlength=3) - np.array([0.6, 0.3, 0.1]) * len(part)).max() < 1


@pytest.mark.parametrize("on", ["all", "train"])
@pytest.mark.parametrize(("how", "scaler"), [("minmax", MinMaxScaler((-2, 3))), ("standard", StandardScaler())])
def test_inputs_are_scaled_as_scikit_learn_scales_them(on: str, how: str, scaler: Any) -> None:
    """The scaler is fitted on all rows, or on the training rows; one column is constant."""
    inputs = INPUTS.copy()
    inputs[:, 1] = 7
    parts, _ = cut(raw(inputs), inputs=how, bounds=(-2, 3), fit_scaler_on=on)
    scaler.fit(inputs if on == "all" else inputs[:40])
    actual = np.concatenate([parts.train.inputs, parts.test.inputs])
    assert actual == pytest.approx(scaler.transform(inputs), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("how", "scaler"), [("minmax", MinMaxScaler((-2, 3))), ("standard", StandardScaler())])
def test_targets_are_scaled_as_scikit_learn_scales_them(how: str, scaler: Any) -> None:
    """This holds for a regression; the origin has the numbers that undo the scaling."""
    values = INPUTS[:, :1] * 1000
    parts, origin = cut(raw(target=values[:, 0]), targets=how, bounds=(-2, 3), fit_scaler_on="train")
    actual = np.concatenate([parts.train.targets, parts.test.targets])
    assert actual == pytest.approx(scaler.fit(values[:40]).transform(values), rel=1e-12, abs=1e-12)
    (own,) = origin.targets
    assert (actual - own.offset) / own.factor == pytest.approx(values)


def test_categories_are_encoded_as_scikit_learn_encodes_them() -> None:
    """Categories in their order become 0 and 1, unscaled, also if only test rows have a category."""
    texts = np.array([["r", "g", "b"][row % 3] for row in range(59)] + ["only here"], object)
    table = pd.DataFrame({"t": texts, "flag": np.arange(60) % 2 == 0})
    parts, origin = cut(raw(table), inputs="standard")
    actual = np.concatenate([parts.train.inputs, parts.test.inputs])
    assert (actual[:, :4] == OneHotEncoder(sparse_output=False).fit_transform(texts[:, None])).all()
    assert (actual[:, 4] == table["flag"]).all()
    assert origin.inputs == ("t=b", "t=g", "t=only here", "t=r", "flag")


@pytest.mark.parametrize(
    ("target", "changes", "line"),
    [
        (LABELS, {"train": 60}, "split.train: 60: must be less than the number of rows of data/raw, 60"),
        (LABELS, {"train": 0}, "split.train: 0: must be at least one row"),
        (LABELS, {"train": 0.001}, "split.train: 0.001: must be at least one row"),
        (
            LABELS,
            {"validation": 20},
            "split.validation: 20: 40 of 60 rows are for training: must leave at least one for the test",
        ),
        (LABELS, {"stratify": True}, "split.stratify: true: must be false if split.shuffle is false"),
        (
            INPUTS[:, 0],
            {"stratify": True, "shuffle": True},
            "split.stratify: true: must be false for a regression, which has no classes",
        ),
        (LABELS, {"stratify": True, "shuffle": True, "train": 59}, "split.stratify: true: The test_size = 1 should be"),
        (
            LABELS,
            {"train": 36},
            "split.train: 36: these rows all have the class x: must have several classes; set split.shuffle",
        ),
        (
            np.repeat([0.5, 1.5], 30),
            {"train": 30},
            "split.train: 30: these rows have equal targets: must have at least two",
        ),
    ],
)
def test_an_impossible_split_is_reported_in_one_line(target: Any, changes: dict[str, Any], line: str) -> None:
    """The line names the parameter, the number of rows, and what is allowed."""
    with pytest.raises(UserError, match=f"^{re.escape(line)}") as error:
        cut(raw(target=target), **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [-1, 1.0, 1.5, True, "half", 10**12])
def test_rows_are_a_number_or_a_share(value: Any) -> None:
    """All other values are rejected."""
    with pytest.raises(ValueError, match="must be a number of rows, or a share of the rows below 1"):
        params(train=value)


def test_a_row_that_is_too_large_after_scaling_is_rejected() -> None:
    """In float32 it would be infinite."""
    inputs = INPUTS.copy()
    inputs[:, 1] = np.arange(60) * 1e-20
    inputs[59, 1] = 1e25
    with pytest.raises(UserError, match=r"^column b: above 1e\+37 after scaling: must vary more in the rows that "):
        cut(raw(inputs), inputs="standard", fit_scaler_on="train")


def test_two_inputs_of_one_name_are_rejected() -> None:
    """Two columns can get inputs of one name."""
    table = pd.DataFrame({"a": ["b=c", "d"] * 30, "a=b": ["c", "d"] * 30})
    with pytest.raises(UserError, match=r"^column a: two inputs would be called a=b=c: must have another name$"):
        cut(raw(table))


def test_a_target_and_an_input_may_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of the parts give the target another name."""
    monkeypatch.chdir(tmp_path)
    table = check_table(
        RawTable(pd.DataFrame({"label": INPUTS[:, 0]}), pd.DataFrame({"price": INPUTS[:, 1]}), None, None), DATA
    )
    parts, origin = cut(table)
    renamed = origin.model_copy(
        update={"targets": tuple(each.model_copy(update={"name": "label"}) for each in origin.targets)}
    )
    files.save_split(parts, renamed)
    assert (files.load_split().train.targets == parts.train.targets).all()


def test_pictures_are_rejected_before_anything_trains() -> None:
    """Variants take rows of numbers."""
    rows = RawTable(np.zeros((60, 5, 5, 1), np.uint8), pd.DataFrame({"label": np.tile(["x", "y"], 30)}), None, None)
    parts, _ = cut(check_table(rows, DATA))
    line = "data.source: rows have the shape (5, 5, 1): must be rows of numbers, [sample, feature], to train "
    with pytest.raises(UserError, match=f"^{re.escape(line)}"):
        expect_rows_of_numbers(parts)
    expect_rows_of_numbers(cut(raw(), shuffle=True)[0])


def test_a_large_table_is_stored_as_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This includes a part that is small enough for a CSV, which does not store the precision."""
    monkeypatch.chdir(tmp_path)
    large = raw(DRAW.normal(size=(350_000, 3)), np.tile(["x", "y"], 175_000))
    parts, origin = cut(large, inputs="standard", train=349_000)
    files.save_split(parts, origin)
    assert (files.part_files()["test"].suffix, files.part_files()["train"].suffix) == (".csv", ".parquet")
    for name, part in files.load_split().parts.items():
        assert part.inputs.dtype == np.float32
        assert (part.inputs == parts.parts[name].inputs).all()


SEVERAL: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "inputs over decades": (
        INPUTS * [1, 1e4, 1],
        LABELS,
        {"shuffle": True, "stratify": True},
        "inputs are not scaled: b reaches ",
    ),
    "targets": (INPUTS, INPUTS[:, 0] * 1e4 + INPUTS[:, 1], {}, "targets are not scaled: label has a standard "),
    "imbalance": (INPUTS, LABELS, {"shuffle": True, "stratify": True}, "classes are imbalanced: 24 training rows of x"),
    "absent": (INPUTS, LABELS, {}, "no training row is of class z; set split.shuffle, or split.stratify too, to true"),
    "rows": (
        np.concatenate([INPUTS[:40], -0.0 * INPUTS[:1], INPUTS[:9], INPUTS[50:]]),
        np.tile(["x", "y"], 30),
        {},
        "9 of 20 test rows have the same inputs as a training row",
    ),
    "leak of classes": (
        np.column_stack([INPUTS[:, :2], np.arange(60) % 2 * 3.5]),
        np.tile(["x", "y"], 30),
        {},
        "feature c determines the target; leave it out by data.features if new rows will not have it",
    ),
    "index": (
        np.column_stack([INPUTS[:, :2], np.arange(60)]),
        np.tile(["x", "y"], 30),
        {"inputs": "standard"},
        "feature c seems to be an index of the rows, which says nothing about new rows; leave it out by data.features",
    ),
    "index from 1, with rows left out": (
        np.column_stack([INPUTS[:, :2], np.delete(np.arange(1, 64), [4, 5, 30])]),
        np.tile(["x", "y"], 30),
        {"inputs": "standard"},
        "feature c seems to be an index of the rows",
    ),
    "leak of values": (INPUTS, INPUTS[:, 1], {}, "feature b determines the target; leave it out by data.features"),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_each_likely_fault_causes_one_warning(name: str) -> None:
    """The data have no other warning."""
    features, target, changes, line = SEVERAL[name]
    rows = raw(features, target)
    (warning,) = [
        each
        for each in profile(rows, *cut(rows, **changes)).warnings
        if name == "imbalance" or "imbalanced" not in each
    ]
    assert warning.startswith(line)


def test_the_warning_names_an_index_of_pandas_whatever_it_holds() -> None:
    """A shuffled index does not count up, but still has its name."""
    table = pd.DataFrame({"a": INPUTS[:, 0], "Unnamed: 0": DRAW.permutation(60)})
    rows = check_table(RawTable(table, pd.DataFrame({"label": np.tile(["x", "y"], 30)}), None, None), DATA)
    (warning,) = profile(rows, *cut(rows, inputs="standard")).warnings
    assert warning.startswith("feature Unnamed: 0 seems to be an index of the rows")


def test_scaled_balanced_rows_have_no_warning() -> None:
    """A constant column, whose scaled values are rounding errors, causes no warning."""
    features = INPUTS * [1, 1e6, 1]
    features[:, 2] = 0.1
    rows = raw(features, np.tile(["x", "y"], 30))
    assert profile(rows, *cut(rows, inputs="standard")).warnings == ()


def test_the_tutorials_data_have_no_warning_and_its_profile() -> None:
    """They have 1000 rows of two inputs, half of them in each class."""
    tutorial = params_file.read(REAL)
    rows = sources.load(tutorial.data)
    described = profile(rows, *split(rows, tutorial.data, tutorial.split))
    assert described.warnings == ()
    assert (described.rows, described.features, described.inputs) == ({"train": 500, "test": 500}, 2, 2)
    assert described.shares == {"train": {"0": 0.504, "1": 0.496}, "test": {"0": 0.496, "1": 0.504}}
    assert [each.name for each in described.ranges] == ["x1", "x2"]
    assert described.ranges[0].scaled == pytest.approx((-1, 1))


def test_the_profile_has_text_and_boolean_columns_and_how_many_values_were_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equally frequent values come by name. If all columns are whole numbers, the file has neither."""
    monkeypatch.chdir(tmp_path)
    colours = np.array(["red"] * 30 + ["blue"] * 14 + ["green"] * 14 + [None, None], dtype=object)
    bought: list[Any] = [True] * 45 + [False] * 14 + [None]
    table = pd.DataFrame({"n": INPUTS[:, 0], "colour": colours, "bought": pd.Series(bought, dtype=object)})
    rows = raw(table, np.tile(["x", "y"], 30), missing="most_frequent")
    described = profile(rows, *cut(rows, inputs="standard"))
    colour, flag = described.values
    assert (colour.name, colour.kind, colour.distinct) == ("colour", "category", 3)
    assert list(colour.shares.items()) == [("red", round(32 / 60, 6)), ("blue", 0.233333), ("green", 0.233333)]
    assert (flag.name, flag.kind, flag.shares) == ("bought", "boolean", {"true": 0.766667, "false": 0.233333})
    assert described.filled == {"colour": 2, "bought": 1}
    save_profile(described)
    assert load_profile() == described
    numbers = raw(INPUTS, np.tile(["x", "y"], 30))
    save_profile(profile(numbers, *cut(numbers, inputs="standard")))
    assert {"values", "filled"}.isdisjoint(json.loads(PROFILE.read_text()))


@pytest.mark.parametrize("path", params_file.RENAMED)
def test_the_message_about_an_old_key_names_the_new_key(path: str) -> None:
    """This also holds if the section lacks a key that is required now."""
    document = load(REAL)
    section, key = path.split(".")
    document[section] = {key: 1}
    line = f"{path}: unknown key: it is now called {params_file.RENAMED[path]}"
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        params_file.parse(document)
