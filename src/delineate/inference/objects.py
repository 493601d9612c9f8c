"""Separating objects that touch: a watershed that floods from the middle of each object.

The network says for every pixel how far inside its object it lies: 0 at the rim, high in the middle. Smoothed a
little, its hills are objects; a hill counts if one has to go down far enough before one can climb a higher one. From
the hilltops a watershed fills the foreground, so that two objects meet along the valley between them.
Meyer 1994, doi:10.1016/0165-1684(94)90060-4; hills by h-maxima, Soille 1999, doi:10.1007/978-3-662-03939-7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PROMINENCE = 0.12
LOWEST = 0.3
SIGMA_PX = 1.2
LEAST_SURE = 0.85


def separated(
    foreground: NDArray[np.bool_],
    middle: NDArray[np.floating[Any]],
    *,
    prominence: float = PROMINENCE,
    lowest: float = LOWEST,
    sigma_px: float = SIGMA_PX,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 where there is no object, numbered from 1.

    foreground: (*spatial) bool. middle: (*spatial), 0 to 1, high in the middle of objects; smoothed by a Gaussian of
    `sigma_px` along the last two axes. A hill of it that is at least `lowest` high, and that rises by `prominence`
    over the way to any higher one, grows one object. Foreground without such a hill, and objects of fewer than
    `smallest_px` pixels, are no objects. Empty foreground: no objects.

    >>> separated(np.array([[1, 1, 1, 1, 0]], bool), np.array([[1, .1, .2, 1, 0]]), sigma_px=0)
    array([[1, 1, 2, 2, 0]], dtype=int32)
    """
    from scipy import ndimage
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    flood: Any = watershed
    flooded: Any = reconstruction
    summits: Any = local_maxima
    sigmas = (0.0,) * (middle.ndim - 2) + (sigma_px, sigma_px)
    height = ndimage.gaussian_filter(np.asarray(middle, dtype=np.float64), sigmas)
    if not foreground.any() or not (height > lowest).any():
        return np.zeros(foreground.shape, np.int32)
    around = np.pad(height, 1, constant_values=-2.0)  # the border of the picture is no summit and no valley
    tops = summits(flooded(around - prominence, around))  # lower hills have become slopes of their neighbours
    inside = (slice(1, -1),) * height.ndim
    seeds, _ = ndimage.label(tops[inside] & foreground & (height > lowest))
    return numbered(flood(-height, seeds, mask=foreground), smallest_px=smallest_px)


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
