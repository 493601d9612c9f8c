"""The border of a mask, voxel by voxel, and the part of two large arrays that matters to it.

What a surface costs shall follow the objects and not the volume around them: rows of the array that hold nothing are left
out before any mask is made.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.score.pair import Mask

FEW = 1 / 64  # where a mask fills less than this part of its box, its voxels are walked one by one
SLAB = 2**18  # voxels that are looked at at once


def rows_held(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> tuple[NDArray[np.intp], ...]:
    """Along each axis, the rows in which either array holds `label`, and those beside them; none where neither does.

    What is cut out by them has the same surfaces, for an empty row is left wherever others were between; and two small
    lesions far apart in a large volume come close. Read in slabs that fit into the cache.
    """
    at_once = max(1, SLAB // max(1, math.prod(truth.shape[1:])))
    held = [np.zeros(length + 2, bool) for length in truth.shape]
    for array in (truth, predicted):
        for start in range(0, len(array), at_once):
            slab = array[start : start + at_once] == label
            if slab.any():
                for axis, (seen, length) in enumerate(zip(held, slab.shape, strict=True)):
                    here = seen[1 + start :][:length] if axis == 0 else seen[1:-1]
                    here |= slab.any(axis=tuple(other for other in range(slab.ndim) if other != axis))
    return tuple(np.flatnonzero(seen[:-2] | seen[1:-1] | seen[2:]) for seen in held)


def cut(array: NDArray[Any], rows: tuple[NDArray[np.intp], ...]) -> NDArray[Any]:
    """The array at these rows of each axis, in C order; without a copy along axes where they follow each other."""
    for axis, at in enumerate(rows):
        follow = len(at) and at[-1] - at[0] == len(at) - 1
        array = array[(slice(None),) * axis + (slice(at[0], at[-1] + 1) if follow else at,)]
    return np.ascontiguousarray(array)


def border_voxels(mask: Mask) -> NDArray[np.intp]:
    """Indices (n, axes), in array order, of the voxels of a mask (*spatial) with a face neighbour outside it or the image.

    >>> border_voxels(np.ones((3, 3), bool)).tolist()  # all but the middle
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1], [2, 2]]
    """
    flat = np.ascontiguousarray(mask).reshape(-1)
    few = np.count_nonzero(flat) < flat.size * FEW
    at = _border_of_few(flat, mask.shape) if few else _border_of_many(flat, mask.shape)
    return np.stack(np.unravel_index(at, mask.shape), axis=1)


def _border_of_many(flat: Mask, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Whole arrays at once, shifted along one axis after the other; what a shift takes from the next row is an edge."""
    inner, stride = flat.copy(), 1
    for axis in reversed(range(len(shape))):
        inner[stride:] &= flat[:-stride]
        inner[:-stride] &= flat[stride:]
        edges = np.moveaxis(inner.reshape(shape), axis, 0)
        edges[:1] = edges[-1:] = False
        stride *= shape[axis]
    return np.flatnonzero(flat & ~inner)


def _border_of_few(flat: Mask, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """The same, asking only the neighbours of the voxels that are set: the cost follows the objects."""
    at, stride = np.flatnonzero(flat), 1
    outer = np.zeros(len(at), bool)
    for length in reversed(shape):
        along = at // stride % length
        outer |= (along == 0) | (along == length - 1)
        for step in (-stride, stride):
            outer |= ~flat.take(at + step, mode="clip")
        stride *= length
    return at[outer]
