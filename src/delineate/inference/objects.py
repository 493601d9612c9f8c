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

from delineate.objects import joined, numbered

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
    ids[foreground] = joined(basins, hills, number, least=math.log(ratio))[basins.ravel()[aimed]]
    whole = flood(np.zeros(foreground.shape), _largest_pieces(ids), mask=foreground)
    return numbered(whole, smallest_px=smallest_px)


def objects_by_class(
    labels: NDArray[np.integer[Any]],
    likely: NDArray[np.floating[Any]],
    offsets: NDArray[np.floating[Any]],
    *,
    radius_px: float,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), each object of one class: `separated` and `sure` for each class but background.

    labels: (*spatial) class indices. likely: (classes, *spatial) probabilities. offsets: as in `separated`. radius_px: of
    the typical object.
    """
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
