"""Test files of users: each is read correctly, or rejected by one line that names the fault."""

import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer

from pipeline.data import raw_files, sources
from pipeline.data.profile import profile
from pipeline.data.split import files
from pipeline.data.split.samples import RawData, Samples
from pipeline.data.splitting import split
from pipeline.foundations import formats
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams
from pipeline.params.file import check, load
from pipeline.params.split_params import SplitParams

PLAIN = "a,b,label\n1,2,yes\n3,4,no\n5,6,yes\n7,8,no\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return an empty folder for tables, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tables").mkdir()


def csv(content: str | bytes, **changes: Any) -> RawData:
    """Return what is read from a CSV."""
    Path("tables/t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return sources.load(DataParams(source="tables/t.csv", **changes))


def parquet(columns: dict[str, Any], **changes: Any) -> RawData:
    """Return what is read from a Parquet file."""
    pd.DataFrame(columns).to_parquet("tables/t.parquet")
    return sources.load(DataParams(source="tables/t.parquet", **changes))


def npz(arrays: dict[str, Any], **changes: Any) -> RawData:
    """Return what is read from NumPy's arrays."""
    np.savez("tables/t.npz", **arrays)
    return sources.load(DataParams(source="tables/t.npz", **changes))


def expect_line(line: str, read: Callable[[], RawData]) -> None:
    """Check the whole message; `...` stands for any text."""
    pattern = re.escape(line).replace(re.escape("..."), ".+")
    with pytest.raises(UserError, match=f"^{pattern}$"):
        read()


def with_column(values: list[Any], rows: int = 4) -> str:
    """Return a CSV whose column `a` has these values, repeated often enough."""
    lines = [f"{values[row % len(values)]},{row},{'yes' if row % 2 else 'no'}" for row in range(max(rows, len(values)))]
    return "\n".join(["a,b,label", *lines, ""])


def test_a_csv_is_numbers_text_and_a_target() -> None:
    """It may have numbers, booleans, categories, and classes in their order."""
    raw = csv("n,t,f,label\n1,red,True,yes\n2.5,blue,False,no\n3,red,True,yes\n4,red,True,no\n")
    assert raw.kinds == {"n": "number", "t": "category", "f": "boolean"}
    assert isinstance(raw.features, pd.DataFrame)
    assert raw.features["n"].tolist() == [1, 2.5, 3, 4]
    assert raw.features["t"].tolist() == ["red", "blue", "red", "red"]
    assert raw.features["f"].tolist() == [1, 0, 1, 1]
    assert (raw.task.kind, raw.task.names, raw.targets.tolist()) == ("binary", ("no", "yes"), [1, 0, 1, 0])


FAULTS: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, "tables/t.csv: empty: must be a table whose first line has the names of the columns"),
    "blank": ("\n\n", {}, "tables/t.csv: empty: must be a table whose first line has the names of the columns"),
    "header only": ("a,label\n", {}, "tables/t.csv: no rows: must have at least one"),
    "semicolons": (
        "a;label\n1;2\n",
        {},
        'tables/t.csv: its columns are separated by ";": data.delimiter must be ";"',
    ),
    "decimal commas": (
        "a;label\n1,5;2\n",
        {},
        'tables/t.csv: its columns are separated by ";": data.delimiter must be ";"',
    ),
    "tabs": (
        "a\tlabel\n1\t2\n",
        {},
        r'tables/t.csv: its columns are separated by "\t": data.delimiter must be "\t"',
    ),
    "commas": (
        "a,label\n1,2\n",
        {"delimiter": ";"},
        'tables/t.csv: its columns are separated by ",": data.delimiter must be ","',
    ),
    "ragged with semicolons": (
        "a;label\n1;2\n1;2;3\n",
        {"delimiter": ";"},
        'tables/t.csv: Error tokenizing data. C error: Expected 2 ...: must be a CSV file in UTF-8 with ";" between '
        "the columns",
    ),
    "no such class": (
        PLAIN,
        {"positive_class": "yess"},
        "data.positive_class: yess: must be one of no, yes: did you mean yes?",
    ),
    "positive of three": (
        "a,label\n1,x\n2,y\n3,z\n4,x\n5,y\n6,z\n",
        {"positive_class": "x"},
        "data.positive_class: x: must be null for a multiclass task",
    ),
    "positive of a softmax": (
        PLAIN,
        {"positive_class": "yes", "task": "multiclass"},
        "data.positive_class: yes: must be null for a multiclass task",
    ),
    "positive of a regression": (
        "a,label\n1,1.5\n2,2.5\n",
        {"positive_class": 1},
        "data.positive_class: 1: must be null for a regression",
    ),
    "encoding": (
        "a,label\né,2\n".encode("latin-1"),
        {},
        "tables/t.csv: 'utf-8' codec can't decode byte 0xe9 ...: must be a CSV file in UTF-8 with commas between the "
        "columns",
    ),
    "other encoding": (
        "a,label\n1,2\n".encode("utf-16"),
        {},
        "tables/t.csv: 'utf-8' codec can't decode byte 0xff ...: must be a CSV file in UTF-8 with commas between the "
        "columns",
    ),
    "ragged": (
        "a,label\n1,2\n1,2,3\n",
        {},
        "tables/t.csv: Error tokenizing data. C error: Expected 2 fields in line 3, saw 3: must be a CSV file in ...",
    ),
    "longer rows": (
        "a,label\n1,2,3\n4,5,6\n",
        {},
        "tables/t.csv: rows have more fields than the first line has names: must have as many",
    ),
    "open quote": (
        'a,label\n"1,2\n',
        {},
        "tables/t.csv: Error tokenizing data. ...: must be a CSV file in UTF-8 with ...",
    ),
    "index": (
        ",a,label\n0,1,2\n",
        {},
        "tables/t.csv: column 1 has no name: must have one (leave out an index of pandas by index=False)",
    ),
    "line in a name": (
        '"a\nb",label\n1,2\n',
        {},
        r"tables/t.csv: the name of column 1: 'a\nb': must be text without line breaks and control characters",
    ),
    "twice": ("a,a,label\n1,2,3\n", {}, "tables/t.csv: two columns are called a: names must differ"),
    "no target": (
        "a,lable\n1,2\n",
        {},
        "data.target: label: must be one of the columns of tables/t.csv: a, lable: did you mean lable?",
    ),
    "no feature": (
        PLAIN,
        {"features": ["a", "bb"]},
        "data.features.1: bb: must be one of the columns of tables/t.csv: a, b, label",
    ),
    "target as feature": (
        PLAIN,
        {"features": ["label"]},
        "data.features.0: label: must not be the target",
    ),
    "feature twice": (PLAIN, {"features": ["a", "a"]}, "data.features.1: a: must be named once"),
    "one column": (
        "label\n1\n2\n",
        {},
        "tables/t.csv: no column but label: must have at least one input column",
    ),
    "missing": (
        "a,b,label\n1,,x\n,,y\n3,4,x\n4,5,y\n",
        {},
        "column a: 1 of 4 values are missing (and 1 more column): must be present, or data.missing must be drop, mean, "
        "median or most_frequent",
    ),
    "nothing in a column": (
        "a,b,label\n,1,x\n,2,y\n,3,x\n,4,y\n",
        {"missing": "mean"},
        "column a: all values are missing: must be left out by data.features",
    ),
    "nothing left": (
        "a,b,label\n,1,x\n2,,y\n,3,x\n",
        {"missing": "drop"},
        "data.missing: drop: leaves no row, because each has a missing value: must be mean, median or most_frequent",
    ),
    "no targets": (
        "a,label\n1,x\n2,\n3,y\n",
        {"missing": "mean"},
        "column label: 1 of 3 rows have no target: every row must have one, or data.missing must be drop",
    ),
    "no target anywhere": (
        "a,label\n1,\n2,\n",
        {"missing": "drop"},
        "data: no rows with a target: must have at least one",
    ),
    "infinite": (
        "a,label\ninf,x\n2,y\n-inf,x\n4,y\n",
        {},
        "column a: 2 of 4 values are infinite: must be finite numbers",
    ),
    "too large": ("a,label\n1e38,x\n2,y\n3,x\n4,y\n", {}, "column a: 1e+38: must be at most 1e+37 in size"),
    "too many digits": (
        f"a,label\n{'1' * 400},x\n2,y\n3,x\n4,y\n",
        {},
        "column a: a number is too large: must be at most 1e+37",
    ),
    "constant target": (
        "a,label\n1,7\n2,7\n",
        {"task": "regression"},
        "column label: all values are 7: must have at least two different values",
    ),
    "infinite target": (
        "a,label\n1,7\n2,inf\n",
        {},
        "column label: 1 of 2 values are infinite: must be finite numbers",
    ),
    "infinite class": (
        "a,label\n1,7\n2,inf\n",
        {"task": "binary"},
        "column label: 1 of 2 values are infinite: must be finite numbers",
    ),
    "one class": ("a,label\n1,x\n2,x\n", {}, "column label: only one class, x: must have at least two"),
    "one row": ("a,label\n1,x\n", {}, "column label: only one class, x: must have at least two"),
    "rare class": (
        "a,label\n1,x\n2,x\n3,y\n",
        {},
        "column label: class y has one row: must have at least two, to train and to test",
    ),
    "text as a value": (
        PLAIN,
        {"task": "regression"},
        "column label: 'yes': the target of a regression must be numbers",
    ),
    "dates": (
        with_column(["2024-01-01", "2024-01-02", "2024-02-01"]),
        {},
        "column a: dates: must be numbers, such as days since some date, or left out by data.features",
    ),
    "many equal dates": (
        with_column(["2024-01-01"] * 60 + ["2024-01-02"] * 60 + ["2024-01-03"]),
        {},
        "column a: dates: must be numbers, such as days since some date, or left out by data.features",
    ),
    "target of dates": (
        "a,label\n1,1/2/2020\n2,1/3/2020\n3,1/4/2020\n",
        {},
        "column label: dates: must be numbers, such as days since some date, or left out by data.features",
    ),
    "free text": (
        with_column([f"word {number}" for number in range(12)]),
        {},
        "column a: free text (12 different values in 12 rows): must have at most 100 different values that "
        "repeat, or be left out by data.features",
    ),
    "text among numbers": (
        with_column([*range(20), "?"]),
        {},
        "column a: '?' among numbers: must be a number, or empty if the value is missing",
    ),
    "thousands": (
        with_column(['"1,234"', '"12,345.5"', "7"]),
        {},
        "column a: '1,234': must be numbers without commas, such as 1234.5",
    ),
    "lines in a category": (
        with_column(['"x\ny"', "z"]),
        {},
        r"column a: 'x\ny': must be text without line breaks and control characters",
    ),
    "lines in a class": (
        'a,label\n1,"x\ny"\n2,z\n',
        {},
        r"column label: 'x\ny': must be text without line breaks and control characters",
    ),
    "three classes": (
        "a,label\n1,x\n2,y\n3,z\n4,x\n5,y\n6,z\n",
        {"task": "binary"},
        "data.task: binary: label has 3 classes: must be multiclass, regression or auto",
    ),
}


@pytest.mark.parametrize("sign", [";", "\t", "|", ":", " "])
def test_columns_may_be_separated_by_another_character(sign: str) -> None:
    """params.yaml states the character, which may be a tab; the rows stay the same."""
    Path("params.yaml").write_text(f"delimiter: {json.dumps(sign)}\n")
    stated = load(Path("params.yaml"))
    raw, usual = csv(PLAIN.replace(",", sign), **stated), csv(PLAIN)
    assert isinstance(raw.features, pd.DataFrame)
    assert isinstance(usual.features, pd.DataFrame)
    assert raw.features.equals(usual.features)
    assert (raw.targets == usual.targets).all()


@pytest.mark.parametrize("sign", ["", ";;", "a", "1", '"', ".", "§"])
def test_an_invalid_delimiter_is_reported_in_one_line(sign: str) -> None:
    """A letter, a digit, or a character of numbers or quoted text cannot be a delimiter."""
    line = f'data.delimiter: {sign}: must be one character, such as ",", ";", "|" or "\\t"'
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        check({"source": "tables/t.csv", "delimiter": sign}, "data", DataParams)


@pytest.mark.parametrize("source", ["tables/t.parquet", "make_circles"])
def test_only_a_csv_may_have_a_delimiter(source: str) -> None:
    line = "data.delimiter: ';': must be ',' because the source is not a CSV file"
    expect_line(line, lambda: sources.load(DataParams(source=source, config={"random_state": 1}, delimiter=";")))


@pytest.mark.parametrize(
    ("classes", "positive"),
    [(("no", "yes"), "no"), ((0, 1), 0), ((0, 1), 0.0), ((1.0, 2.5), 1), ((False, True), False), (("a", "b"), "a")],
)
def test_the_positive_class_is_the_last(classes: tuple[Any, Any], positive: Any) -> None:
    """params.yaml names it as text, number or boolean; each row keeps its class."""
    content = "\n".join(["a,label", *(f"{row},{classes[row // 2 % 2]}" for row in range(6)), ""])
    usual, swapped = csv(content, task="binary"), csv(content, task="binary", positive_class=positive)
    assert swapped.task.names == usual.task.names[::-1]
    assert (swapped.targets == 1 - usual.targets).all()
    stated = csv(content, task="binary", positive_class=classes[1])
    assert (stated.task, stated.targets.tolist()) == (usual.task, usual.targets.tolist())
    expect_round_trip(swapped)


def test_stated_defaults_change_no_bytes() -> None:
    """Otherwise files of earlier versions without these keys would differ, and everything would train again."""
    params = SplitParams.model_validate({"train": 0.6, "scale": {"inputs": "minmax"}, "fit_scaler_on": "all"})
    written = []
    for stated in ({}, {"positive_class": None, "delimiter": ","}):
        data = check({"source": "tables/t.csv", **stated}, "data", DataParams)
        raw = csv(PLAIN, **stated)
        raw_files.save_raw(raw)
        files.save_split(*split(raw, data, params))
        written.append({path: path.read_bytes() for path in sorted(Path("data").rglob("*.*"))})
        assert {"positive_class", "delimiter"}.isdisjoint(data.model_dump())
    assert written[0] == written[1]
    other = check({"source": "tables/t.csv", "positive_class": "no", "delimiter": ";"}, "data", DataParams)
    assert DataParams.model_validate_json(other.model_dump_json()) == other
    assert other.model_dump() | {"positive_class": "no", "delimiter": ";"} == other.model_dump()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_csv_is_reported_in_one_line(fault: str) -> None:
    """The line names the file, column or parameter, the value, and what is allowed."""
    content, changes, line = FAULTS[fault]
    expect_line(line, lambda: csv(content, **changes))


def test_the_message_about_a_missing_file_names_a_similar_file() -> None:
    """`expect_source` reports it before anything runs, and opens no file."""
    Path("tables/mine.csv").write_text(PLAIN)
    with pytest.raises(
        UserError, match=r"^data.source: tables/mien.csv: not found: .* mine.csv: did you mean mine.csv"
    ):
        sources.expect_source(DataParams(source="tables/mien.csv"))


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_a_damaged_file_is_reported_in_one_line(suffix: str) -> None:
    """This holds for any error of the library that reads it."""
    Path(f"tables/t{suffix}").write_bytes(b"nothing of the kind")
    expect_line(f"tables/t{suffix}: ...: must be ...", lambda: sources.load(DataParams(source=f"tables/t{suffix}")))


def test_a_byte_order_mark_does_not_belong_to_a_name() -> None:
    """Excel writes such a mark."""
    assert list(csv("\ufeff" + PLAIN).kinds) == ["a", "b"]


def test_rows_with_missing_targets_are_dropped_like_rows_with_missing_values() -> None:
    """`data.missing: drop` drops every row with a missing feature or target."""
    raw = csv("a,label\n1,x\n2,\n,y\n4,y\n5,y\n6,x\n", missing="drop")
    assert isinstance(raw.features, pd.DataFrame)
    assert (raw.features["a"].tolist(), raw.targets.tolist()) == ([1, 4, 5, 6], [0, 1, 1, 0])


@pytest.mark.parametrize("how", ["mean", "median", "most_frequent"])
def test_missing_values_are_filled_as_by_scikit_learn(how: Any) -> None:
    """A missing text becomes the most frequent one; of equally frequent texts, the first."""
    raw = csv("a,t,f,label\n1,r,True,x\n,g,,y\n2,,True,x\n7,r,False,y\n1,g,True,y\n", missing=how)
    assert isinstance(raw.features, pd.DataFrame)
    column = np.array([[1, np.nan, 2, 7, 1]]).T
    assert raw.features["a"].tolist() == SimpleImputer(strategy=how).fit_transform(column)[:, 0].tolist()
    assert raw.features["t"].tolist() == ["r", "g", "g", "r", "g"]
    assert raw.features["f"].tolist() == [1, 1, 1, 0, 1]
    assert raw.fills["t"] == "g"
    assert raw.filled == {"a": 1, "t": 1, "f": 1}


def test_yes_and_no_are_categories_and_true_and_false_are_not() -> None:
    """A text never becomes a boolean."""
    assert csv(with_column(["yes", "no"])).kinds["a"] == "category"
    assert csv(with_column(["True", "False"])).kinds["a"] == "boolean"


LABELS = ["x", "y", "x", "y"]
KINDS: dict[str, tuple[Any, str, list[Any]]] = {
    "Int64": (pd.array([1, 2, 3, 4], "Int64"), "number", [1, 2, 3, 4]),
    "Float32": (pd.array([1, 2.5, 3, 4], "Float32"), "number", [1, 2.5, 3, 4]),
    "boolean": (pd.array([True, False, True, True], "boolean"), "boolean", [1, 0, 1, 1]),
    "string[pyarrow]": (pd.array(["r", "g", "g", "r"], "string[pyarrow]"), "category", ["r", "g", "g", "r"]),
    "categories": (pd.Categorical(["r", "g", "g", "r"]), "category", ["r", "g", "g", "r"]),
    "integers as text": (["1", "2", "2", "1"], "category", ["1", "2", "2", "1"]),
    "decimals": ([Decimal("1.5"), Decimal(2), Decimal(3), Decimal(4)], "number", [1.5, 2, 3, 4]),
    "float32": (np.array([0.1, 2, 3, 4], np.float32), "number", np.array([0.1, 2, 3, 4], np.float32).tolist()),
    "one category": (pd.Categorical(["r"] * 4), "category", ["r"] * 4),
    "whole categories": (pd.Categorical([1, 2, 1, 2]), "number", [1, 2, 1, 2]),
    "uint8": (np.array([1, 2, 3, 255], np.uint8), "number", [1, 2, 3, 255]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_parquet_is_a_number_a_boolean_or_a_category(kind: str) -> None:
    """This includes nullable types."""
    values, expected, plain = KINDS[kind]
    raw = parquet({"a": values, "label": LABELS})
    assert isinstance(raw.features, pd.DataFrame)
    assert (raw.kinds["a"], raw.features["a"].tolist()) == (expected, plain)


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string[pyarrow]", "categories"])
def test_missing_values_of_every_type_are_filled(kind: str) -> None:
    """The mean of a column of whole numbers need not be whole."""
    values, _, plain = KINDS[kind]
    known = pd.Series(values)
    known[1] = None
    raw = parquet({"a": known, "label": LABELS}, missing="mean")
    assert isinstance(raw.features, pd.DataFrame)
    filled = (1 + 3 + 4) / 3 if kind == "Int64" else 1 if kind == "boolean" else plain[0]
    assert raw.features["a"].tolist() == [plain[0], filled, *plain[2:]]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (pd.date_range("2024-01-01", periods=4), "column a: dates: must be numbers, ..."),
        (pd.date_range("2024-01-01", periods=4).date, "column a: dates: must be numbers, ..."),
        (pd.to_timedelta([1, 2, 3, 4], "h"), "column a: dates: must be numbers, ..."),
        (
            [b"x", b"y", b"x", b"y"],
            "column a: b'x' beside values of another type: must be all numbers, all text, or ...",
        ),
        (
            [[1], [2], [3], [4]],
            "column a: array([1]) beside values of another type: must be all numbers, all text, or ...",
        ),
        ([str(number) for number in range(20)], "column a: numbers as text, such as '0': must be stored as numbers"),
    ],
)
def test_other_types_of_parquet_are_rejected(values: Any, line: str) -> None:
    """The message names the column."""
    labels = [LABELS[row % 2] for row in range(len(values))]
    expect_line(line, lambda: parquet({"a": values, "label": labels}))


def test_only_the_named_columns_are_read() -> None:
    """Other columns may hold anything; a name may contain a dot; pandas's index is not a column."""
    table = pd.DataFrame({"a": [1, 2, 3, 4], "a.b": [5, 6, 7, 8], "d": pd.date_range("2024", periods=4)}, list("pqrs"))
    table["label"] = LABELS
    table.to_parquet("tables/t.parquet")
    raw = sources.load(DataParams(source="tables/t.parquet", features=("a",)))
    assert isinstance(raw.features, pd.DataFrame)
    assert raw.features.to_dict("list") == {"a": [1, 2, 3, 4]}
    expect_line(
        "data.features.0: c: must be one of the columns of tables/t.parquet: a, a.b, d, label",
        lambda: sources.load(DataParams(source="tables/t.parquet", features=("c",))),
    )


def dictionary(values: list[Any], codes: list[int | None], ordered: bool = False) -> pa.Array:
    """Return a dictionary-encoded column, which pandas reads as categories."""
    indices = pa.array(np.resize(np.array(codes, object), 12).tolist(), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(values), ordered=ordered)


def every(*values: Any, type_: pa.DataType | None = None) -> pa.Array:
    """Return twelve rows that repeat these values."""
    return pa.array([values[row % len(values)] for row in range(12)], type_)


DAY = datetime(2024, 1, 1)
WORKS, FAILS = "works", "fails"
# Types of Arrow: whether a column of the type can be an input, and whether it can be a target with `data.task: auto`.
TYPES: dict[str, tuple[pa.Array, str, str]] = {
    "two categories": (dictionary(["x", "y"], [0, 1]), WORKS, WORKS),
    "one category": (dictionary(["x"], [0]), WORKS, FAILS),
    "a category that no row has": (dictionary(["x", "y", "z"], [0, 2]), WORKS, WORKS),
    "ordered categories": (dictionary(["low", "high"], [0, 1], ordered=True), WORKS, WORKS),
    "missing categories": (dictionary(["x", "y"], [None, 0, 1]), FAILS, FAILS),
    "no categories": (dictionary(["x"], [None]), FAILS, FAILS),
    "categories of numbers": (dictionary([3, 4], [0, 1]), WORKS, WORKS),
    "categories of truth values": (dictionary([True, False], [0, 1]), WORKS, WORKS),
    "categories of dates": (dictionary([DAY, DAY + timedelta(1)], [0, 1]), FAILS, FAILS),
    "lists": (every([1, 2]), FAILS, FAILS),
    "lists of text": (every(["a"], ["b"]), FAILS, FAILS),
    "lists of other lengths": (every([1], []), FAILS, FAILS),
    "lists of one length": (every([1.0, 2.0], type_=pa.list_(pa.float64(), 2)), FAILS, FAILS),
    "structs": (every({"a": 1, "b": "x"}), FAILS, FAILS),
    "maps": (every([("a", 1)], type_=pa.map_(pa.string(), pa.int64())), FAILS, FAILS),
    "decimals": (every(Decimal("1.5"), Decimal(2)), WORKS, WORKS),
    "long decimals": (every(Decimal("1.5"), Decimal(2), type_=pa.decimal256(50, 3)), WORKS, WORKS),
    "dates": (every(date(2024, 1, 1), date(2024, 1, 2)), FAILS, FAILS),
    "times of a day": (every(time(1), time(2)), FAILS, FAILS),
    "timestamps": (every(DAY, DAY + timedelta(1)), FAILS, FAILS),
    "timestamps beyond nanoseconds": (every(datetime(9999, 1, 1), DAY, type_=pa.timestamp("s")), FAILS, FAILS),
    "timestamps with a zone": (every(DAY, type_=pa.timestamp("us", "Europe/Zurich")), FAILS, FAILS),
    "durations": (every(timedelta(1), timedelta(2)), FAILS, FAILS),
    "whole numbers": (every(1, 2), WORKS, WORKS),
    "missing whole numbers": (every(1, 2, None), FAILS, FAILS),
    "the greatest whole numbers": (every(2**64 - 1, 2**63, type_=pa.uint64()), WORKS, WORKS),
    "missing truth values": (every(True, False, None), FAILS, FAILS),
    "half precision": (every(1.5, 2.5, type_=pa.float16()), WORKS, WORKS),
    "bytes": (every(b"x", b"y"), FAILS, FAILS),
    "bytes of one length": (every(b"x", b"y", type_=pa.binary(1)), FAILS, FAILS),
    "long text": (every("x", "y", type_=pa.large_string()), WORKS, WORKS),
    "views of text": (every("x", "y", type_=pa.string_view()), WORKS, WORKS),
    "nothing": (pa.nulls(12), FAILS, FAILS),
    "no whole numbers": (pa.nulls(12, pa.int64()), FAILS, FAILS),
    "UUIDs": (every(UUID(int=1).bytes, UUID(int=2).bytes, type_=pa.uuid()), FAILS, FAILS),
}


@pytest.mark.parametrize("role", ["input", "target"])
@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_arrow_works_or_is_one_line(name: str, role: str) -> None:
    """Each type is tried as an input and as a target of each task, with each way to treat missing values."""
    values, *expected = TYPES[name]
    others = every("u", "v") if role == "input" else pa.array(np.sqrt(np.arange(12)))
    both = {"a": values, "label": others} if role == "input" else {"a": others, "label": values}
    pa.parquet.write_table(pa.table(both), "tables/t.parquet")
    column = "a" if role == "input" else "label"
    tried = [("error", "auto"), ("drop", "auto"), ("most_frequent", "auto")]
    tried += [("error", task) for task in ("binary", "multiclass", "regression") if role == "target"]
    for missing, task in tried:
        line = ""
        try:
            section = DataParams.model_validate({"source": "tables/t.parquet", "missing": missing, "task": task})
            raw = sources.load(section)
            if missing == "error":
                expect_round_trip(raw)
        except UserError as error:
            line = str(error)
        assert "\n" not in line
        assert re.search(rf"^$|column {column}: |data\.missing: |data: no rows|data\.task: {task}: label", line)
        if (missing, task) == ("error", "auto"):
            assert bool(line) == (expected[role == "target"] == FAILS), line


def test_ordered_categories_determine_the_order_of_the_classes() -> None:
    """Classes without an order are ascending, whatever their order in the file."""
    classes, codes = ["low", "mid", "high"], [0, 1, 2, 1]
    for ordered, names in ((True, ("low", "mid", "high")), (False, ("high", "low", "mid"))):
        table = pa.table({"a": pa.array(np.sqrt(np.arange(12))), "label": dictionary(classes, codes, ordered)})
        pa.parquet.write_table(table, "tables/t.parquet")
        raw = sources.load(DataParams(source="tables/t.parquet"))
        assert raw.task.names == names
        assert [names[label] for label in raw.targets[:4]] == [classes[code] for code in codes]


def test_a_named_index_is_not_a_column() -> None:
    """pandas stores such an index, which names the rows."""
    table = pd.DataFrame({"id": ["p", "q", "r", "s"], "a": [1, 2, 3, 4], "label": LABELS})
    table.set_index("id").to_parquet("tables/t.parquet")
    assert list(sources.load(DataParams(source="tables/t.parquet")).kinds) == ["a"]


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("x", "y", "kind"),
    [
        (X, Y, "binary"),
        (X, Y == 1, "binary"),
        (X, np.array(["u", "v", "u", "v"]), "binary"),
        (X, Y + 0.5, "regression"),
        (X, X, "regression"),
        (X.astype(np.uint8).reshape(4, 2, 1), Y, "binary"),
        (np.zeros((4, 5, 5, 3), np.float16), np.array(["u", "v", "u", "v"]), "binary"),
        (np.zeros((4, 5, 3)), Y + 0.5, "regression"),
    ],
)
def test_arrays_are_read_and_come_back(x: np.ndarray, y: np.ndarray, kind: str) -> None:
    """Arrays have two, three or four dimensions, `y` decides the task, and `train` reads what `generate` wrote."""
    raw = npz({"x": x, "y": y})
    assert (raw.task.kind, np.asarray(raw.features).shape) == (kind, x.shape)
    expect_round_trip(raw)


@pytest.mark.parametrize(
    ("arrays", "changes", "line"),
    [
        ({"x": X}, {}, "tables/t.npz: no array y: must hold x and y; found x"),
        ({"y": Y}, {}, "tables/t.npz: no array x: must hold x and y; found y"),
        ({}, {}, "tables/t.npz: no array x: must hold x and y; found none"),
        (
            {"x": X.astype(object), "y": Y},
            {},
            "tables/t.npz: Object arrays cannot be loaded when allow_pickle=False: must be arrays of numbers as "
            "numpy.savez writes them",
        ),
        ({"x": X[0], "y": Y}, {}, "tables/t.npz: x is float64 of shape (2,): must be numbers [sample, feature], ..."),
        ({"x": X.astype(str), "y": Y}, {}, "tables/t.npz: x is <U32 of shape (4, 2): must be numbers ..."),
        ({"x": X * 1j, "y": Y}, {}, "tables/t.npz: x is complex128 of shape (4, 2): must be numbers ..."),
        (
            {"x": X, "y": Y[:3]},
            {},
            "tables/t.npz: y is of shape (3,): must be [sample] or [sample, target], with 4 samples like x",
        ),
        ({"x": X, "y": Y * 1j}, {}, "tables/t.npz: y is complex128: must be numbers, true or false, or text"),
        ({"x": X, "y": Y.astype("M8[D]")}, {}, "tables/t.npz: y is datetime64[D]: must be numbers, true or false, ..."),
        (
            {"x": X[:0], "y": Y[:0]},
            {},
            "tables/t.npz: x is of shape (0, 2), y of (0,): must have at least one sample...",
        ),
        (
            {"x": X, "y": Y},
            {"target": "x2"},
            "data.target: x2: must be another name, because tables/t.npz has an input x2",
        ),
        (
            {"x": X, "y": Y},
            {"features": ["x1"]},
            "data.features: ['x1']: must be all, because tables/t.npz names no columns",
        ),
        (
            {"x": np.full((4, 2, 2), np.nan), "y": Y},
            {},
            "column x: 16 of 16 values are NaN: must be finite numbers",
        ),
        ({"x": X, "y": X}, {"task": "binary"}, "data.task: binary: 2 targets (label1, label2): must be regression"),
    ],
)
def test_a_fault_of_arrays_is_reported_in_one_line(arrays: dict[str, Any], changes: dict[str, Any], line: str) -> None:
    """The line names the array, its shape, and what is allowed."""
    expect_line(line, lambda: npz(arrays, **changes))


def expect_round_trip(raw: RawData) -> None:
    """Check that `split` reads what `generate` wrote, and `train` reads what `split` wrote, to the bit."""
    raw_files.save_raw(raw)
    actual = raw_files.load_raw()
    expect_equal(Samples(np.asarray(raw.features), raw.targets), Samples(np.asarray(actual.features), actual.targets))
    assert (actual.task, actual.kinds, actual.fills, actual.target_names, actual.filled) == (
        *(raw.task, raw.kinds, raw.fills),
        *(raw.target_names, raw.filled),
    )
    if isinstance(raw.features, pd.DataFrame):
        assert isinstance(actual.features, pd.DataFrame)
        assert list(raw.features) == list(actual.features)
    params = SplitParams.model_validate({"train": 0.6, "scale": {"inputs": "standard"}, "fit_scaler_on": "train"})
    parts, origin = split(actual, DataParams(source="tables/t.csv"), params)
    files.save_split(parts, origin)
    again = files.load_split()
    assert (again.task, list(again.parts)) == (parts.task, list(parts.parts))
    assert files.load_origin() == origin
    for name, part in parts.parts.items():
        expect_equal(part, again.parts[name])


def expect_equal(one: Samples, other: Samples) -> None:
    """Check that values and types are equal."""
    for mine, its in ((one.inputs, other.inputs), (one.targets, other.targets)):
        assert (mine.shape, mine.dtype) == (its.shape, its.dtype)
        assert (mine == its).all()


NAMES = st.sampled_from(['naïve "col"', "a,b", "label", "a.b", "a=b", "x", "a/b", "'", "#", "NA", "1", "None", " a "])
TEXTS = st.sampled_from(["red", "NA", "nan", " ", 'q"', "a,b", "é", "1", "1.0", "None", "True", "-"])
TAME = {
    "float": st.floats(-1e6, 1e6) | st.floats(-1e37, 1e37) | st.just(0.1),
    "int": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "text": TEXTS,
    "equal": st.just(3.25),
}
WILD = {
    "any float": st.floats(),
    "any text": st.text(max_size=3),
    "lines": st.sampled_from(["x\ry", "l\nm", ""]),
    "digits": st.sampled_from(["1,234", "2024-01-01", "2024-01-02", "2024-01-03", "inf"]),
}
LABELLED = {"classes": st.sampled_from(["NA", 'q"', "a,b"]), "whole": st.integers(0, 1), "value": st.floats(-1e6, 1e6)}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a table of columns of one type each, some with missing values; every fourth also has mixed columns."""
    kinds = {**TAME, **WILD} if draw(st.integers(0, 3)) == 3 else TAME
    is_wild = kinds is not TAME
    rows = draw(st.sampled_from([1, 2, 5, 21] if is_wild else [9, 21]))
    names = draw(
        st.lists(NAMES | st.sampled_from([" ", "a\nb"]) if is_wild else NAMES, unique=True, min_size=1, max_size=4)
    )
    columns = {}
    for name in [*[name for name in names if name != "label"], *([] if is_wild and draw(st.booleans()) else ["label"])]:
        possible = LABELLED if name == "label" and not is_wild else kinds
        values = draw(st.lists(possible[draw(st.sampled_from([*possible]))], min_size=rows, max_size=rows))
        if name != "label" and draw(st.booleans()):
            values[draw(st.integers(0, rows - 1))] = None
        columns[name] = pd.Series(values)
    return pd.DataFrame(columns or {"label": [1, 2]})


QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("cells", [formats.MOST_CELLS, 5])
@QUICK
@given(table=tables(), missing=st.sampled_from(["error", "drop", "mean", "median", "most_frequent"]))
def test_any_table_is_rejected_in_one_line_or_read_back_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, suffix: str, cells: int, table: pd.DataFrame, missing: Any
) -> None:
    """Names and values are arbitrary; the table is stored as CSV, or as if it were large."""
    monkeypatch.setattr(formats, "MOST_CELLS", cells)
    source = f"tables/t{suffix}"
    if suffix == ".csv":
        table.to_csv(source, index=False)
    else:
        table.to_parquet(source)
    line = ""
    try:
        expect_round_trip(sources.load(DataParams(source=source, missing=missing)))
    except UserError as error:
        line = str(error)
    assert "\n" not in line
    assert not line or "must" in line


# A small table and possible changes of it. Each changed table must be read, or be rejected in one line.
BASE = pd.DataFrame(
    {
        "n": np.sqrt(np.arange(24)),
        "whole": np.arange(24) % 7,
        "text": [("red", "green", "blue")[row % 3] for row in range(24)],
        "flag": [row % 5 < 2 for row in range(24)],
        "label": [("yes", "no")[row % 2] for row in range(24)],
    }
)
ODD: tuple[Any, ...] = (None, "", " ", "NA", "x", "1,5", "1e400", -1, 0, 2**70, 0.1, 1e38, float("inf"), float("nan"))
ODD += (True, "2024-01-01", "a\nb", "é", '"', ";", b"x", [1], {"a": 1}, date(2024, 1, 1), Decimal("0.1"), 1j, ())


def mutant(luck: random.Random) -> pd.DataFrame:
    """Return the table after one to three changes of a value, a column, a name, a type, or the rows."""
    table = BASE.astype(object)
    for _ in range(luck.choice((1, 1, 2, 3))):
        name = luck.choice(list(table))
        rows = luck.sample(range(len(table)), min(len(table), luck.choice((1, 2, 24))))
        match luck.choice(("value", "value", "column", "name", "type", "rows", "drop", "twice")):
            case "value":
                odd = luck.choice(ODD)
                table[name] = [odd if row in rows else each for row, each in enumerate(table[name])]
            case "column":
                table[name] = [luck.choice(ODD) for _ in range(len(table))]
            case "name":
                table = table.rename(
                    columns={name: luck.choice(["", "Unnamed: 0", "label", "a\nb", " ", "=x", "n", "NA"])}
                )
            case "type":
                with suppress(Exception):  # a type to which the column cannot be converted
                    table[name] = table[name].astype(
                        luck.choice(["category", "string", "Int64", "float32", "bool", "str"])
                    )
            case "rows":
                table = table.iloc[: luck.choice((0, 1, 2, 5))]
            case "drop" if table.shape[1] > 1:
                table = table.drop(columns=name)
            case _:
                table = pd.concat([table, table[[name]]], axis=1)
        table = table.loc[:, ~table.columns.duplicated()] if luck.random() < 0.8 else table
        if table.columns.has_duplicates:
            return table
    return table


def write(table: pd.DataFrame, path: Path, luck: random.Random) -> dict[str, str]:
    """Write the table in the format of its suffix, sometimes with an index, in another encoding, or cut off.

    Returns:
        The section `data` for this file.
    """
    stated = {}
    if path.suffix == ".csv":
        sign, encoding = luck.choice(",,,;\t|"), luck.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16"))
        table.to_csv(path, index=luck.random() < 0.1, sep=sign, encoding=encoding)
        stated = {"delimiter": sign if luck.random() < 0.8 else ","}
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        x, y = table.drop(columns=["label", "text"]).to_numpy(), table["label"].to_numpy()
        inputs = x.astype(luck.choice((*[np.float64] * 6, np.float16, np.int64, str, object, complex)))
        targets = y.astype(luck.choice((*[str] * 6, object, "M8[D]")))
        named = luck.choice([("x", "y")] * 8 + [("x", "z"), ("z", "y")])
        np.savez(path, **dict(zip(named, (inputs, targets), strict=True)))
    if luck.random() < 0.1:
        content = path.read_bytes()
        path.write_bytes(content[: luck.randrange(len(content) + 1)])
    return stated


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_a_damaged_table_is_read_and_split_or_rejected_in_one_line(suffix: str) -> None:
    """There are a hundred tables, each from a seed; a table that cannot be written is left out."""
    path, lines, successes = Path(f"tables/t{suffix}"), [], 0
    for seed in range(100):
        luck = random.Random(f"{suffix} {seed}")
        try:
            stated = write(mutant(luck), path, luck)
        except Exception:
            continue
        data = {"source": str(path), **stated, "missing": luck.choice(("error", "drop", "mean", "most_frequent"))}
        data |= luck.choice(({}, {}, {"positive_class": "no"}, {"task": "regression"}, {"task": "multiclass"}))
        params = SplitParams.model_validate({"train": 0.6, "scale": {"inputs": "standard"}, "fit_scaler_on": "train"})
        try:
            section = check(data, "data", DataParams)
            raw = sources.load(section)
            profile(raw, *split(raw, section, params))
            successes += 1
        except UserError as error:
            lines.append(str(error))
        except Exception as error:
            pytest.fail(f"{suffix} {seed}: {error!r}")
    assert all("\n" not in line and len(line) < 500 for line in lines)
    assert successes > 10
    assert len(lines) > 10
