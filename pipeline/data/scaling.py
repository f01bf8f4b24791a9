"""Turn raw rows into a network's inputs and targets: encode categories one-hot, scale numbers."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pipeline.data.split.samples import LARGEST, InputColumn, RawData, Samples, TargetScaling
from pipeline.foundations.errors import UserError
from pipeline.foundations.formats import precision
from pipeline.params.split_params import ScaleParams, Scaler


class _Linear(TypedDict):
    offset: float
    factor: float


_UNSCALED: _Linear = {"offset": 0.0, "factor": 1.0}


def fit(
    raw: RawData, rows: np.ndarray, params: ScaleParams
) -> tuple[tuple[InputColumn, ...], tuple[TargetScaling, ...]]:
    """Fit the scaling of every column and of a regression's targets.

    Args:
        rows: the indices of the rows to fit on.
    """
    columns = tuple(_columns(raw, rows, params))
    if raw.task.is_classification:
        return columns, ()
    target_scalings = (
        TargetScaling(name=name, **_fit_column(raw.targets[rows, place], params.targets, params))
        for place, name in enumerate(raw.task.names)
    )
    return columns, tuple(target_scalings)


def apply(
    raw: RawData, rows: np.ndarray, columns: tuple[InputColumn, ...], targets: tuple[TargetScaling, ...]
) -> Samples:
    """Return rows as scaled inputs and targets; inputs of a large data set are float32.

    Args:
        rows: the indices of the rows.

    Raises:
        UserError: a scaled number is too large; this happens only in rows to which the scaling was not fitted.
    """
    if isinstance(raw.features, np.ndarray):
        offset, factor = (np.array([getattr(each, name) for each in columns]) for name in ("offset", "factor"))
        inputs = (raw.features[rows] * factor + offset).astype(np.float32)
    else:
        count = sum(len(column.inputs) for column in columns)
        # Filled column by column, in Fortran order: so a large table is copied neither here nor when it is written.
        inputs = np.empty((len(rows), count), precision(len(raw), count), order="F")
        place = 0
        for column in columns:
            values = raw.features[column.name].to_numpy()[rows]
            for numbers in _encode(values, column):
                _expect_small(numbers, column.name)
                inputs[:, place] = numbers
                place += 1
    if not targets:
        return Samples(inputs, raw.targets[rows])
    scaled = [raw.targets[rows, place] * each.factor + each.offset for place, each in enumerate(targets)]
    for values, each in zip(scaled, targets, strict=True):
        _expect_small(values, each.name)
    return Samples(inputs, np.stack(scaled, axis=1))


def _expect_small(values: np.ndarray, name: str) -> None:
    if len(values) and not max(abs(float(values.max())), abs(float(values.min()))) <= LARGEST:
        raise UserError(
            f"column {name}: above {LARGEST:g} after scaling: must vary more in the rows that split.fit_scaler_on names"
        )


def _columns(raw: RawData, rows: np.ndarray, params: ScaleParams) -> Iterator[InputColumn]:
    if isinstance(raw.features, np.ndarray):  # scaled by channel, or by feature of the steps
        for place in range(raw.features.shape[-1]):
            values = raw.features[rows, ..., place].reshape(-1)
            yield InputColumn(name=f"x{place + 1}", **_fit_column(values, params.inputs, params))
        return
    for name, kind, values in raw.columns:
        linear = _fit_column(values.to_numpy()[rows], params.inputs, params) if kind == "number" else _UNSCALED
        categories = tuple(sorted(values.unique())) if kind == "category" else ()
        yield InputColumn(name=name, kind=kind, fill=raw.fills.get(name), categories=categories, **linear)


def _fit_column(values: np.ndarray, how: Scaler, params: ScaleParams) -> _Linear:
    """Return offset and factor of the scaling `how`, fitted by scikit-learn to the values of a column."""
    if how == "none":
        return _UNSCALED
    column = values.reshape(-1, 1).astype(np.float64)
    if how == "minmax":
        minmax = MinMaxScaler(feature_range=params.range).fit(column)
        return {"offset": float(minmax.min_[0]), "factor": float(minmax.scale_[0])}
    standard = StandardScaler().fit(column)
    factor = 1 / float(standard.scale_[0])
    return {"offset": -float(standard.mean_[0]) * factor, "factor": factor}


def _encode(values: np.ndarray, column: InputColumn) -> Iterator[np.ndarray]:
    if column.kind == "category":
        yield from (values == category for category in column.categories)
    else:
        yield values.astype(np.float64) * column.factor + column.offset
