"""Find the task of the targets, turn them into labels or numbers, and report faults."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
import pandas as pd

from pipeline.data.columns import MIXED, expect_no_dates, expect_numbers, expect_printable
from pipeline.data.split.tasks import MOST_CLASSES, KindName, Task
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams, class_name
from pipeline.params.file import brief, one_of


def convert_targets(
    targets: pd.DataFrame, is_classification: bool | None, classes: Sequence[str] | None, params: DataParams
) -> tuple[Task, np.ndarray]:
    """Return the task, and labels int64 [row] or values float64 [row, target].

    Args:
        targets: a column for each target.
        is_classification, classes: as in `RawTable`.

    Raises:
        UserError: the targets do not fit `data.task`, or no network can learn them.
    """
    names = tuple(str(name) for name in targets.columns)
    task_name = params.task
    for name in names:
        if not pd.api.types.is_numeric_dtype(targets[name]):
            expect_no_dates(targets[name])
    if task_name != "auto":
        is_classification = task_name != "regression"
    elif is_classification is None:
        is_classification = _are_classes(targets)
    if not is_classification:
        if params.positive_class is not None:
            raise UserError(f"data.positive_class: {brief(params.positive_class)}: must be null for a regression")
        return Task("regression", names), np.stack([_values(targets[name]) for name in names], axis=1)
    if len(names) > 1:
        raise UserError(f"data.task: {task_name}: {len(names)} targets ({', '.join(names)}): must be regression")
    class_names, labels = _labels(targets[names[0]], classes)
    if len(class_names) < 2:
        raise UserError(f"column {names[0]}: only one class, {class_names[0]}: must have at least two")
    counts = np.bincount(labels, minlength=len(class_names))
    if counts.min() < 2:
        rare = class_names[int(counts.argmin())]
        raise UserError(f"column {names[0]}: class {rare} has one row: must have at least two, to train and to test")
    kind: KindName = "binary" if len(class_names) == 2 and task_name != "multiclass" else "multiclass"
    if task_name not in ("auto", kind):
        raise UserError(
            f"data.task: {task_name}: {names[0]} has {len(class_names)} classes: must be {kind}, regression or auto"
        )
    if params.positive_class is not None:
        class_names, labels = _with_positive(params.positive_class, class_names, labels, kind)
    return Task(kind, tuple(class_names)), labels


def _with_positive(name: str, classes: list[str], labels: np.ndarray, kind: KindName) -> tuple[list[str], np.ndarray]:
    """Return the two classes with the positive class last, and the labels in this order.

    Raises:
        UserError: the task is not binary, or has no class of this name.
    """
    if kind != "binary":
        raise UserError(f"data.positive_class: {brief(name)}: must be null for a multiclass task")
    if name not in classes:
        raise UserError(f"data.positive_class: {brief(name)}: {one_of(classes, name)}")
    return (classes, labels) if name == classes[1] else (classes[::-1], 1 - labels)


def _are_classes(targets: pd.DataFrame) -> bool:
    """Return whether the targets are classes, for `data.task: auto`.

    Classes are text, booleans, or at most MOST_CLASSES different whole numbers.
    """
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


def _labels(targets: pd.Series, classes: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """Return the names of the classes that occur, in the order of their labels, and the labels int64 [row].

    Args:
        classes: the names of all classes, if `targets` are their places; otherwise None.

    Labels follow the file's categories if these are ordered; otherwise they follow ascending names or numbers.
    """
    if pd.api.types.is_complex_dtype(targets):
        raise UserError(f"column {targets.name}: complex numbers: must be classes")
    try:
        codes, distinct = pd.factorize(targets)
    except TypeError:  # lists and maps, which cannot be hashed
        raise UserError(f"column {targets.name}: {brief(repr(targets.iloc[0]))} {MIXED}") from None
    values = list(distinct)
    if pd.api.types.is_float_dtype(targets):
        expect_numbers(np.asarray(values, np.float64), str(targets.name))
    if not any(all(isinstance(value, kind) for value in values) for kind in (str, (Real, np.bool_))):
        raise UserError(f"column {targets.name}: {brief(repr(values[0]))} {MIXED}")
    is_ordered = isinstance(targets.dtype, pd.CategoricalDtype) and targets.dtype.ordered
    rank = targets.cat.categories.get_loc if is_ordered else lambda value: value
    order = sorted(range(len(values)), key=lambda place: rank(values[place]))
    names = [class_name(values[place]) if classes is None else classes[int(values[place])] for place in order]
    for name in names:
        expect_printable(name, f"column {targets.name}")
    return names, np.argsort(order)[codes]  # argsort inverts the order: the label of each of `values`


def _values(targets: pd.Series) -> np.ndarray:
    """Return a regression's target, float64 [row].

    Raises:
        UserError: a value is not a finite number, or all values are equal.
    """
    name = str(targets.name)
    if not pd.api.types.is_numeric_dtype(targets) or pd.api.types.is_complex_dtype(targets):
        raise UserError(f"column {name}: {brief(repr(targets.iloc[0]))}: the target of a regression must be numbers")
    numbers = targets.to_numpy(np.float64)
    expect_numbers(numbers, name)
    if np.ptp(numbers) == 0:
        raise UserError(
            f"column {name}: all values are {brief(targets.iloc[0])}: must have at least two different values"
        )
    return numbers
