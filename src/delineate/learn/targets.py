"""What the network is taught about objects, beside their class: where the middle of each pixel's object lies.

Pixels on both sides of the line where two objects touch look alike, but their middles lie in opposite directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def offsets_to_middle(objects: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Vector from every pixel to the mean place of its object: (dims, *spatial), in pixels; nan outside objects.

    objects: (*spatial) ids, 0 for none. Of an object that the border of the picture cuts only the visible part counts.

    >>> offsets_to_middle(np.array([[0, 1, 1, 1, 2, 2]]))[1]
    array([[ nan,  1. ,  0. , -1. ,  0.5, -0.5]], dtype=float32)
    """
    names, inverse = np.unique(objects, return_inverse=True)
    owners = inverse.ravel()
    counts = np.bincount(owners, minlength=len(names))
    result = np.full((objects.ndim, *objects.shape), np.nan, np.float32)
    for offset, place in zip(result, np.indices(objects.shape), strict=True):
        middles = np.bincount(owners, weights=place.ravel(), minlength=len(names)) / np.maximum(counts, 1)
        np.copyto(offset, middles[owners].reshape(objects.shape) - place, where=objects > 0)
    return result
