"""Read some rows of a user's arrays, evenly from first to last."""

from math import prod
from typing import Final

import keras
import numpy as np

from pipeline.foundations.untyped import Array, Batch

MOST_ROWS: Final = 2_000  # give means, deviations and shares to some 2%
MOST_COLUMNS: Final = 2_000
MOST_NUMBERS: Final = 2**24  # to read at once; large pictures give fewer rows, but at least FEWEST_ROWS
FEWEST_ROWS: Final = 64


def numeric_leaves(values: Batch) -> list[Array]:
    """Return the arrays of numbers [row, ...] in a structure; others, such as texts, are left out."""
    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(values) if leaf is not None]
    return [leaf for leaf in leaves if leaf.ndim and leaf.dtype.kind in "biuf"]


def sampled(leaf: Array, most: int | None = None) -> Array:
    """Return at most `most` rows, evenly from first to last; by default at most MOST_ROWS and MOST_NUMBERS numbers."""
    if most is None:
        most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_NUMBERS // max(1, prod(leaf.shape[1:]))))
    return leaf if len(leaf) <= most else leaf[_evenly(len(leaf), most)]


def sampled_columns(leaf: Array) -> Array:
    """Return some rows and at most MOST_COLUMNS columns, float64 [row, column]."""
    rows = sampled(leaf)
    flat = rows.reshape(len(rows), prod(leaf.shape[1:]))
    columns = _evenly(flat.shape[1], MOST_COLUMNS) if flat.shape[1] > MOST_COLUMNS else slice(None)
    return flat[:, columns].astype(np.float64)


def _evenly(count: int, most: int) -> Array:
    return np.linspace(0, count - 1, most).round().astype(int)
