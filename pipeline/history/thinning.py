"""Which epochs of a curve are kept where it is only shown."""

from typing import Final

import numpy as np

CURVE_EPOCHS: Final = 250  # of a curve, at most: MLflow's UI draws some 320 points, whatever is stored


def evenly_spaced(epochs: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the sorted `epochs`: the first, the last, and as evenly spaced between as can be."""
    places = np.linspace(0, len(epochs) - 1, min(count, len(epochs)))
    return epochs[np.unique(np.round(places).astype(int))]


def log_spaced(epochs: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the sorted `epochs`, dense at first: the first, the last, and log-spaced between."""
    wanted = np.geomspace(1, len(epochs), count)
    return epochs[np.unique(np.round(wanted).astype(int)) - 1]
