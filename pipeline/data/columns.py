"""Find the kind of each column of a table, convert its values, fill missing ones, and report faults."""

import re
from datetime import date, time, timedelta
from numbers import Real
from types import UnionType
from typing import Final

import numpy as np
import pandas as pd

from pipeline.data.split.samples import LARGEST, ColumnKind
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import precision
from pipeline.params.data_params import DataParams
from pipeline.params.file import brief

DATES: Final = "dates: must be numbers, such as days since some date, or left out by data.features"
# A text column holds categories if it has at most FEW_CATEGORIES different values, or at most MOST_CATEGORIES with two
# rows for each on average. These limits are not in params.yaml, because they only reject tables, and `data.features`
# can leave out a column that exceeds them.
MOST_CATEGORIES: Final = 100
FEW_CATEGORIES: Final = 10
GROUPED: Final = r"[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+,\d+)"  # "1,234.5" or "1,5"
PLAIN: Final = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
MIXED: Final = "beside values of another type: must be all numbers, all text, or all true or false"
# Characters that end a line or that UTF-8 cannot encode; they would break tables, messages and pages.
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def expect_printable(text: str, what: str) -> None:
    """Check that a name can be printed.

    Args:
        what: the subject of the message, such as "column a".

    Raises:
        UserError: the text has line breaks or other control characters, or characters that UTF-8 cannot encode.
    """
    if UNPRINTABLE.search(text):
        raise UserError(f"{what}: {brief(repr(text))}: must be text without line breaks and control characters")


def convert_features(
    features: pd.DataFrame, targets: pd.DataFrame, params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, ColumnKind], dict[str, float | str], dict[str, int]]:
    """Convert every column to numbers or text; fill missing values or drop their rows, as `data.missing` says.

    Returns:
        Features, targets, the kind of each column; and of each column with missing values the value that replaces them,
        and their number.
    """
    kinds = {str(name): _kind(features[name]) for name in features}
    missing = features.isna()
    counts = missing.sum()
    first = next((name for name in features if counts[name]), None)
    fills: dict[str, float | str] = {}
    filled: dict[str, int] = {}
    if first is not None and params.missing == "error":
        more = int((counts > 0).sum()) - 1
        also = f" (and {more} more {'column' if more == 1 else 'columns'})" if more else ""
        raise UserError(
            f"column {first}: {counts[first]} of {len(features)} values are missing{also}: must be present, or "
            "data.missing must be drop, mean, median or most_frequent"
        )
    if first is not None and params.missing == "drop":
        is_complete = ~missing.any(axis=1)
        if not is_complete.any():
            raise UserError(
                "data.missing: drop: leaves no row, because each has a missing value: must be mean, median or "
                "most_frequent"
            )
        features, targets = features[is_complete], targets[is_complete]
    columns: dict[str, pd.Series | np.ndarray] = {}
    as_type = precision(*features.shape)
    for name, kind in kinds.items():
        values = features[name]
        if values.isna().all():
            raise UserError(f"column {name}: all values are missing: must be left out by data.features")
        if values.isna().any():
            fills[name] = _fill(values, kind, params.missing)
            filled[name] = int(values.isna().sum())
        fill = fills.get(name)
        columns[name] = _texts(values, fill) if kind == "category" else _numbers(values, name, fill, as_type)
    return pd.DataFrame(columns, copy=False), targets, kinds, fills, filled


def _kind(values: pd.Series) -> ColumnKind:
    """Return the kind of a column.

    Raises:
        UserError: the column has dates, free text, or anything else but numbers, booleans and categories.
    """
    if pd.api.types.is_bool_dtype(values) and not isinstance(values.dtype, pd.CategoricalDtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        return "number"
    name, present = values.name, values.dropna()
    if not len(present):
        return "number"
    if _are_all(present, bool | np.bool_):
        return "boolean"
    expect_no_dates(present)
    if isinstance(values.dtype, pd.CategoricalDtype) or _are_all(present, str):
        _expect_categories(present.astype(str))
        return "category"
    if _are_all(present, Real) and not any(isinstance(each, bool | np.bool_) for each in present):
        return "number"  # whole numbers beyond 64 bits have the type `object`
    example = next((each for each in present if not isinstance(each, Real) or isinstance(each, bool)), present.iloc[0])
    raise UserError(f"column {name}: {brief(repr(example))} {MIXED}")


def _are_all(values: pd.Series, kind: type | UnionType) -> bool:
    return all(isinstance(each, kind) for each in values)  # `values.map` would return categories for categories


def expect_no_dates(present: pd.Series) -> None:
    """Check that a column has no dates.

    Raises:
        UserError: there are dates or durations, also as text.
    """
    are_times = present.dtype.kind in "mM" or _are_all(present.head(50), date | time | timedelta | pd.Period)
    if are_times or (_are_all(present, str) and _are_dates(pd.Series(present.unique()[:50], dtype=object))):
        raise UserError(f"column {present.name}: {DATES}")


def _expect_categories(texts: pd.Series) -> None:
    """Check that text columns are categories.

    Raises:
        UserError: the texts are numbers with commas, numbers stored as text, or free text.
    """
    distinct = pd.Series(texts.unique(), dtype=str)
    for text in distinct:
        expect_printable(text, f"column {texts.name}")
    are_grouped, are_plain = distinct.str.fullmatch(GROUPED), distinct.str.fullmatch(PLAIN)
    if are_grouped.any() and (are_grouped | are_plain).all():
        example = distinct[are_grouped].iloc[0]
        raise UserError(f"column {texts.name}: {example!r}: must be numbers without commas, such as 1234.5")
    if len(distinct) <= MOST_CATEGORIES and (len(distinct) <= FEW_CATEGORIES or len(distinct) <= len(texts) / 2):
        return
    if are_plain.all():
        raise UserError(
            f"column {texts.name}: numbers as text, such as {distinct.iloc[0]!r}: must be stored as numbers"
        )
    if are_plain.mean() > 0.5:
        example = brief(repr(distinct[~are_plain].iloc[0]))
        raise UserError(
            f"column {texts.name}: {example} among numbers: must be a number, or empty if the value is missing"
        )
    raise UserError(
        f"column {texts.name}: free text ({len(distinct)} different values in {len(texts)} rows): must have at most "
        f"{MOST_CATEGORIES} different values that repeat, or be left out by data.features"
    )


def _are_dates(texts: pd.Series) -> bool:
    """Return whether all of these distinct texts are dates; if fewer than three, they may well be classes."""
    if len(texts) < 3 or not texts.str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all():
        return False
    return bool(pd.to_datetime(texts, errors="coerce", format="mixed", utc=True).notna().all())


def _fill(values: pd.Series, kind: ColumnKind, how: str) -> float | str:
    if how == "most_frequent" or kind != "number":
        mode = values.mode().iloc[0]  # of equally frequent values, the smallest
        return str(mode) if kind == "category" else float(mode)
    return float(values.mean() if how == "mean" else values.median())


def _texts(values: pd.Series, fill: float | str | None) -> pd.Series:
    return values.astype(object).where(values.notna(), fill).astype(str).reset_index(drop=True)


def _numbers(values: pd.Series, name: str, fill: float | str | None, as_type: type) -> np.ndarray:
    """Return float32 or float64 [row].

    Raises:
        UserError: a number is infinite, or too large for float32.
    """
    try:
        with np.errstate(over="ignore"):  # numbers beyond the type become infinite
            numbers = values.to_numpy(as_type, na_value=np.nan)
    except OverflowError:
        raise UserError(f"column {name}: a number is too large: must be at most {LARGEST:g}") from None
    if fill is not None:
        numbers = np.where(np.isnan(numbers), numbers.dtype.type(fill), numbers)
    expect_numbers(numbers, name)
    return numbers


def expect_numbers(values: np.ndarray, name: str) -> None:
    """Check that numbers are finite and not too large.

    Raises:
        UserError: a number is NaN, infinite, or too large for float32.
    """
    largest = max(abs(float(values.max(initial=0))), abs(float(values.min(initial=0))))  # NaN if any is NaN
    if largest <= LARGEST:
        return
    broken = ~np.isfinite(values)
    if not broken.any():
        raise UserError(f"column {name}: {largest:g}: must be at most {LARGEST:g} in size")
    what = "NaN" if np.isnan(values).any() else "infinite"
    raise UserError(f"column {name}: {broken.sum()} of {values.size} values are {what}: must be finite numbers")
