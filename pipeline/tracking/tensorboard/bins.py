"""The history's bins as buckets for TensorBoard's histogram chart: with ends, and on one axis that can be read.

The chart cuts a linear axis, from the first bucket to the last, into 30 bins. A gradient spans decades, so on a linear
axis it is a spike. A chart that scales to it would draw 0.01 and 1e-8 alike: hence one axis for all layers.
"""

from typing import Final

import numpy as np

# Least half-width of a raw gradient's axis, so that zeros show as a spike and not as a flat block.
LEAST_AXIS: Final = 1e-3


def closed_by_step(edges: np.ndarray) -> np.ndarray:
    """Return all edges of linear bins, [bin + 1] from [bin - 1]: the two open bins end one step beyond."""
    return np.concatenate([[2 * edges[0] - edges[1]], edges, [2 * edges[-1] - edges[-2]]])


def closed_by_ratio(edges: np.ndarray) -> np.ndarray:
    """Return all edges of logarithmic bins, [bin + 1] from [bin - 1]: the two open bins end one ratio beyond."""
    return np.concatenate([[edges[0] ** 2 / edges[1] * np.sign(edges[0])], edges, [edges[-1] ** 2 / edges[-2]]])


def decades(edges: np.ndarray) -> np.ndarray:
    """Return the edges of log10 |g| from the edges of signed logarithmic bins.

    The first bin holds zero and is as wide as the others. From 1e-12 to 100 by half decades there are 30 bins, as many
    as TensorBoard's chart draws.
    """
    return closed_by_step(np.round(np.log10(edges[len(edges) // 2 :].astype(np.float64)), 6))


def magnitudes(counts: np.ndarray) -> np.ndarray:
    """Return counts by |g|, [..., bin], from signed bins around a middle bin for zero."""
    middle = counts.shape[-1] // 2
    sizes = counts[..., middle:].astype(np.int32)
    sizes[..., 1:] += counts[..., :middle][..., ::-1]
    return sizes


def symmetric(counts: np.ndarray, edges: np.ndarray) -> slice:
    """Return the symmetric range of bins around zero that holds all of `counts` [..., bin] and reaches LEAST_AXIS."""
    sizes = magnitudes(counts)
    occupied_until = occupied(sizes.reshape(-1, sizes.shape[-1])).stop
    middle = counts.shape[-1] // 2
    reach = max(occupied_until, int(np.searchsorted(edges[middle:], LEAST_AXIS)) + 1)
    return slice(middle - reach + 1, middle + reach)


def occupied(counts: np.ndarray) -> slice:
    """Return the range from the first to the last bin with a count in any row of `counts` [row, bin]."""
    (places,) = np.nonzero(counts.any(axis=0))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def buckets(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return TensorBoard's [bucket, (left, right, count)]; empty neighbours become one bucket, which draws the same."""
    empty = counts == 0
    begins = np.flatnonzero(~(empty & np.concatenate([[False], empty[:-1]])))
    ends = np.append(begins[1:], len(counts)) - 1
    return np.stack([left[begins], right[ends], counts[begins]], axis=1)
