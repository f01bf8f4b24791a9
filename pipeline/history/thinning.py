"""Choose some epochs of a curve for display."""

from typing import Final

import numpy as np

CURVE_EPOCHS: Final = 250  # the most epochs of a curve: MLflow's UI draws only some 320 points


def evenly_spaced(epochs: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of the sorted `epochs`: the first, the last, and evenly spaced ones between them."""
    places = np.linspace(0, len(epochs) - 1, min(count, len(epochs)))
    return epochs[np.unique(np.round(places).astype(int))]


def log_spaced(epochs: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of the sorted `epochs`: the first, the last, and log-spaced ones between them."""
    places = np.geomspace(1, len(epochs), count)
    return epochs[np.unique(np.round(places).astype(int)) - 1]
