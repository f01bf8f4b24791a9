"""How large inputs and targets are, and whether they belong together, as `history.record.SIDES` names it."""

import numpy as np

from pipeline.data.split.tasks import MOST_CLASSES

LEAST, NEIGHBOURS, SHUFFLED = 100, 5, 100  # rows that say something, their neighbours, and times shuffled


def of_inputs(columns: np.ndarray) -> dict[str, float]:
    """`input_scale` and `input_decades`; nothing where no row is finite.

    The typical column is the one with the median standard deviation, of two middle ones the lower: the mean of two
    columns would be as wide as the wider one.

    Args:
        columns: float [row, column].
    """
    known = columns[np.isfinite(columns).all(axis=1)]
    if not known.size:
        return {}
    spread = known.std(axis=0)
    varied = spread[spread > 0]
    decades = float(np.log10(varied.max() / np.quantile(varied, 0.5, method="lower"))) if len(varied) else 0.0
    return {"input_scale": float(np.sqrt((known**2).mean())), "input_decades": decades}


def of_targets(targets: np.ndarray) -> dict[str, float]:
    """`target_low`, `target_high` and `target_scale`, of those that are finite; nothing where none is.

    Args:
        targets: float, of any shape.
    """
    known = targets[np.isfinite(targets)].astype(np.float64)
    if not known.size:
        return {}
    scale = float(np.sqrt((known**2).mean()))
    return {"target_low": float(known.min()), "target_high": float(known.max()), "target_scale": scale}


def of_pairs(inputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """`targets_told`; nothing of less than LEAST rows, or where all inputs or all targets are equal.

    Schilling's test of nearest neighbours (1986, JASA 81), for numbers as well: the products of each row's targets with
    its neighbours', held against those of shuffled targets. A network is not asked.

    Args:
        inputs, targets: float [row, column].
    """
    from sklearn.neighbors import NearestNeighbors  # here, for it takes long to import, and `train` does without
    from sklearn.preprocessing import StandardScaler

    known = np.isfinite(inputs).all(axis=1) & np.isfinite(targets).all(axis=1)
    if known.sum() < LEAST:
        return {}
    columns, wanted = (StandardScaler().fit_transform(each) for each in (inputs[known], _by_class(targets[known])))
    if not columns.any() or not wanted.any():
        return {}
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(columns).kneighbors(columns)[1][:, 1:]
    random = np.random.default_rng(0)
    orders = [np.arange(len(wanted)), *(random.permutation(len(wanted)) for _ in range(SHUFFLED))]
    alike = [float((wanted[order] * wanted[order][neighbours].sum(axis=1)).sum()) for order in orders]
    return {"targets_told": float((alike[0] - np.mean(alike[1:])) / np.std(alike[1:]))}


def _by_class(targets: np.ndarray) -> np.ndarray:
    """A column for each class, where a single one holds classes."""
    classes = np.unique(targets)
    if targets.shape[1] > 1 or len(classes) > MOST_CLASSES or (classes != np.round(classes)).any():
        return targets
    return (targets == classes).astype(float)
