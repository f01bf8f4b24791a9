"""Read and write numbers: NetCDF 3 for labelled arrays, npz for plain arrays, CSV for tables.

The same content always gives the same bytes. Rows of samples are CSV, Parquet or npz, by their size and shape.
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
from pipeline.foundations.files import reading, replacing, save_bytes

# A table of up to this many numbers is a CSV in float64, which a person can read; a larger one is Parquet in float32.
MOST_CELLS = 1_000_000
ROWS_SUFFIXES = (".csv", ".parquet", ".npz")


def pack_dataset(dataset: xr.Dataset) -> bytes:
    """Return the data set as the bytes of a NetCDF file. `to_netcdf` is slower: it imports Dask's client."""
    buffer = BytesIO()
    store = ScipyDataStore(buffer, mode="w", format="NETCDF3_64BIT")
    dataset.dump_to_store(store)
    store.close()  # closing the store writes the bytes
    return buffer.getvalue()


def save_arrays(dataset: xr.Dataset, path: Path) -> None:
    """Write a data set as NetCDF."""
    save_bytes(pack_dataset(dataset), path)


def load_arrays(
    path: Path, variables: Mapping[str, tuple[str, ...]], optional: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> xr.Dataset:
    """Read a NetCDF file.

    Args:
        variables: the variables that the file must have, each with its dimensions.
        optional: the variables that the file may have, each with its dimensions.

    Raises:
        UserError: the file is missing or damaged, or a variable is missing or has other dimensions.
    """
    with reading(path, "a NetCDF file"):  # from memory: xarray could not close a damaged file
        dataset = xr.load_dataset(BytesIO(path.read_bytes()), engine="scipy")
    for name, dims in {**variables, **optional}.items():
        if name not in dataset and name in variables:
            raise UserError(f"{path}: no variable {name}: must have this variable; `dvc repro` makes it again")
        if name in dataset and dataset[name].dims != dims:
            raise UserError(f"{path}: {name} is over {dataset[name].dims}: must be over {dims}")
    return dataset


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV without the index; a missing value is an empty field."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path, columns: list[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV.

    Args:
        columns: the columns that the table must have.
        texts: the columns to read as text, even if they look like numbers.

    Raises:
        UserError: the file is missing or damaged, or a column is missing.
    """
    with reading(path, f"a table with the columns {', '.join(columns)}"):
        options = {"keep_default_na": False, "na_values": [""]} if texts else {}
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), **options)
        if texts:
            table = table.fillna(dict.fromkeys(texts, ""))
        missing = [column for column in columns if column not in table]
        if missing:
            raise UserError(f"{path}: no column {missing[0]}: must have {', '.join(columns)}")
        return table


def pack_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as the bytes of an npz file; `np.savez` would also write the time."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def save_npz(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays as npz."""
    save_bytes(pack_npz(arrays), path)


def load_npz(path: Path, what: str) -> dict[str, np.ndarray]:
    """Read an npz file.

    Args:
        what: what the file must hold, for the message.

    Raises:
        UserError: the file is missing or damaged.
    """
    with reading(path, what):
        return arrays_of(np.load(BytesIO(path.read_bytes()), allow_pickle=False))


def arrays_of(archive: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file.

    Raises:
        ValueError: an entry is no array; NumPy returns the bytes of such an entry.
    """
    arrays = dict(archive)
    other = next((name for name, array in arrays.items() if not isinstance(array, np.ndarray)), None)
    if other is not None:
        raise ValueError(f"{other} is no array")
    return arrays


def precision(rows: int, columns: int) -> type:
    """Return the type of a table's numbers: float32 if there are more than MOST_CELLS, else float64."""
    return np.float32 if rows * columns > MOST_CELLS else np.float64


def read_parquet(path: Path, columns: Sequence[str] | None = None, singles: Sequence[str] = ()) -> pd.DataFrame:
    """Read columns of a Parquet file, one by one so that memory never holds the table twice.

    Args:
        columns: the columns to read; all by default.
        singles: the columns to convert from float64 to float32.
    """
    import pyarrow.parquet as parquet  # imported late: it is slow

    with parquet.ParquetFile(path, pre_buffer=False) as file:
        names = list(columns if columns is not None else file.schema_arrow.names)
        parts = []
        for name in names:
            # `select` is needed because reading a column `a` also gives a column that is named `a.b`.
            column = file.read([name]).select([name]).to_pandas(split_blocks=True, self_destruct=True)
            if column[name].dtype == np.float64 and name in singles:
                with np.errstate(over="ignore"):  # numbers beyond float32 become infinite
                    column = column.astype(np.float32)
            parts.append(column.reset_index(drop=True))
    return pd.concat(parts, axis=1)


def save_rows(features: pd.DataFrame | np.ndarray, targets: pd.DataFrame, stem: Path) -> Path:
    """Write samples, one per row with features before targets, and remove older files of the same stem.

    Returns:
        The file: npz for arrays, CSV for tables, Parquet for large tables.
    """
    if isinstance(features, np.ndarray):
        path = stem.with_suffix(".npz")
        values = targets.to_numpy()
        save_npz({"features": features, "targets": values.astype(str) if values.dtype == object else values}, path)
    else:
        table = pd.concat([features, targets], axis=1)
        path = stem.with_suffix(".csv" if table.size <= MOST_CELLS else ".parquet")
        if path.suffix == ".csv":
            singles = [name for name in table if table[name].dtype == np.float32]
            # Written as float64, because a CSV is read as float64: 0.1 in float32 is another number.
            save_table(table.astype(dict.fromkeys(singles, np.float64)), path)
        else:
            with replacing(path) as temporary:
                # Without compression: numbers hardly shrink, and a dictionary of them takes far longer than writing.
                texts = [name for name in table if table[name].dtype != np.float32]
                table.to_parquet(temporary, index=False, compression=None, use_dictionary=texts, write_statistics=False)
    for other in ROWS_SUFFIXES:
        if other != path.suffix:
            stem.with_suffix(other).unlink(missing_ok=True)
    return path


def load_rows(stem: Path, targets: list[str], texts: list[str]) -> tuple[pd.DataFrame | np.ndarray, pd.DataFrame]:
    """Read the features and targets that `save_rows` wrote.

    Args:
        targets: the names of the target columns.
        texts: the names of the columns that hold text.

    Raises:
        UserError: the file is missing or damaged, or a target column is missing.
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
            table[targets]
    return table.drop(columns=targets), table[targets]


def rows_path(stem: Path) -> Path:
    """Return the file that `save_rows` wrote under this stem.

    Raises:
        UserError: there is no such file.
    """
    path = next((stem.with_suffix(suffix) for suffix in ROWS_SUFFIXES if stem.with_suffix(suffix).is_file()), None)
    if path is None:
        raise UserError(f"{stem}.csv: not found: `dvc repro` makes it")
    return path
