"""From a table to rows that can be trained on: the task, the kind of each column, missing values, and all faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pipeline.data.samples import Kind, RawData
from pipeline.data.tasks import KindName, Task
from pipeline.foundations.errors import UserError
from pipeline.params.data import DataParams
from pipeline.params.file import brief

MOST_CLASSES: Final = 20  # distinct whole numbers that `auto` takes for classes
DATES: Final = "dates: must be numbers, such as days since a day, or left out by data.features"
MOST_CATEGORIES: Final = 100  # of a text column; more are taken for free text


@dataclass(frozen=True)
class RawTable:
    """What a source gives.

    features: a table, or an array with more dimensions. targets: a table. is_classification: where the source knows.
    classes: their names in the order of the labels, where the source knows.
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
    if isinstance(features, pd.DataFrame):
        features, targets, kinds, fills = _whole(features, targets, params)
    else:
        kinds, fills = {}, {}
        _expect_numbers(features, "x")
    lost = targets.isna().any(axis=1).to_numpy()
    if lost.any():
        name = str(targets.columns[targets.isna().any().to_numpy().argmax()])
        raise UserError(f"column {name}: {lost.sum()} of {len(lost)} rows have no target: must be there in every row")
    task = _task(targets, table, params)
    names = tuple(str(name) for name in targets.columns)
    return RawData(features, _as_targets(targets, task), task, kinds, fills, names)


def _whole(
    features: pd.DataFrame, targets: pd.DataFrame, params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Kind], dict[str, float | str]]:
    """Every column as numbers or text, nothing missing; rows left out where params.yaml says so."""
    kinds = {str(name): _kind(features[name]) for name in features}
    missing = features.isna()
    counts = missing.sum()
    first = next((name for name in features if counts[name]), None)
    fills: dict[str, float | str] = {}
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
            raise UserError("data.missing: drop: leaves no row: every one has a missing value")
        features, targets = features[kept], targets[kept]
    made: dict[str, Any] = {}
    for name, kind in kinds.items():
        values = features[name]
        if values.isna().all():
            raise UserError(f"column {name}: has no values at all: must be left out by data.features")
        if values.isna().any():
            fills[name] = _fill(values, kind, params.missing)
            values = values.fillna(fills[name])
        made[name] = values.astype(str).to_numpy(object) if kind == "category" else _numbers(values, name)
    return pd.DataFrame(made, copy=False), targets.reset_index(drop=True), kinds, fills


def _kind(values: pd.Series) -> Kind:
    """Raises: UserError: dates, free text, or something else that is no number, boolean or category."""
    name, known = values.name, values.dropna()
    if pd.api.types.is_bool_dtype(values) or (len(known) and known.map(lambda each: isinstance(each, bool)).all()):
        return "boolean"
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise UserError(f"column {name}: {DATES}")
    if not len(known):
        return "number"
    if isinstance(values.dtype, pd.CategoricalDtype) or known.map(lambda each: isinstance(each, str)).all():
        texts = known.astype(str)
        distinct = texts.nunique()
        if distinct > 2 and _are_dates(texts):
            raise UserError(f"column {name}: {DATES}")
        if distinct > MOST_CATEGORIES or (distinct > 10 and distinct > len(texts) / 2):
            raise UserError(
                f"column {name}: free text ({distinct} different values in {len(texts)} rows): must have at most "
                f"{MOST_CATEGORIES} that come again, or be left out by data.features"
            )
        return "category"
    example = next(iter(known[~known.map(lambda each: isinstance(each, int | float))]), known.iloc[0])
    allowed = "must be all numbers, all text or all true or false"
    raise UserError(f"column {name}: {brief(example)!r} among other values: {allowed}")


def _are_dates(texts: pd.Series) -> bool:
    head = texts.head(50)
    if not head.str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all():
        return False
    return bool(pd.to_datetime(head, errors="coerce", format="mixed").notna().all())


def _fill(values: pd.Series, kind: Kind, how: str) -> float | str:
    if how == "most_frequent" or kind != "number":
        most = values.mode().iloc[0]  # of equals the least
        return str(most) if kind == "category" else float(most)
    return float(values.mean() if how == "mean" else values.median())


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    found = values.to_numpy(np.float64 if values.dtype != np.float32 else np.float32)
    _expect_numbers(found, name)
    return found


def _expect_numbers(values: np.ndarray, name: str) -> None:
    broken = ~np.isfinite(values)
    if broken.any():
        count = int(broken.sum())
        what = "not a number" if np.isnan(values).any() else "infinite"
        raise UserError(f"column {name}: {count} of {values.size} values are {what}: must be finite numbers")


def _task(targets: pd.DataFrame, table: RawTable, params: DataParams) -> Task:
    names = tuple(str(name) for name in targets.columns)
    asked = params.task
    is_classification = _are_classes(targets, table) if asked == "auto" else asked != "regression"
    if not is_classification:
        for name in names:
            _expect_values(targets[name])
        return Task("regression", names)
    if len(names) > 1:
        raise UserError(f"data.task: {asked}: {len(names)} targets ({', '.join(names)}): must be regression")
    labels = targets.iloc[:, 0]
    known = list(table.classes) if table.classes is not None else _classes(labels)
    if len(known) < 2:
        raise UserError(f"column {names[0]}: one class alone, {known[0]}: must have at least two")
    counts = _codes(labels, known).value_counts()
    rare = next((known[code] for code in range(len(known)) if counts.get(code, 0) < 2), None)
    if rare is not None:
        raise UserError(f"column {names[0]}: class {rare} has one row: must have at least two, to train and to test")
    kind: KindName = "binary" if len(known) == 2 else "multiclass"
    if asked not in ("auto", kind) and not (asked == "multiclass" and kind == "binary"):
        raise UserError(f"data.task: {asked}: {names[0]} has {len(known)} classes: must be {kind}, regression or auto")
    return Task("multiclass" if asked == "multiclass" else kind, tuple(known))


def _are_classes(targets: pd.DataFrame, table: RawTable) -> bool:
    """What `auto` decides: text, booleans and few different whole numbers are classes."""
    if table.is_classification is not None:
        return table.is_classification
    if targets.shape[1] > 1:
        return False
    values = targets.iloc[:, 0]
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return True
    numbers = values.to_numpy(np.float64)
    are_whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    return are_whole and values.nunique() <= MOST_CLASSES


def _classes(labels: pd.Series) -> list[str]:
    distinct = sorted(labels.unique(), key=lambda each: (isinstance(each, str), each))
    return [_class_name(each) for each in distinct]


def _class_name(value: Any) -> str:
    """1 and 1.0 are one class."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return str(value)
    return str(int(value)) if float(value).is_integer() else str(value)


def _codes(labels: pd.Series, classes: Sequence[str]) -> pd.Series:
    place = {name: code for code, name in enumerate(classes)}
    by_value = {value: place[_class_name(value)] for value in labels.unique()}
    return labels.map(by_value).astype(np.int64)


def _expect_values(values: pd.Series) -> None:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_complex_dtype(values):
        raise UserError(
            f"column {values.name}: {brief(values.iloc[0])!r}: must be numbers, for the target of a regression"
        )
    numbers = values.to_numpy(np.float64)
    _expect_numbers(numbers, str(values.name))
    if np.ptp(numbers) == 0:
        raise UserError(f"column {values.name}: constant, {brief(values.iloc[0])}: must vary, to be predicted")


def _as_targets(targets: pd.DataFrame, task: Task) -> np.ndarray:
    if task.is_classification:
        return _codes(targets.iloc[:, 0], task.names).to_numpy()
    return targets.to_numpy(np.float64)
