"""Load the data: by name from scikit-learn's generators and bundled data sets or as sequences, or from a file.

A new source of scikit-learn is an entry of SOURCES; a new source of sequences is an entry of `sequences.SEQUENCES`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from pipeline.data import sequences, tables
from pipeline.data.raw_table import RawTable, check_table
from pipeline.data.sequences import SEQUENCES
from pipeline.data.split.samples import RawData
from pipeline.foundations.errors import UserError, first_line
from pipeline.params.data_params import COMMA, DataParams
from pipeline.params.file import brief, nearest, one_of

TABLES: Final = Path("tables")


@dataclass(frozen=True)
class SklearnSource:
    """A function of `sklearn.datasets` that returns inputs and targets.

    is_classification: whether the targets are classes.
    is_random: whether the function draws random rows, and so needs a `random_state`.
    """

    is_classification: bool
    is_random: bool = True


SOURCES: Final[Mapping[str, SklearnSource]] = {
    "make_circles": SklearnSource(True),
    "make_moons": SklearnSource(True),
    "make_blobs": SklearnSource(True),
    "make_classification": SklearnSource(True),
    "make_gaussian_quantiles": SklearnSource(True),
    "make_hastie_10_2": SklearnSource(True),
    "make_regression": SklearnSource(False),
    "make_friedman1": SklearnSource(False),
    "make_friedman2": SklearnSource(False),
    "make_friedman3": SklearnSource(False),
    "make_sparse_uncorrelated": SklearnSource(False),
    "make_swiss_roll": SklearnSource(False),
    "make_s_curve": SklearnSource(False),
    "load_digits": SklearnSource(True, is_random=False),
    "load_wine": SklearnSource(True, is_random=False),
    "load_breast_cancer": SklearnSource(True, is_random=False),
    "load_iris": SklearnSource(True, is_random=False),
    "load_diabetes": SklearnSource(False, is_random=False),
}
# Arguments that change the type of the result, not the data.
_REJECTED: Final = ("return_X_y", "as_frame", "return_distributions", "return_centers", "coef")


def load(params: DataParams) -> RawData:
    """Load and check all rows.

    Raises:
        UserError: the source or file does not exist, the source has no such argument, or no network can be trained on
            the data.
    """
    expect_source(params)
    if params.source in SEQUENCES:
        return check_table(sequences.draw(params), params)
    if not is_file(params):
        return check_table(_load_sklearn(params), params)
    path = Path(params.source)
    return check_table((tables.read_arrays if path.suffix == ".npz" else tables.read_table)(path, params), params)


def is_file(params: DataParams) -> bool:
    """Return whether the source is a file."""
    return params.source not in SOURCES and params.source not in SEQUENCES


def expect_source(params: DataParams) -> None:
    """Check the source, without importing scikit-learn and without opening a file.

    Raises:
        UserError: the source has no such name and is no file in `tables/`, is random without a `random_state`, or
            cannot have this `config`.
    """
    path = Path(params.source)
    if params.delimiter != COMMA and path.suffix != ".csv":
        raise UserError(f"data.delimiter: {params.delimiter!r}: must be {COMMA!r} because the source is not a CSV file")
    if params.source in SEQUENCES:
        sequences.expect_config(params)
        return
    if params.source in SOURCES:
        if SOURCES[params.source].is_random and params.config.get("random_state") is None:
            raise UserError(
                "data.config.random_state: missing: must be a whole number; without one every run would draw other rows"
            )
        return
    if path.suffix in tables.SUFFIXES:
        if path.parts[:1] != TABLES.parts or ".." in path.parts:
            raise UserError(
                f"data.source: {brief(params.source)}: must be in the folder {TABLES}/, such as {TABLES}/{path.name}"
            )
        if path.suffix == ".npz":
            tables.expect_crop(params)
        elif params.config:
            raise UserError(
                f"data.config: {brief(params.config)}: must be {{}} or left out, because the source is a table"
            )
        tables.expect_file(path)
        return
    names = (*SOURCES, *SEQUENCES)
    near = nearest(params.source, names)
    allowed, hint = ("a source", f": did you mean {near}?") if near else (f"one of {', '.join(names)}", "")
    raise UserError(
        f"data.source: {brief(params.source)}: must be {allowed}, or a file such as {TABLES}/mine.csv{hint}"
    )


def _load_sklearn(params: DataParams) -> RawTable:
    from sklearn import datasets  # imported late: it takes a second

    source, function = SOURCES[params.source], getattr(datasets, params.source)
    _expect_arguments(function, params)
    # Some arguments must be tuples, which YAML does not have.
    config = {name: tuple(value) if isinstance(value, list) else value for name, value in params.config.items()}
    try:
        result = function(**config) if source.is_random else function(**config, return_X_y=False)
    except Exception as error:  # scikit-learn rejects arguments with many types of exceptions
        raise UserError(
            f"data.config: {brief(params.config)}: must be arguments of scikit-learn's {params.source} "
            f"({brief(first_line(error), 200)})"
        ) from None
    if source.is_random:
        inputs, targets, *_ = result
        names, classes = [f"x{number}" for number in range(1, inputs.shape[1] + 1)], None
    else:
        inputs, targets = result.data, result.target
        names = [str(name) for name in result.feature_names]
        classes = [str(name) for name in result.target_names] if source.is_classification else None
    target = "label" if source.is_classification else "target"
    if not len(targets):
        raise UserError(f"data.config: {brief(params.config)}: no rows: must give at least one")
    values = np.asarray(targets, np.int64 if source.is_classification else np.float64)
    columns = [target] if values.ndim == 1 else [f"{target}{number}" for number in range(1, values.shape[1] + 1)]
    return RawTable(
        pd.DataFrame(inputs, columns=names),
        pd.DataFrame(values.reshape(len(values), -1), columns=columns),
        source.is_classification,
        classes,
    )


def _expect_arguments(function: Callable, params: DataParams) -> None:
    arguments = [name for name in inspect.signature(function).parameters if name not in _REJECTED]
    for name in params.config:
        if name not in arguments:
            raise UserError(f"data.config.{name}: not an argument of {params.source}: {one_of(arguments, name)}")
