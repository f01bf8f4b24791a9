"""The history's bins as TensorBoard's chart wants them: with ends, and on an axis that can be read.

The chart has a linear axis from the first bucket to the last, cut into 30. A gradient spans decades, so by its values
alone it is a spike, and a chart that scales to it makes the same picture of 0.01 and of 1e-8: hence one axis for all.
"""

from typing import Final

import numpy as np

# Least half-width of a raw gradient's axis, so that zeros show as a spike and not as a flat block.
LEAST_AXIS: Final = 1e-3


def closed_by_step(edges: np.ndarray) -> np.ndarray:
    """All edges of linear bins: the open ones end a step beyond; [bin + 1] from [bin - 1]."""
    return np.concatenate([[2 * edges[0] - edges[1]], edges, [2 * edges[-1] - edges[-2]]])


def closed_by_ratio(edges: np.ndarray) -> np.ndarray:
    """The same of logarithmic bins: they end a ratio beyond."""
    return np.concatenate([[edges[0] ** 2 / edges[1] * np.sign(edges[0])], edges, [edges[-1] ** 2 / edges[-2]]])


def decades(edges: np.ndarray) -> np.ndarray:
    """The edges of log10 |g| from those of signed-logarithmic bins; the first bin is zero's, as wide as the others.

    From 1e-12 to 100 by half decades these are 30 bins, which TensorBoard's chart draws as they are.
    """
    return closed_by_step(np.round(np.log10(edges[len(edges) // 2 :].astype(np.float64)), 6))


def magnitudes(counts: np.ndarray) -> np.ndarray:
    """Counts by size alone, [..., bin] from signed bins around a middle one for zero."""
    middle = counts.shape[-1] // 2
    sizes = counts[..., middle:].astype(np.int32)
    sizes[..., 1:] += counts[..., :middle][..., ::-1]
    return sizes


def symmetric(counts: np.ndarray, edges: np.ndarray) -> slice:
    """The bins around zero that hold all of `counts` [..., bin], on both sides alike, and reach LEAST_AXIS."""
    sizes = magnitudes(counts)
    occupied_until = occupied(sizes.reshape(-1, sizes.shape[-1])).stop
    middle = counts.shape[-1] // 2
    reach = max(occupied_until, int(np.searchsorted(edges[middle:], LEAST_AXIS)) + 1)
    return slice(middle - reach + 1, middle + reach)


def occupied(counts: np.ndarray) -> slice:
    """From the first bin to the last that is not empty in all of `counts` [row, bin]; none if all are."""
    (places,) = np.nonzero(counts.any(axis=0))
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def buckets(left: np.ndarray, right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """TensorBoard's [bucket, (left, right, count)]; neighbours that are empty are one bucket, which draws the same."""
    empty = counts == 0
    begins = np.flatnonzero(~(empty & np.concatenate([[False], empty[:-1]])))
    ends = np.append(begins[1:], len(counts)) - 1
    return np.stack([left[begins], right[ends], counts[begins]], axis=1)
