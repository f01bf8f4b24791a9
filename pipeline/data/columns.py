"""From a table to rows that can be trained on: the task, the kind of each column, missing values, and all faults."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from numbers import Real
from typing import Any, Final

import numpy as np
import pandas as pd

from pipeline.data.split.samples import LARGEST, ColumnKind, RawData
from pipeline.data.split.tasks import KindName, Task
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import precision
from pipeline.params.data_params import DataParams, class_name
from pipeline.params.file import brief, one_of

MOST_CLASSES: Final = 20  # distinct whole numbers that `auto` takes for classes
DATES: Final = "dates: must be numbers, such as days since a day, or left out by data.features"
MOST_CATEGORIES: Final = 100  # of a text column; more are taken for free text
GROUPED: Final = r"[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+,\d+)"  # "1,234.5" or "1,5"
PLAIN: Final = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_CLASSES: Final = "among others: must be all numbers, all text or true or false"
# What ends a line or cannot be written as UTF-8: it would break tables, messages and pages.
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class RawTable:
    """What a source gives.

    features: a table, or an array with more dimensions. targets: a table; labels 0, 1, ... where there are `classes`.
    is_classification: where the source knows. classes: their names in the order of the labels, where the source knows.
    """

    features: pd.DataFrame | np.ndarray
    targets: pd.DataFrame
    is_classification: bool | None
    classes: Sequence[str] | None


def checked(table: RawTable, params: DataParams) -> RawData:
    """The rows with labels or values as targets, missing values dealt with.

    Raises:
        UserError: what cannot be trained on, by the column's name.
    """
    features, targets = table.features, table.targets
    lost = targets.isna().any(axis=1).to_numpy()
    if lost.any() and params.missing != "drop":
        name = str(targets.columns[targets.isna().any().to_numpy().argmax()])
        raise UserError(
            f"column {name}: {lost.sum()} of {len(lost)} rows have no target: must be there in every row, or "
            "data.missing must be drop"
        )
    if lost.any():
        features, targets = features[~lost], targets[~lost]
    if not len(targets):
        raise UserError("data: no rows with a target: must have at least one")
    if isinstance(features, pd.DataFrame):
        features, targets, kinds, fills, filled = _whole(features, targets, params)
    else:
        kinds, fills, filled = {}, {}, {}
        _expect_numbers(features, "x")
    task, values = _task(targets.reset_index(drop=True), table, params)
    return RawData(features, values, task, kinds, fills, tuple(str(name) for name in targets.columns), filled)


def expect_printable(text: str, what: str) -> None:
    """Raises: UserError: text that has line breaks or other control characters, or that UTF-8 cannot write."""
    if UNPRINTABLE.search(text):
        raise UserError(f"{what}: {brief(repr(text))}: must be text without line breaks and control characters")


def _whole(
    features: pd.DataFrame, targets: pd.DataFrame, params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, ColumnKind], dict[str, float | str], dict[str, int]]:
    """Every column as numbers or text, nothing missing; rows left out where params.yaml says so."""
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
            f"column {first}: {counts[first]} of {len(features)} values are missing{also}: must be there, or "
            "data.missing must be drop, mean, median or most_frequent"
        )
    if first is not None and params.missing == "drop":
        kept = ~missing.any(axis=1)
        if not kept.any():
            raise UserError("data.missing: drop: leaves no row, for every one has a missing value: must be another")
        features, targets = features[kept], targets[kept]
    made: dict[str, Any] = {}
    as_type = precision(*features.shape)
    for name, kind in kinds.items():
        values = features[name]
        if values.isna().all():
            raise UserError(f"column {name}: has no values at all: must be left out by data.features")
        if values.isna().any():
            fills[name] = _fill(values, kind, params.missing)
            filled[name] = int(values.isna().sum())
        fill = fills.get(name)
        made[name] = _texts(values, fill) if kind == "category" else _numbers(values, name, fill, as_type)
    return pd.DataFrame(made, copy=False), targets, kinds, fills, filled


def _kind(values: pd.Series) -> ColumnKind:
    """Raises: UserError: dates, free text, or something else that is no number, boolean or category."""
    if pd.api.types.is_bool_dtype(values) and not isinstance(values.dtype, pd.CategoricalDtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        return "number"
    name, known = values.name, values.dropna()
    if not len(known):
        return "number"
    if _are_all(known, bool | np.bool_):
        return "boolean"
    _expect_no_dates(known)
    if isinstance(values.dtype, pd.CategoricalDtype) or _are_all(known, str):
        _expect_categories(known.astype(str))
        return "category"
    if _are_all(known, Real) and not any(isinstance(each, bool | np.bool_) for each in known):
        return "number"  # whole numbers beyond 64 bits
    example = next((each for each in known if not isinstance(each, Real) or isinstance(each, bool)), known.iloc[0])
    allowed = "must be all numbers, all text or all true or false"
    raise UserError(f"column {name}: {brief(repr(example))} among other values: {allowed}")


def _are_all(values: pd.Series, kind: Any) -> bool:
    return all(isinstance(each, kind) for each in values)  # not by `map`, which gives categories where it gets them


def _expect_no_dates(known: pd.Series) -> None:
    """Raises: UserError: dates or spans of time, as such or as text."""
    are_times = known.dtype.kind in "mM" or _are_all(known.head(50), date | time | timedelta | pd.Period)
    if are_times or (_are_all(known, str) and _are_dates(pd.Series(known.unique()[:50], dtype=object))):
        raise UserError(f"column {known.name}: {DATES}")


def _expect_categories(texts: pd.Series) -> None:
    """Raises: UserError: numbers that are written otherwise, or free text."""
    distinct = pd.Series(texts.unique(), dtype=str)
    for text in distinct:
        expect_printable(text, f"column {texts.name}")
    are_grouped, are_plain = distinct.str.fullmatch(GROUPED), distinct.str.fullmatch(PLAIN)
    if are_grouped.any() and (are_grouped | are_plain).all():
        found = distinct[are_grouped].iloc[0]
        raise UserError(f"column {texts.name}: {found!r}: must be numbers without commas, such as 1234.5")
    if len(distinct) <= MOST_CATEGORIES and (len(distinct) <= 10 or len(distinct) <= len(texts) / 2):
        return
    if are_plain.all():
        raise UserError(
            f"column {texts.name}: numbers as text, such as {distinct.iloc[0]!r}: must be stored as numbers"
        )
    if are_plain.mean() > 0.5:
        found = brief(repr(distinct[~are_plain].iloc[0]))
        raise UserError(
            f"column {texts.name}: {found} among numbers: must be a number, or nothing where the value is missing"
        )
    raise UserError(
        f"column {texts.name}: free text ({len(distinct)} different values in {len(texts)} rows): must have at most "
        f"{MOST_CATEGORIES} that come again, or be left out by data.features"
    )


def _are_dates(texts: pd.Series) -> bool:
    """Of different ones; two may well be classes."""
    if len(texts) < 3 or not texts.str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all():
        return False
    return bool(pd.to_datetime(texts, errors="coerce", format="mixed", utc=True).notna().all())


def _fill(values: pd.Series, kind: ColumnKind, how: str) -> float | str:
    if how == "most_frequent" or kind != "number":
        most = values.mode().iloc[0]  # of equals the least
        return str(most) if kind == "category" else float(most)
    return float(values.mean() if how == "mean" else values.median())


def _texts(values: pd.Series, fill: float | str | None) -> pd.Series:
    return values.astype(object).where(values.notna(), fill).astype(str).reset_index(drop=True)


def _numbers(values: pd.Series, name: str, fill: float | str | None, as_type: type) -> np.ndarray:
    """float32 or float64 [row], infinite ones refused."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            found = values.to_numpy(as_type, na_value=np.nan)
    except OverflowError:
        raise UserError(f"column {name}: a number beyond {LARGEST:g}: must be at most that large") from None
    if fill is not None:
        found = np.where(np.isnan(found), found.dtype.type(fill), found)
    _expect_numbers(found, name)
    return found


def _expect_numbers(values: np.ndarray, name: str) -> None:
    """Raises: UserError: a number is missing, infinite, or so large that single precision does not hold it."""
    largest = max(abs(float(values.max(initial=0))), abs(float(values.min(initial=0))))  # NaN where one is
    if largest <= LARGEST:
        return
    broken = ~np.isfinite(values)
    if not broken.any():
        raise UserError(f"column {name}: {largest:g}: must be at most {LARGEST:g} in size")
    what = "not a number" if np.isnan(values).any() else "infinite"
    raise UserError(f"column {name}: {broken.sum()} of {values.size} values are {what}: must be finite numbers")


def _task(targets: pd.DataFrame, table: RawTable, params: DataParams) -> tuple[Task, np.ndarray]:
    """And labels int64 [row], or values float64 [row, target]."""
    names = tuple(str(name) for name in targets.columns)
    asked = params.task
    for name in names:
        if not pd.api.types.is_numeric_dtype(targets[name]):
            _expect_no_dates(targets[name])
    is_classification = _are_classes(targets, table) if asked == "auto" else asked != "regression"
    if not is_classification:
        if params.positive_class is not None:
            raise UserError(f"data.positive_class: {brief(params.positive_class)}: must be null for a regression")
        return Task("regression", names), np.stack([_values(targets[name]) for name in names], axis=1)
    if len(names) > 1:
        raise UserError(f"data.task: {asked}: {len(names)} targets ({', '.join(names)}): must be regression")
    classes, labels = _labels(targets[names[0]], table)
    if len(classes) < 2:
        raise UserError(f"column {names[0]}: one class alone, {classes[0]}: must have at least two")
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        rare = classes[int(counts.argmin())]
        raise UserError(f"column {names[0]}: class {rare} has one row: must have at least two, to train and to test")
    kind: KindName = "binary" if len(classes) == 2 else "multiclass"
    if asked not in ("auto", kind) and not (asked == "multiclass" and kind == "binary"):
        raise UserError(
            f"data.task: {asked}: {names[0]} has {len(classes)} classes: must be {kind}, regression or auto"
        )
    if asked == "multiclass":
        kind = "multiclass"
    if params.positive_class is not None:
        classes, labels = _with_positive(params.positive_class, classes, labels, kind)
    return Task(kind, tuple(classes)), labels


def _with_positive(name: str, classes: list[str], labels: np.ndarray, kind: KindName) -> tuple[list[str], np.ndarray]:
    """Return the two classes with the positive one last, and their labels.

    Raises:
        UserError: the task is not binary, or has no such class.
    """
    if kind != "binary":
        raise UserError(f"data.positive_class: {brief(name)}: must be null for a multiclass task")
    if name not in classes:
        raise UserError(f"data.positive_class: {brief(name)}: {one_of(classes, name)}")
    return (classes, labels) if name == classes[1] else (classes[::-1], 1 - labels)


def _are_classes(targets: pd.DataFrame, table: RawTable) -> bool:
    """What `auto` decides: text, booleans and few different whole numbers are classes."""
    if table.is_classification is not None:
        return table.is_classification
    if targets.shape[1] > 1:
        return False
    values = targets.iloc[:, 0]
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return True
    if pd.api.types.is_complex_dtype(values):
        return False
    numbers = values.to_numpy(np.float64)
    are_whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    return are_whole and values.nunique() <= MOST_CLASSES


def _labels(targets: pd.Series, table: RawTable) -> tuple[list[str], np.ndarray]:
    """The names of the classes that there are, in the order of their labels, and int64 [row].

    The order is that of the file where it states one, as ordered categories do, and else ascending.
    """
    if pd.api.types.is_complex_dtype(targets):
        raise UserError(f"column {targets.name}: complex numbers: must be classes")
    try:
        codes, found = pd.factorize(targets)
    except TypeError:  # lists and maps
        raise UserError(f"column {targets.name}: {brief(repr(targets.iloc[0]))} {_CLASSES}") from None
    values = list(found)
    if pd.api.types.is_float_dtype(targets):
        _expect_numbers(np.asarray(values, np.float64), str(targets.name))
    if not any(all(isinstance(value, kind) for value in values) for kind in (str, (Real, np.bool_))):
        raise UserError(f"column {targets.name}: {brief(repr(values[0]))} {_CLASSES}")
    is_ordered = isinstance(targets.dtype, pd.CategoricalDtype) and targets.dtype.ordered
    rank = targets.cat.categories.get_loc if is_ordered else lambda value: value
    order = sorted(range(len(values)), key=lambda place: rank(values[place]))
    label_of = np.empty(len(values), np.int64)
    label_of[order] = np.arange(len(values))
    known = table.classes
    names = [class_name(values[place]) if known is None else known[int(values[place])] for place in order]
    for name in names:
        expect_printable(name, f"column {targets.name}")
    return names, label_of[codes]


def _values(targets: pd.Series) -> np.ndarray:
    """float64 [row] of a regression's target.

    Raises:
        UserError: no numbers, one that is not finite, or all the same.
    """
    name = str(targets.name)
    if not pd.api.types.is_numeric_dtype(targets) or pd.api.types.is_complex_dtype(targets):
        raise UserError(
            f"column {name}: {brief(repr(targets.iloc[0]))}: must be numbers, for the target of a regression"
        )
    numbers = targets.to_numpy(np.float64)
    _expect_numbers(numbers, name)
    if np.ptp(numbers) == 0:
        raise UserError(f"column {name}: constant, {brief(targets.iloc[0])}: must vary, to be predicted")
    return numbers
