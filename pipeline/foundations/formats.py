"""Files of numbers, the same bytes for the same content: arrays as NetCDF 3 by scipy, tables as CSV."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import xarray as xr
from xarray.backends import ScipyDataStore

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import reading, replacing


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


def load_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Raises: UserError: missing, damaged, or without one of `columns`."""
    with reading(path, f"a table with the columns {', '.join(columns)}"):
        table = pd.read_csv(path)
        missing = [column for column in columns if column not in table]
        if missing:
            raise UserError(f"{path}: no column {missing[0]}: must have {', '.join(columns)}")
        return table
