"""Which rows train, validate and test."""

import numpy as np

from pipeline.data import scaling
from pipeline.data.split.samples import Origin, RawData, Samples, Split
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams


def split(raw: RawData, data: DataParams, params: SplitParams) -> tuple[Split, Origin]:
    """Scale all rows and cut them: the first `train` rows train, the next `validation` rows validate, the rest test.

    Raises:
        UserError: no row would be left to test on, or the training rows cannot be learned from.
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
        allowed = f"must be less than the number of rows, {rows}" if train else "must be at least one row"
        raise UserError(f"split.train: {params.train}: {allowed}")
    if train + validation >= rows:
        raise UserError(
            f"split.validation: {params.validation}: {train} of {rows} rows train: must leave at least one to test"
        )
    return train, validation


def _order(raw: RawData, params: SplitParams, train: int, validation: int) -> np.ndarray:
    """The numbers of the rows: those that train, then those that validate, then those that test."""
    rows = np.arange(len(raw))
    if params.stratify and not params.shuffle:
        raise UserError("split.stratify: true: must be false where split.shuffle is false")
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
    from sklearn.model_selection import train_test_split  # here, for it takes long to import

    try:
        first, rest = train_test_split(rows, train_size=count, random_state=seed, stratify=labels)
    except ValueError as error:
        raise UserError(f"split.stratify: true: {str(error).splitlines()[0]}: must be false for so few rows") from None
    return first, rest


def _expect_different(inputs: tuple[str, ...]) -> None:
    """Raises: UserError: two inputs of one name, as column `a` of category `b=c` and column `a=b` of `c` give."""
    if len(set(inputs)) < len(inputs):
        twice = next(name for place, name in enumerate(inputs) if name in inputs[:place])
        raise UserError(f"column {twice.partition('=')[0]}: two inputs would be {twice}: must be named otherwise")


def _expect_learnable(train: Samples, raw: RawData, params: SplitParams) -> None:
    if raw.task.is_classification:
        labels = np.unique(train.targets)
        if len(labels) == 1:
            raise UserError(
                f"split.train: {params.train}: these rows are all of class {raw.task.names[labels[0]]}: must have "
                "several; set split.shuffle to true"
            )
    elif (np.ptp(train.targets, axis=0) == 0).any():
        raise UserError(f"split.train: {params.train}: these rows have equal targets: must vary, to be learned")
