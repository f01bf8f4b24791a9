"""Mutants of a user's own table or arrays: CSV, Parquet and npz, with rows or sequences."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from campaigns import payloads
from campaigns.file_mutants import Luck, change_arrays, change_rows, damage
from campaigns.params_mutants import tiny, written

Command = tuple[str, ...]
ROWS = 40
TO_SPLIT: list[Command] = [("generate",), ("split",), ("reference",)]
# To the report, in which names and classes of the data stand.
TO_REPORT: list[Command] = [*TO_SPLIT, ("train", "tanh_1"), ("evaluate", "tanh_1"), ("compare",)]
PLACES = ("tables/t.", "column ", "data.", "data:", "split.", "params.yaml")  # in a rejection


def table() -> pd.DataFrame:
    """Return numbers, text, booleans and a target of two classes."""
    random = np.random.default_rng(0)
    number = np.arange(ROWS)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, ROWS).round(3),
            "visits": random.integers(0, 9, ROWS),
            "colour": np.array(["red", "blue", "green"])[number % 3],
            "member": number % 4 == 0,
            "label": np.array(["no", "yes"])[random.integers(0, 2, ROWS)],
        }
    )


def own_data(folder: Path, source: str, luck: Luck, **data: Any) -> None:
    """Let params.yaml name the file, with one small variant and odd but valid ways to treat the rows."""
    document = tiny()
    document["data"] = {"source": source, "target": "label", **data}
    if luck.random() < 0.3:
        document["data"]["missing"] = luck.choice(("drop", "mean", "median", "most_frequent"))
    if luck.random() < 0.3:
        document["data"]["task"] = luck.choice(("regression", "binary", "multiclass"))
    document["split"] |= {"train": luck.choice((24, 0.6, 0.6, 0.6)), "validation": luck.choice((0, 0, 4))}
    document["split"]["scale"]["inputs"] = luck.choice(("minmax", "standard", "none"))
    document |= {"variants": {"tanh_1": document["variants"]["tanh_1"]}, "comparison": {}, "studies": {}}
    (folder / "params.yaml").write_text(written(document), encoding="utf-8")


def csv(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change a CSV file; one in ten keeps its form and has names and classes that pages or shells might execute."""
    path = folder / "tables" / "t.csv"
    rows = table()
    if luck.random() < 0.1:
        names = luck.sample(payloads.TEXTS, 3)
        rows["colour"] = np.array(names)[np.arange(ROWS) % 3]
        rows["label"] = np.where(rows.label == "no", luck.choice(payloads.TEXTS), "z")
        rows = rows.rename(columns={"age": luck.choice(payloads.TEXTS), "visits": "<b>visits</b>"})
        rows.to_csv(path, index=False)
        own_data(folder, "tables/t.csv", luck)
        return f"names {names}", TO_REPORT
    rows.to_csv(path, index=False)
    own_data(folder, "tables/t.csv", luck)
    return change_rows(luck, path, canaries), TO_SPLIT


def _columns(texts: "pd.Series[str]", luck: Luck, canaries: Path) -> dict[str, Callable[[], Any]]:
    """Return what can make another column, by the type of its values."""
    moments = [datetime(2024, 1, 1) + timedelta(hours=number) for number in range(ROWS)]
    return {
        "bytes": lambda: pa.array([text.encode() for text in texts], pa.binary()),
        "lists": lambda: pa.array([[number] for number in range(ROWS)]),
        "maps": lambda: pa.array([{"a": number} for number in range(ROWS)]),
        "arrow maps": lambda: pa.array([[("a", number)] for number in range(ROWS)], pa.map_(pa.string(), pa.int64())),
        "decimals": lambda: pa.array([Decimal(number) / 8 for number in range(ROWS)], pa.decimal128(38, 10)),
        "dates": lambda: pa.array([date(2024, 1, 1 + number % 28) for number in range(ROWS)]),
        "moments": lambda: pa.array(moments, pa.timestamp("ns", tz="Europe/Berlin")),
        "times": lambda: pa.array([time(number % 24) for number in range(ROWS)]),
        "durations": lambda: pa.array([timedelta(number) for number in range(ROWS)]),
        "nulls": lambda: pa.nulls(ROWS),
        "some nulls": lambda: pa.array([None if number % 5 == 0 else number for number in range(ROWS)]),
        "half floats": lambda: pa.array(np.arange(ROWS, dtype=np.float16)),
        "huge": lambda: pa.array(np.full(ROWS, 1e300)),
        "NaN": lambda: pa.array(np.where(np.arange(ROWS) % 7, 1.0, np.nan)),
        "infinite": lambda: pa.array(np.where(np.arange(ROWS) % 7, 1.0, np.inf)),
        "large integers": lambda: pa.array(np.arange(ROWS, dtype=np.uint64) + np.uint64(2**63)),
        "a dictionary": lambda: pa.array(texts).dictionary_encode(),
        "payloads": lambda: pa.array([luck.choice(payloads.TEXTS) for _ in range(ROWS)]),
        "pickles": lambda: pa.array([payloads.pickled(canaries)] * ROWS, pa.binary()),
        "large text": lambda: pa.array(["x" * 10_000] * ROWS, pa.large_string()),
        "one value": lambda: pa.array([1] * ROWS),
        "UUIDs": lambda: pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * ROWS, pa.binary(16))),
        "text numbers": lambda: pa.array([str(number) for number in range(ROWS)]),
        "booleans with nulls": lambda: pa.array(
            [None if number % 5 == 0 else number % 2 == 0 for number in range(ROWS)]
        ),
    }


def parquet(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change types of columns, the schema or the bytes of a Parquet file."""
    path = folder / "tables" / "t.parquet"
    rows = table()
    own_data(folder, "tables/t.parquet", luck)
    if luck.random() < 0.3:
        rows.to_parquet(path)
        return damage(luck, path, canaries), TO_SPLIT
    name = luck.choice(list(rows))
    ways = _columns(rows[name].astype(str), luck, canaries)
    how = luck.choice((*ways, "name", "same name", "metadata", "extension", "no rows", "no columns", "no row groups"))
    made = pa.Table.from_pandas(rows)
    place = made.schema.names.index(name)
    if how in ways:
        made = made.set_column(place, name, ways[how]())
    elif how == "name":
        new = luck.choice((*payloads.TEXTS, "", "a\nb", "\0", "__index_level_0__", "a.b"))
        made = made.rename_columns([new if each == name else each for each in made.schema.names])
        name = f"{name} named {new!r}"
    elif how == "same name":
        made = made.rename_columns([*made.schema.names[:-2], made.schema.names[0], made.schema.names[-1]])
    elif how == "metadata":
        text = luck.choice(("{", "[]", '{"index_columns": [1, {}]}', '{"index_columns": "age"}', "null", '"x"', "{}"))
        made = made.replace_schema_metadata({"pandas": text})
        name = text
    elif how == "extension":  # Arrow once unpickled this by itself
        field = made.schema.field(name).with_metadata(
            {
                "ARROW:extension:name": luck.choice(("arrow.py_extension_type", "x", "arrow.opaque", "arrow.json")),
                "ARROW:extension:metadata": payloads.pickled(canaries),
            }
        )
        made = made.cast(made.schema.set(place, field))
    elif how == "no rows":
        made = made.slice(0, 0)
    elif how == "no columns":
        made = made.select([])
    if how == "no row groups":
        pa.parquet.ParquetWriter(path, made.schema).close()
    else:
        kind = luck.choice(("snappy", "gzip", "zstd", "none"))
        try:
            pa.parquet.write_table(made, path, compression=kind, row_group_size=luck.choice((7, 1000)))
        except (pa.ArrowException, ValueError) as error:
            rows.to_parquet(path)
            return f"cannot be written ({type(error).__name__}); {damage(luck, path, canaries)}", TO_SPLIT
    return f"{name}: {how}", TO_SPLIT


def npz(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change arrays with rows of numbers."""
    return _arrays(luck, folder, canaries, (ROWS, 3), {})


def sequences(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change arrays with sequences."""
    config = luck.choice(({}, {}, {"steps": 3, "crop": "end"}, {"steps": 5, "crop": "start"}))
    return _arrays(luck, folder, canaries, (ROWS, 5, 2), config)


def _arrays(
    luck: Luck, folder: Path, canaries: Path, shape: tuple[int, ...], config: dict[str, Any]
) -> tuple[str, list[Command]]:
    random, path = np.random.default_rng(0), folder / "tables" / "t.npz"
    np.savez(path, x=random.normal(size=shape), y=random.integers(0, 2, len(np.zeros(shape))))
    own_data(folder, "tables/t.npz", luck, config=config)
    how = change_arrays(luck, path, canaries)
    return f"{how} {json.dumps(config) if config else ''}", TO_SPLIT
