"""Read a user's own file: CSV, Parquet, or NumPy's npz. Each fault is reported in one line."""

import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.data.columns import expect_printable
from pipeline.data.raw_table import RawTable
from pipeline.foundations.errors import UserError, first_line
from pipeline.foundations.formats import arrays_of, precision, read_parquet
from pipeline.params.data_params import COMMA, DataParams
from pipeline.params.file import StrictSection, brief, check, one_of

if TYPE_CHECKING:
    import pyarrow

SUFFIXES: Final = (".csv", ".parquet", ".npz")
INDEX: Final = re.compile("__index_level_[0-9]+__")  # the name under which pandas stores an unnamed index
SEPARATORS: Final = (";", "\t", "|", COMMA)  # likely delimiters if a CSV seems to have only one column


class SequenceArguments(StrictSection):
    """The arguments of a file of sequences.

    steps: the number of steps to keep of each sequence; None for all.
    crop: the end of the sequences that may be cut off. Only the user knows which end holds nothing: a target may depend
        on the first steps alone.
    """

    steps: Annotated[int, Field(ge=1)] | None = None
    crop: Literal["start", "end"] | None = None


def expect_crop(params: DataParams) -> SequenceArguments:
    """Return the arguments of a file of sequences.

    Raises:
        UserError: an argument is invalid, or sequences would be shortened at an end that the user did not name.
    """
    arguments = check(params.config, "data.config", SequenceArguments)
    if arguments.steps is not None and arguments.crop is None:
        raise UserError(
            "data.config.crop: missing: must be start or end, the end of the sequences that may be cut off for "
            f"data.config.steps: {arguments.steps}"
        )
    return arguments


def read_table(path: Path, params: DataParams) -> RawTable:
    """Read the columns that params.yaml names, and the target.

    Raises:
        UserError: the file is missing, unreadable or empty, or a column is missing or occurs twice.
    """
    table = _csv(path, params.delimiter) if path.suffix == ".csv" else _parquet(path, params)
    names = list(table.columns)
    if not len(table):
        raise UserError(f"{path}: no rows: must have at least one")
    _expect_columns(names, path, params)
    features = [name for name in names if name != params.target] if params.features == "all" else [*params.features]
    if not features:
        raise UserError(f"{path}: no column but {params.target}: must have at least one input column")
    return RawTable(table[features], table[[params.target]], None, None)


def read_arrays(path: Path, params: DataParams) -> RawTable:
    """Read the arrays `x`, [sample, feature] or with more dimensions, and `y`, [sample] or [sample, target].

    Raises:
        UserError: the file is missing or unreadable, an array is missing, or x and y do not fit each other.
    """
    try:
        # Opened here, because a file that NumPy opened stays open if NumPy cannot read it.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = arrays_of(archive)
    except Exception as error:  # an array of objects, a damaged archive, another format
        raise UserError(f"{path}: {_reason(error)}: must be arrays of numbers as numpy.savez writes them") from None
    for name in ("x", "y"):
        if name not in arrays:
            raise UserError(f"{path}: no array {name}: must hold x and y; found {', '.join(arrays) or 'none'}")
    x, y = arrays["x"], arrays["y"]
    if params.features != "all":
        raise UserError(f"data.features: {brief(list(params.features))}: must be all, because {path} names no columns")
    if x.ndim not in (2, 3, 4) or not np.issubdtype(x.dtype, np.number) or np.iscomplexobj(x):
        raise UserError(
            f"{path}: x is {x.dtype} of shape {x.shape}: must be numbers [sample, feature], [sample, step, feature] or "
            "[sample, height, width, channel]"
        )
    if not (np.issubdtype(y.dtype, np.number) or y.dtype.kind in "bU") or np.iscomplexobj(y):
        raise UserError(f"{path}: y is {y.dtype}: must be numbers, true or false, or text")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise UserError(
            f"{path}: y is of shape {y.shape}: must be [sample] or [sample, target], with {len(x)} samples like x"
        )
    if not x.size or not y.size:
        raise UserError(
            f"{path}: x is of shape {x.shape}, y of {y.shape}: must have at least one sample, with at least one number "
            "and one target each"
        )
    x = _cropped(x, path, expect_crop(params))
    targets = y.reshape(len(y), -1)
    names = [params.target] if targets.shape[1] == 1 else [f"{params.target}{n + 1}" for n in range(targets.shape[1])]
    inputs = [f"x{number}" for number in range(1, x.shape[-1] + 1)]
    shared = sorted({*inputs} & {*names})
    if shared:
        raise UserError(f"data.target: {params.target}: must be another name, because {path} has an input {shared[0]}")
    features = x if x.ndim > 2 else pd.DataFrame(x, columns=inputs)
    return RawTable(features, pd.DataFrame(targets, columns=names), None, None)


def _cropped(x: np.ndarray, path: Path, arguments: SequenceArguments) -> np.ndarray:
    """Return the sequences, shortened if the user says so.

    Raises:
        UserError: the rows are no sequences, or the sequences are shorter.
    """
    if arguments.crop is not None and x.ndim != 3:
        raise UserError(
            f"data.config.crop: {arguments.crop}: must be left out, because x of {path} is of shape {x.shape}: only "
            "sequences, [sample, step, feature], can be shortened"
        )
    if arguments.steps is None:
        return x
    if arguments.steps > x.shape[1]:
        raise UserError(f"data.config.steps: {arguments.steps}: must be at most {x.shape[1]}, the steps of {path}")
    return x[:, -arguments.steps :] if arguments.crop == "start" else x[:, : arguments.steps]


def _csv(path: Path, delimiter: str) -> pd.DataFrame:
    try:
        head = pd.read_csv(path, sep=delimiter, header=None, nrows=1, dtype=str, keep_default_na=False)
        separator = next((each for each in SEPARATORS if each != delimiter and each in str(head.iloc[0, 0])), None)
        if head.shape[1] == 1 and separator:
            quoted = json.dumps(separator)  # as in YAML, also for a tab
            raise UserError(f"{path}: its columns are separated by {quoted}: data.delimiter must be {quoted}")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop fields
            # Not in chunks: the type of a column must not depend on where a chunk ends.
            table = pd.read_csv(path, sep=delimiter, index_col=False, low_memory=False)
    except UserError:
        raise
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: empty: must be a table whose first line has the names of the columns") from None
    except pd.errors.ParserWarning:
        raise UserError(f"{path}: rows have more fields than the first line has names: must have as many") from None
    except Exception as error:  # pandas raises many types: for encodings, for quotes, for lines with more fields
        separator = "commas" if delimiter == COMMA else json.dumps(delimiter)
        raise UserError(
            f"{path}: {_reason(error)}: must be a CSV file in UTF-8 with {separator} between the columns"
        ) from None
    names = head.iloc[0].tolist()
    _expect_names(names, path)
    table.columns = pd.Index(names)  # pandas has renamed equal names, as in a, a.1
    return table


def _parquet(path: Path, params: DataParams) -> pd.DataFrame:
    import pyarrow.parquet as parquet  # imported late: it is slow

    try:
        schema = parquet.read_schema(path)
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        names = [name for name in schema.names if name not in index and not INDEX.fullmatch(name)]
        _expect_names(names, path)
        _expect_columns(names, path, params)
        features = [name for name in names if name != params.target] if params.features == "all" else params.features
        for name in (*features, params.target):
            _expect_readable(schema.field(name))
        is_large = precision(parquet.read_metadata(path).num_rows, len(features)) == np.float32
        table = read_parquet(path, [*features, params.target], singles=features if is_large else [])
        decimals = [name for name in table if str(schema.field(name).type).startswith("decimal")]
        return table.astype(dict.fromkeys(decimals, np.float64))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: {_reason(error)}: must be a Parquet file") from None


def _expect_readable(field: "pyarrow.Field") -> None:
    """Check the type of a column.

    Raises:
        UserError: the column has an extension type that pandas does not know, such as a UUID.
    """
    import pyarrow

    try:
        if isinstance(field.type, pyarrow.BaseExtensionType):
            field.type.to_pandas_dtype()
    except NotImplementedError:
        raise UserError(f"column {field.name}: {field.type}: must be numbers, text, or true or false") from None


def _expect_names(names: list[str], path: Path) -> None:
    """Check the names of columns.

    Raises:
        UserError: a name is empty, occurs twice, or cannot be shown in a table or message.
    """
    for place, name in enumerate(names, start=1):
        if not name.strip():
            raise UserError(
                f"{path}: column {place} has no name: must have one (leave out an index of pandas by index=False)"
            )
        expect_printable(name, f"{path}: the name of column {place}")
        if name in names[: place - 1]:
            raise UserError(f"{path}: two columns are called {name}: names must differ")


def _expect_columns(names: list[str], path: Path, params: DataParams) -> None:
    if params.target not in names:
        raise UserError(f"data.target: {params.target}: {one_of(names, params.target, f'the columns of {path}: ')}")
    if params.features != "all":
        for place, name in enumerate(params.features):
            if name not in names:
                raise UserError(f"data.features.{place}: {name}: {one_of(names, name, f'the columns of {path}: ')}")
            if name in params.features[:place]:
                raise UserError(f"data.features.{place}: {name}: must be named once")
            if name == params.target:
                raise UserError(f"data.features.{place}: {name}: must not be the target")


def expect_file(path: Path) -> None:
    """Check that the file exists.

    Raises:
        UserError: the file does not exist.
    """
    if not path.is_file():
        names = sorted(each.name for each in path.parent.glob("*") if each.suffix in SUFFIXES)
        raise UserError(f"data.source: {path}: not found: {one_of(names, path.name, f'the files in {path.parent}/: ')}")


def _reason(error: Exception) -> str:
    return brief(first_line(error), 200)
