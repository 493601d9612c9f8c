"""What the network is taught about objects, beside their class: which pixels are one object, and where its middle lies.

Pixels on both sides of the line where two objects touch look alike, but their middles lie in opposite directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case
from delineate.data.sparse import sparse


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


def object_ids(case: Case) -> NDArray[np.integer[Any]] | None:
    """The ids that somebody gave; zeros, no object, where strokes or boxes would pass for some; else None, as for masks.

    >>> object_ids(Case("stroke", np.zeros((1, 4, 1)), labels=np.array([[1, 255, 255, 255]], np.uint8)))
    array([[0, 0, 0, 0]], dtype=int32)
    """
    if case.objects is None and sparse(case):
        return np.zeros(case.spatial, np.int32)
    return case.objects


def labelled_objects(
    labels: NDArray[np.uint8], ids: NDArray[np.integer[Any]] | None
) -> NDArray[np.integer[Any]]:
    """Object ids (*spatial), 0 where unlabelled; connected pieces of each class where nobody gave ids.

    >>> labelled_objects(np.array([1, 0, 255], np.uint8), np.array([7, 0, 8]))
    array([7, 0, 0])
    """
    return pieces(labels) if ids is None else np.where(labels == UNLABELLED, 0, ids)


def pieces(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Connected pieces of each class but background, as object ids: what stands in where nobody gave ids.

    >>> pieces(np.array([[1, 1, 0, 1, 2, 255]], np.uint8))
    array([[1, 1, 0, 2, 3, 0]], dtype=int32)
    """
    from scipy import ndimage

    ids = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels):
        if label not in (0, UNLABELLED):
            found, _ = ndimage.label(labels == label)
            ids = np.where(found > 0, found + ids.max(), ids)
    return ids
