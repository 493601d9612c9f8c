"""Separating objects that touch: a watershed that floods from the middle of each object.

The network says for every pixel how far inside its object it lies (`distance`, 0 at the rim to 1 in the
middle). Middles are where that is high; from there a watershed fills the foreground, so that two objects meet
along the valley between them. Meyer 1994, doi:10.1016/0165-1684(94)90060-4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def separated(
    foreground: NDArray[np.bool_],
    distance: NDArray[np.floating[Any]],
    *,
    level: float = 0.5,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 where there is no object, numbered from 1.

    foreground: (*spatial) bool. distance: (*spatial), 0 to 1, high in the middle of objects. Each connected
    region of foreground with distance above `level` grows one object; a piece of foreground without any is an
    object of its own. Objects of fewer than `smallest_px` pixels are dropped. Empty foreground: no objects.

    >>> separated(np.array([[1, 1, 1, 1, 0]], bool), np.array([[1, .1, .2, 1, 0]]))
    array([[1, 1, 2, 2, 0]], dtype=int32)
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    flood: Any = watershed

    middles, count = ndimage.label(foreground & (distance > level))
    pieces, _ = ndimage.label(foreground)
    with_middle = np.zeros(int(pieces.max()) + 1, bool)
    with_middle[pieces[middles > 0]] = True
    with_middle[0] = True
    alone = ~with_middle[pieces]
    markers = np.where(alone, pieces + count, middles)
    ids = flood(-distance, markers, mask=foreground)
    return numbered(ids, smallest_px=smallest_px)


def numbered(ids: NDArray[np.integer[Any]], *, smallest_px: int = 0) -> NDArray[np.int32]:
    """The same objects with ids 1, 2, 3, ... and without those of fewer than `smallest_px` pixels.

    >>> numbered(np.array([[7, 7, 0, 3]]), smallest_px=2)
    array([[1, 1, 0, 0]], dtype=int32)
    """
    names, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    kept = (names != 0) & (counts >= smallest_px)
    new = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return new[inverse].reshape(ids.shape)
