"""Separating objects that touch: every pixel votes for the middle of its object.

The network says for every pixel how far away, and in which direction, the middle of its object lies. Where many votes
meet there is an object, and the pixels that voted there are its own, however tightly it is packed among others. A peak
of votes counts if the way to any higher one leads through far fewer votes.
Hough voting, Ballard 1981, doi:10.1016/0031-3203(81)90009-1; learnt offsets to the centre, Neven et al. 2019,
arXiv:1906.11109, and Cheng et al. 2020, arXiv:1911.10194; a peak is measured by its rise over the saddle (its dynamics, Grimaud
1992, doi:10.1117/12.60650), in the logarithm, for objects are large and small.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGMA_PX = 1.5
SIGMA = 0.15  # how far votes are smoothed, in radii of the typical object
RATIO = 2.8
LEAST_SURE = 0.83
_NONE = 1e-3  # votes per pixel that count as none


def separated(
    foreground: NDArray[np.bool_],
    offsets: NDArray[np.floating[Any]],
    *,
    sigma_px: float = SIGMA_PX,
    ratio: float = RATIO,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 where there is no object, numbered from 1.

    foreground: (*spatial) bool. offsets: (dims, *spatial), from each pixel to the middle of its object, in pixels along
    the last `dims` axes; with dims below the number of axes, slices vote each for itself and their votes are joined.
    The votes are smoothed by a Gaussian of `sigma_px` along these axes; a peak with `ratio` times as many votes as the
    saddle to any higher one is an object. Of an object in several pieces the largest stays; the other pieces go to the
    object they touch. Objects of fewer than `smallest_px` pixels are none. Empty foreground: no objects.

    >>> offsets = np.array([[[1, 0, -1, 1, 0, -1, 0]]])
    >>> separated(np.array([[1, 1, 1, 1, 1, 1, 0]], bool), np.concatenate([0 * offsets, offsets]), sigma_px=0.5)
    array([[1, 1, 1, 2, 2, 2, 0]], dtype=int32)
    """
    from scipy import ndimage
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    flood: Any = watershed
    summits: Any = local_maxima
    if not foreground.any():
        return np.zeros(foreground.shape, np.int32)
    dims, shape = len(offsets), np.array(foreground.shape)
    voters = np.stack(np.nonzero(foreground))
    aims = voters.copy()
    aims[-dims:] = np.rint(voters[-dims:] + offsets[:, foreground])
    aimed = np.ravel_multi_index(tuple(np.clip(aims, 0, (shape - 1)[:, None])), foreground.shape)
    votes = np.bincount(aimed, minlength=foreground.size).reshape(foreground.shape)
    sigmas = (0.0,) * (foreground.ndim - dims) + (sigma_px,) * dims
    hills = np.log(np.maximum(ndimage.gaussian_filter(votes.astype(np.float32), sigmas), _NONE))
    voted = hills > math.log(_NONE)
    around = np.pad(hills, 1, constant_values=math.log(_NONE) - 1)  # the border of the picture is no summit
    tops = summits(around)[(slice(1, -1),) * foreground.ndim]
    seeds, number = ndimage.label(tops & voted, np.ones((3,) * foreground.ndim))
    basins = flood(-hills, seeds, mask=voted)
    ids = np.zeros(foreground.shape, np.int32)
    ids[foreground] = _joined(basins, hills, number, least=math.log(ratio))[basins.ravel()[aimed]]
    whole = flood(np.zeros(foreground.shape), _largest_pieces(ids), mask=foreground)
    return numbered(whole, smallest_px=smallest_px)


def objects_by_class(
    likely: NDArray[np.floating[Any]],
    offsets: NDArray[np.floating[Any]],
    *,
    radius_px: float,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), each object of one class: `separated` and `sure` for each class but background.

    likely: (classes, *spatial) probabilities. offsets: as in `separated`. radius_px: of the typical object.
    """
    labels = likely.argmax(0)
    ids = np.zeros(labels.shape, np.int32)
    for label in range(1, len(likely)):
        found = separated(labels == label, offsets, sigma_px=SIGMA * radius_px, smallest_px=smallest_px)
        found = sure(found, likely[label])
        ids = np.where(found > 0, found + ids.max(), ids)
    return ids


def sure(
    ids: NDArray[np.integer[Any]], likely: NDArray[np.floating[Any]], *, least: float = LEAST_SURE
) -> NDArray[np.int32]:
    """The same objects without those whose pixels are, on average, less likely than `least`.

    ids: (*spatial). likely: (*spatial), the probability of the objects' class. A doubtful texture breaks up into many
    specks that are each barely foreground; an object seldom is.

    >>> sure(np.array([[1, 1, 0, 2]]), np.array([[0.9, 0.9, 0.1, 0.6]]))
    array([[1, 1, 0, 0]], dtype=int32)
    """
    counts = np.maximum(np.bincount(ids.ravel()), 1)
    means = np.bincount(ids.ravel(), weights=likely.ravel()) / counts
    return numbered(np.where(means[ids] >= least, ids, 0))


def numbered(ids: NDArray[np.integer[Any]], *, smallest_px: int = 0) -> NDArray[np.int32]:
    """The same objects with ids 1, 2, 3, ... and without those of fewer than `smallest_px` pixels.

    >>> numbered(np.array([[7, 7, 0, 3]]), smallest_px=2)
    array([[1, 1, 0, 0]], dtype=int32)
    """
    names, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    kept = (names != 0) & (counts >= smallest_px)
    new = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return new[inverse].reshape(ids.shape)


def _joined(
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
    peaks = np.full(number + 1, -np.inf)
    np.maximum.at(peaks, basins.ravel(), hills.ravel())
    head = list(range(number + 1))

    def top(basin: int) -> int:
        while head[basin] != basin:
            head[basin] = head[head[basin]]
            basin = head[basin]
        return basin

    for a, b, saddle in zip(first[order].astype(int), second[order].astype(int), height[order], strict=True):
        one, other = top(a), top(b)
        lower, higher = sorted((one, other), key=lambda basin: (peaks[basin], -basin))
        if one != other and peaks[lower] - saddle < least:
            head[lower] = higher
    return np.array([top(basin) for basin in range(number + 1)], np.int32)


def _largest_pieces(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of each id only its largest connected piece."""
    from skimage.measure import label

    connected: Any = label
    pieces = connected(ids, connectivity=1)
    sizes = np.bincount(pieces.ravel())
    owners = np.zeros(len(sizes), np.int32)
    owners[pieces.ravel()] = ids.ravel()
    largest = np.zeros(owners.max() + 1, np.intp)
    order = np.argsort(sizes, kind="stable")
    largest[owners[order]] = order  # of equal owners the last, which is the largest, stays
    return np.where(largest[ids] == pieces, ids, 0).astype(np.int32)
