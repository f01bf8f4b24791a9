"""How large inputs and targets are, as `history.record.SIDES` names it."""

import numpy as np


def of_inputs(columns: np.ndarray) -> dict[str, float]:
    """`input_scale` and `input_decades`; nothing where no row is finite.

    Args:
        columns: float [row, column].
    """
    known = columns[np.isfinite(columns).all(axis=1)]
    if not known.size:
        return {}
    spread = known.std(axis=0)
    varied = spread[spread > 0]
    decades = float(np.log10(varied.max() / np.median(varied))) if len(varied) else 0.0
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
