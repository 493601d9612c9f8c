"""What the network is taught about objects, beside their class: how far inside its object a pixel lies.

The map comes from the whole picture, once. It may be interpolated when a crop is turned or zoomed, for it is scaled by
each object's own size; and it is predicted through a sigmoid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distance(
    objects: NDArray[np.integer[Any]], *, spacing: tuple[float, ...] | None = None
) -> NDArray[np.float32]:
    """Distance of every pixel to the rim of its object, over the largest such distance in that object.

    objects: (*spatial) ids. Result: (*spatial) from 0 (outside) to 1 (the innermost pixels of each object).
    The border of the picture is no rim: an object that it cuts goes on beyond.

    >>> distance(np.array([[0, 1, 1, 1, 2, 2, 2, 2]]))
    array([[0.  , 0.5 , 1.  , 0.5 , 0.25, 0.5 , 0.75, 1.  ]], dtype=float32)
    """
    from scipy import ndimage

    inner = objects > 0
    for axis in range(
        objects.ndim
    ):  # a pixel beside another object lies on the rim, as one beside background does
        differs = np.diff(objects, axis=axis) != 0
        before = [(0, 0)] * objects.ndim
        after = list(before)
        before[axis], after[axis] = (1, 0), (0, 1)
        inner &= ~np.pad(differs, before) & ~np.pad(differs, after)
    finest = min(spacing) if spacing else 1.0
    depth = (ndimage.distance_transform_edt(inner, sampling=spacing) / finest if inner.any() else inner) + (
        objects > 0
    )
    names, inverse = np.unique(objects, return_inverse=True)
    deepest = ndimage.maximum(depth, inverse.reshape(objects.shape), np.arange(len(names)))
    scaled = depth / np.maximum(np.asarray(deepest), 1e-6)[inverse.reshape(objects.shape)]
    return np.where(objects > 0, scaled, 0).astype(np.float32)
