"""Split the rows into training, validation and test rows, and scale them."""

import numpy as np

from pipeline.data import scaling
from pipeline.data.raw_files import RAW
from pipeline.data.split.samples import Origin, RawData, Samples, Split
from pipeline.foundations.errors import UserError, first_line
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams


def split(raw: RawData, data: DataParams, params: SplitParams) -> tuple[Split, Origin]:
    """Scale all rows, and split them into training rows, then validation rows, then test rows.

    Raises:
        UserError: no row would be left for the test, all training rows have the same target, or `stratify` is
            impossible.
    """
    train, validation = _counts(len(raw), params)
    order = _order(raw, params, train, validation)
    columns, targets = scaling.fit(raw, order if params.fit_scaler_on == "all" else order[:train], params.scale)
    parts = [scaling.apply(raw, rows, columns, targets) for rows in np.split(order, [train, train + validation])]
    _expect_learnable(parts[0], raw, params)
    origin = Origin(
        task=raw.task,
        columns=columns,
        shape=tuple(parts[0].inputs.shape[1:]),
        targets=targets,
        data=data,
        split=params,
    )
    _expect_different(origin.inputs)
    return Split(raw.task, parts[0], parts[2], parts[1] if validation else None), origin


def _counts(rows: int, params: SplitParams) -> tuple[int, int]:
    train, validation = (
        round(value * rows) if isinstance(value, float) else value for value in (params.train, params.validation)
    )
    if not 0 < train < rows:
        allowed = f"must be less than the number of rows of {RAW}, {rows}" if train else "must be at least one row"
        raise UserError(f"split.train: {params.train}: {allowed}")
    if train + validation >= rows:
        raise UserError(
            f"split.validation: {params.validation}: {train} of {rows} rows are for training: must leave at least one "
            "for the test"
        )
    return train, validation


def _order(raw: RawData, params: SplitParams, train: int, validation: int) -> np.ndarray:
    """Return the indices of the rows for training, then for validation, then for the test."""
    rows = np.arange(len(raw))
    if params.stratify and not params.shuffle:
        raise UserError("split.stratify: true: must be false if split.shuffle is false")
    if params.stratify and not raw.task.is_classification:
        raise UserError("split.stratify: true: must be false for a regression, which has no classes")
    if not params.shuffle:
        return rows
    if not params.stratify:
        return np.random.Generator(np.random.PCG64(params.seed)).permutation(rows)
    first, rest = _stratified(rows, raw.targets, train, params.seed)
    if not validation:
        return np.concatenate([first, rest])
    return np.concatenate([first, *_stratified(rest, raw.targets[rest], validation, params.seed)])


def _stratified(rows: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split  # imported late: it is slow

    try:
        first, rest = train_test_split(rows, train_size=count, random_state=seed, stratify=labels)
    except ValueError as error:
        raise UserError(f"split.stratify: true: {first_line(error)}: must be false with so few rows") from None
    return first, rest


def _expect_different(inputs: tuple[str, ...]) -> None:
    """Check that all inputs have different names.

    Raises:
        UserError: two inputs have one name, such as category `b=c` of column `a` and category `c` of column `a=b`.
    """
    if len(set(inputs)) < len(inputs):
        name = next(name for place, name in enumerate(inputs) if name in inputs[:place])
        raise UserError(f"column {name.partition('=')[0]}: two inputs would be called {name}: must have another name")


def _expect_learnable(train: Samples, raw: RawData, params: SplitParams) -> None:
    if raw.task.is_classification:
        labels = np.unique(train.targets)
        if len(labels) == 1:
            raise UserError(
                f"split.train: {params.train}: these rows all have the class {raw.task.names[labels[0]]}: must have "
                "several classes; set split.shuffle to true"
            )
    elif (np.ptp(train.targets, axis=0) == 0).any():
        raise UserError(
            f"split.train: {params.train}: these rows have equal targets: must have at least two different targets"
        )
