"""A landscape of hills, and which of them count: a peak that rises far enough over the saddle to any higher one.

How far a peak rises over that saddle is its dynamics (Grimaud 1992, doi:10.1117/12.60650); keeping the peaks with
dynamics of at least h is what is called the h-maxima. Votes for the middle of an object, distances to its rim and its
brightness are all such landscapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def hills(heights: NDArray[np.floating[Any]], where: NDArray[np.bool_], *, least: float) -> NDArray[np.int32]:
    """The hill (from 1) of every pixel of `where` (*spatial), 0 outside; each has one peak that counts.

    heights: (*spatial), finite. A peak counts if it is the highest of its piece of `where`, or rises `least` over the
    saddle to a higher one. Pixels go to the peak that they flow up to (watershed, Beucher & Meyer 1993). Empty `where`:
    no hills.

    >>> heights = np.array([[1.0, 3, 2, 2.5, 1, 4, 1]])
    >>> hills(heights, heights > 0, least=1.0)
    array([[1, 1, 1, 1, 2, 2, 2]], dtype=int32)
    """
    basins, number = flooded(heights, where)
    return numbered(joined(basins, heights, number, least=least)[basins])


def flooded(heights: NDArray[np.floating[Any]], where: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """The basin (from 1) of every peak, however low, (*spatial) with 0 outside `where`; and how many there are."""
    from scipy import ndimage
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    flood: Any = watershed
    summits: Any = local_maxima
    if not where.any():
        return np.zeros(where.shape, np.int32), 0
    inside = np.where(where, heights, heights[where].min() - 1)
    seeds, number = ndimage.label(summits(inside) & where, np.ones((3,) * where.ndim))
    return flood(-inside, seeds, mask=where).astype(np.int32), int(number)


def joined(
    basins: NDArray[np.integer[Any]], hills: NDArray[np.floating[Any]], number: int, *, least: float
) -> NDArray[np.int32]:
    """The hill that each basin (0 to `number`) belongs to once the low ones have joined.

    From the highest saddle down: where two hills meet, the lower joins unless it rises `least` above the saddle.
    """
    saddles: list[NDArray[Any]] = []
    for axis in range(basins.ndim):
        here, there = (np.moveaxis(basins, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        low, high = (np.moveaxis(hills, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        meet = (here != there) & (here > 0) & (there > 0)
        saddles.append(np.stack([here[meet], there[meet], np.minimum(low[meet], high[meet])]))
    first, second, height = np.concatenate(saddles, axis=1)
    order = np.argsort(-height, kind="stable")
    pairs = np.minimum(first, second) * (number + 1) + np.maximum(first, second)
    order = order[np.sort(np.unique(pairs[order], return_index=True)[1])]  # of each pair the highest saddle
    inside = basins > 0
    peaks = np.full(number + 1, -np.inf, hills.dtype)
    np.maximum.at(peaks, basins[inside].astype(np.intp), hills[inside])
    tops = peaks.astype(float).tolist()
    head = list(range(number + 1))

    def top(basin: int) -> int:
        while head[basin] != basin:
            head[basin] = head[head[basin]]
            basin = head[basin]
        return basin

    for a, b, saddle in zip(*(part[order].tolist() for part in (first, second, height)), strict=True):
        one, other = top(int(a)), top(int(b))
        if one == other:
            continue
        lower, higher = (one, other) if (tops[one], -one) < (tops[other], -other) else (other, one)
        if tops[lower] - saddle < least:
            head[lower] = higher
    return np.array([top(basin) for basin in range(number + 1)], np.int32)


def numbered(ids: NDArray[np.integer[Any]], *, smallest_px: int = 0) -> NDArray[np.int32]:
    """The same objects with ids 1, 2, 3, ... and without those of fewer than `smallest_px` pixels.

    >>> numbered(np.array([[7, 7, 0, 3]]), smallest_px=2)
    array([[1, 1, 0, 0]], dtype=int32)
    """
    if ids.size and ids.min() >= 0 and ids.max() <= ids.size:  # few enough to be counted without being sorted
        counts = np.bincount(ids.ravel())
        kept = counts >= max(smallest_px, 1)
        kept[0] = False
        return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[ids])
    names, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    kept = (names != 0) & (counts >= smallest_px)
    new = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return new[inverse].reshape(ids.shape)
