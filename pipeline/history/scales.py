"""Measure the scale of inputs and targets, and whether targets depend on inputs; see `record.REPLICA_VALUES`."""

import numpy as np

from pipeline.data.split.tasks import MOST_CLASSES

# Settings of the nearest-neighbour test. They are the same for all data sets, so that its values can be compared; the
# threshold for such a value is in params.yaml, `diagnosis.shuffled`.
MIN_ROWS, NEIGHBOURS, SHUFFLES = 100, 5, 100


def of_inputs(columns: np.ndarray) -> dict[str, float]:
    """Return `input_scale` and `input_decades`; empty if no row is finite.

    The decades are counted from the column with the median standard deviation. Of two middle columns, the lower
    deviation is taken, because the mean of both would be about as great as the greater deviation.

    Args:
        columns: float [row, column].
    """
    finite = columns[np.isfinite(columns).all(axis=1)]
    if not finite.size:
        return {}
    deviations = finite.std(axis=0)
    positive = deviations[deviations > 0]
    decades = float(np.log10(positive.max() / np.quantile(positive, 0.5, method="lower"))) if len(positive) else 0.0
    return {"input_scale": float(np.sqrt((finite**2).mean())), "input_decades": decades}


def of_targets(targets: np.ndarray) -> dict[str, float]:
    """Return `target_low`, `target_high` and `target_scale` of the finite targets; empty if there are none.

    Args:
        targets: float, of any shape.
    """
    finite = targets[np.isfinite(targets)].astype(np.float64)
    if not finite.size:
        return {}
    scale = float(np.sqrt((finite**2).mean()))
    return {"target_low": float(finite.min()), "target_high": float(finite.max()), "target_scale": scale}


def of_pairs(inputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return `targets_told`; empty for fewer than MIN_ROWS rows, or if all inputs or all targets are equal.

    This is Schilling's test of nearest neighbours (1986, JASA 81), extended to numbers: multiply each row's targets
    with the targets of its neighbours, and compare the sum of these products with the same sum for shuffled targets.
    No network is involved.

    Args:
        inputs: float [row, column].
        targets: float [row, column].
    """
    from sklearn.neighbors import NearestNeighbors  # imported late: it is slow, and `train` does not need it
    from sklearn.preprocessing import StandardScaler

    is_finite = np.isfinite(inputs).all(axis=1) & np.isfinite(targets).all(axis=1)
    if is_finite.sum() < MIN_ROWS:
        return {}
    finite = (inputs[is_finite], _by_class(targets[is_finite]))
    columns, values = (StandardScaler().fit_transform(each) for each in finite)
    if not columns.any() or not values.any():
        return {}
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(columns).kneighbors(columns)[1][:, 1:]
    random = np.random.default_rng(0)
    orders = [np.arange(len(values)), *(random.permutation(len(values)) for _ in range(SHUFFLES))]
    products = [float((values[order] * values[order][neighbours].sum(axis=1)).sum()) for order in orders]
    return {"targets_told": float((products[0] - np.mean(products[1:])) / np.std(products[1:]))}


def _by_class(targets: np.ndarray) -> np.ndarray:
    """Return a column of classes as one 0/1 column per class; return any other targets unchanged."""
    classes = np.unique(targets)
    if targets.shape[1] > 1 or len(classes) > MOST_CLASSES or (classes != np.round(classes)).any():
        return targets
    return (targets == classes).astype(float)
