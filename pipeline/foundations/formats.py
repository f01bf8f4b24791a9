"""Files of numbers, the same bytes for the same content: labelled arrays as NetCDF 3, plain ones as npz, tables as CSV;
and rows of samples, in whichever suits them.
"""

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import ScipyDataStore

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, replacing

MOST_CELLS = 1_000_000  # of rows in a CSV, which a person may want to read; more are kept as Parquet, in float32
ROWS_SUFFIXES = (".csv", ".parquet", ".npz")


def packed(dataset: xr.Dataset) -> bytes:
    """The bytes of its file; not by `to_netcdf`, which imports Dask's client and takes longer for that than for the
    bytes."""
    buffer = BytesIO()
    store = ScipyDataStore(buffer, mode="w", format="NETCDF3_64BIT")
    dataset.dump_to_store(store)
    store.close()  # writes
    return buffer.getvalue()


def save_arrays(dataset: xr.Dataset, path: Path) -> None:
    """Write its file."""
    with replacing(path) as temporary:
        temporary.write_bytes(packed(dataset))


def load_arrays(
    path: Path, variables: Mapping[str, tuple[str, ...]], optional: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> xr.Dataset:
    """Read a file that must have `variables` over the given dimensions, and may have `optional` ones over theirs.

    Raises:
        UserError: missing, damaged, or of another shape.
    """
    with reading(path, "a NetCDF file"):  # from memory: a damaged file that is mapped cannot be closed again
        dataset = xr.load_dataset(BytesIO(path.read_bytes()), engine="scipy")
    for name in variables:
        if name not in dataset:
            raise UserError(f"{path}: no variable {name}: must have it; `dvc repro` makes it anew")
    for name, dims in {**variables, **optional}.items():
        if name in dataset and dataset[name].dims != dims:
            raise UserError(f"{path}: {name} is over {dataset[name].dims}: must be over {dims}")
    return dataset


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Without the index; a missing value is an empty field."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path, columns: list[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table that must have `columns`; those of `texts` hold text, whatever it looks like.

    Raises:
        UserError: missing, damaged, or without one of `columns`.
    """
    with reading(path, f"a table with the columns {', '.join(columns)}"):
        kept = dict.fromkeys(texts, str)
        table = pd.read_csv(path, dtype=kept, keep_default_na=not texts, na_values=[""] if texts else None)
        if texts:
            table = table.fillna(dict.fromkeys(texts, ""))
        missing = [column for column in columns if column not in table]
        if missing:
            raise UserError(f"{path}: no column {missing[0]}: must have {', '.join(columns)}")
        return table


def packed_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As `np.savez` does, whose bytes depend on the clock."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def save_npz(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write its file."""
    with replacing(path) as temporary:
        temporary.write_bytes(packed_npz(arrays))


def load_npz(path: Path, what: str) -> dict[str, np.ndarray]:
    """Raises: UserError: missing or damaged; `what` it must be, for the message."""
    with reading(path, what):
        return dict(np.load(BytesIO(path.read_bytes()), allow_pickle=False))


def precision(rows: int, columns: int) -> type:
    """In which a table of so many numbers is kept: networks compute in float32, a person may want to read float64."""
    return np.float32 if rows * columns > MOST_CELLS else np.float64


def read_parquet(path: Path, columns: Sequence[str] | None = None, singles: Sequence[str] = ()) -> pd.DataFrame:
    """The columns, all by default; those of `singles` as float32 where they are float64.

    One column after the other, so that memory never holds the table twice.
    """
    import pyarrow.parquet as parquet  # here, for it takes long to import

    with parquet.ParquetFile(path, pre_buffer=False) as file:
        names = list(columns if columns is not None else file.schema_arrow.names)
        found = []
        for name in names:
            # `select`, for a column `a` comes with one that is named `a.b`.
            column = file.read([name]).select([name]).to_pandas(split_blocks=True, self_destruct=True)
            if column[name].dtype == np.float64 and name in singles:
                with np.errstate(over="ignore"):  # what is too large becomes infinite
                    column = column.astype(np.float32)
            found.append(column.reset_index(drop=True))
    return pd.concat(found, axis=1)


def save_rows(features: pd.DataFrame | np.ndarray, targets: pd.DataFrame, stem: Path) -> Path:
    """One row per sample: its features, then its targets; in place of what was there under the stem."""
    if isinstance(features, np.ndarray):
        path = stem.with_suffix(".npz")
        values = targets.to_numpy()
        save_npz({"features": features, "targets": values.astype(str) if values.dtype == object else values}, path)
    else:
        table = pd.concat([features, targets], axis=1)
        path = stem.with_suffix(".csv" if table.size <= MOST_CELLS else ".parquet")
        if path.suffix == ".csv":
            singles = [name for name in table if table[name].dtype == np.float32]
            # In double precision, which is how a CSV is read: 0.1 in single precision is another number.
            save_table(table.astype(dict.fromkeys(singles, np.float64)), path)
        else:
            with replacing(path) as temporary:
                # Plain: numbers hardly shrink, and looking for those that come again takes far longer than writing.
                texts = [name for name in table if table[name].dtype != np.float32]
                table.to_parquet(temporary, index=False, compression=None, use_dictionary=texts, write_statistics=False)
    for other in ROWS_SUFFIXES:
        if other != path.suffix:
            stem.with_suffix(other).unlink(missing_ok=True)
    return path


def load_rows(stem: Path, targets: list[str], texts: list[str]) -> tuple[pd.DataFrame | np.ndarray, pd.DataFrame]:
    """Features and targets.

    Args:
        targets: the names of the targets' columns. texts: of the columns that hold text.

    Raises:
        UserError: missing, damaged or without one of the targets.
    """
    path = rows_path(stem)
    if path.suffix == ".npz":
        arrays = load_npz(path, "arrays of features and targets")
        with reading(path, "the arrays features and targets"):
            return arrays["features"], pd.DataFrame(arrays["targets"], columns=targets)
    if path.suffix == ".csv":
        table = load_table(path, targets, texts)
    else:
        with reading(path, "a table"):
            table = read_parquet(path)
    return table.drop(columns=targets), table[targets]


def rows_path(stem: Path) -> Path:
    """The file that is there under the stem.

    Raises:
        UserError: there is none.
    """
    found = next((stem.with_suffix(suffix) for suffix in ROWS_SUFFIXES if stem.with_suffix(suffix).is_file()), None)
    if found is None:
        raise UserError(f"{stem}.csv: not found: `dvc repro` makes it")
    return found
