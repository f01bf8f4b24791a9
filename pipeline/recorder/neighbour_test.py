"""Test whether rows with similar inputs have similar targets; see `targets_told` of `record.REPLICA_VALUES`."""

from typing import Final

import numpy as np

from pipeline.data.split.tasks import MOST_CLASSES
from pipeline.foundations.untyped import Array

# Settings of the test. They are the same for all data sets, so that its values can be compared; the threshold for such
# a value is in params.yaml, `diagnosis.shuffled`.
MIN_ROWS: Final = 100
NEIGHBOURS: Final = 5
SHUFFLES: Final = 100
ROUNDING: Final = 1e-12  # a deviation below this share of the largest number is rounding


def of_pairs(inputs: Array, targets: Array) -> dict[str, float]:
    """Return `targets_told`; empty for fewer than MIN_ROWS rows, or if all inputs or all targets are equal.

    This is Schilling's test of nearest neighbours (1986, JASA 81), extended to numbers: multiply each row's targets
    with the targets of its neighbours, and compare the sum of these products with the same sum for shuffled targets.
    No network is involved.

    Args:
        inputs: float [row, column].
        targets: float [row, column].
    """
    is_finite = np.isfinite(inputs).all(axis=1) & np.isfinite(targets).all(axis=1)
    if is_finite.sum() < MIN_ROWS:
        return {}
    columns, values = _standardised(inputs[is_finite]), _standardised(_by_class(targets[is_finite]))
    if not columns.any() or not values.any():
        return {}
    neighbours = _neighbours(columns)
    random = np.random.default_rng(0)
    orders = [np.arange(len(values)), *(random.permutation(len(values)) for _ in range(SHUFFLES))]
    products = [float((values[order] * values[order][neighbours].sum(axis=1)).sum()) for order in orders]
    return {"targets_told": float((products[0] - np.mean(products[1:])) / np.std(products[1:]))}


# scikit-learn gives the same neighbours, but its import takes longer than the rest of a short training's measurements.
def _neighbours(columns: Array) -> Array:
    """Return the places of the nearest other rows, [row, neighbour]."""
    squares = (columns**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * columns @ columns.T
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]


def _standardised(columns: Array) -> Array:
    """Return the columns with mean 0 and deviation 1, float64; a constant column becomes 0."""
    centred = columns - columns.mean(axis=0, dtype=np.float64)
    deviations = centred.std(axis=0)
    is_constant = deviations <= ROUNDING * np.abs(columns).max(axis=0)
    return np.where(is_constant, 0.0, centred / np.where(is_constant, 1.0, deviations))


def _by_class(targets: Array) -> Array:
    """Return a column of classes as one 0/1 column per class; return any other targets unchanged."""
    classes = np.unique(targets)
    if targets.shape[1] > 1 or len(classes) > MOST_CLASSES or (classes != np.round(classes)).any():
        return targets
    return (targets == classes).astype(float)
