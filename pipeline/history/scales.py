"""Measure the scale of inputs and targets; see `record.REPLICA_VALUES`."""

import numpy as np


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
