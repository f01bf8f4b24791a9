"""Convert the bins of a history's histograms to the buckets that TensorBoard's histogram chart draws.

The chart cuts a linear axis, from the first bucket to the last, into 30 bins. Gradients span decades, so on a linear
axis their histogram is a spike at 0. All layers share one axis: with an axis for each layer, gradients of 0.01 and of
1e-8 would look the same.
"""

from typing import Final

import numpy as np

# The smallest half-width of a raw gradient's axis. On a narrower axis, zeros would be a flat block, not a spike.
LEAST_AXIS: Final = 1e-3


def close_linear_bins(edges: np.ndarray) -> np.ndarray:
    """Return the edges [bin + 1] of linear bins from the inner edges [bin - 1]: the outer bins get the inner width."""
    return np.concatenate([[2 * edges[0] - edges[1]], edges, [2 * edges[-1] - edges[-2]]])


def close_logarithmic_bins(edges: np.ndarray) -> np.ndarray:
    """Return the edges [bin + 1] of logarithmic bins from the inner edges [bin - 1], continued by the inner ratio."""
    return np.concatenate([[edges[0] ** 2 / edges[1] * np.sign(edges[0])], edges, [edges[-1] ** 2 / edges[-2]]])


def log10_edges(edges: np.ndarray) -> np.ndarray:
    """Return the edges of the bins of log10 |g| from the inner edges of signed logarithmic bins of g.

    The first bin counts the gradients that are zero and is as wide as the others. Half decades from 1e-12 to 100 make
    30 bins, as many as TensorBoard's chart draws.
    """
    return close_linear_bins(np.round(np.log10(edges[len(edges) // 2 :].astype(np.float64)), 6))


def magnitude_counts(counts: np.ndarray) -> np.ndarray:
    """Return counts of |g| [..., bin] from counts of g in signed bins, of which the middle bin holds zero."""
    middle = counts.shape[-1] // 2
    by_size = counts[..., middle:].astype(np.int32)
    by_size[..., 1:] += counts[..., :middle][..., ::-1]
    return by_size


def symmetric_range(counts: np.ndarray, edges: np.ndarray) -> slice:
    """Return a range of bins, symmetric around zero, that holds all counts [..., bin] and reaches LEAST_AXIS."""
    by_size = magnitude_counts(counts)
    occupied_until = occupied_bins(by_size.reshape(-1, by_size.shape[-1])).stop
    middle = counts.shape[-1] // 2
    reach = max(occupied_until, int(np.searchsorted(edges[middle:], LEAST_AXIS)) + 1)
    return slice(middle - reach + 1, middle + reach)


def occupied_bins(counts: np.ndarray) -> slice:
    """Return the range from the first to the last bin with a count in any row of `counts` [row, bin]."""
    (positions,) = np.nonzero(counts.any(axis=0))
    return slice(int(positions[0]), int(positions[-1]) + 1) if len(positions) else slice(0, 0)


def to_buckets(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return TensorBoard's buckets [bucket, (left, right, count)]; adjacent empty bins become one bucket."""
    empty = counts == 0
    begins = np.flatnonzero(~(empty & np.concatenate([[False], empty[:-1]])))
    ends = np.append(begins[1:], len(counts)) - 1
    return np.stack([left[begins], right[ends], counts[begins]], axis=1)
