"""The borders of two masks, voxel by voxel, and the part of two large arrays that matters to them.

What a surface costs shall follow the objects and not the volume around them: rows of a large array that hold nothing are
left out before any mask is made. Both masks are then looked at together, as two bits of a byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.score.pair import SLAB, Mask, slabs

FEW = 1 / 64  # where masks fill less than this part of their box, their voxels are walked one by one

Bits = NDArray[np.uint8]


def rows_held(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> tuple[NDArray[np.intp], ...]:
    """Along each axis, the rows in which either array holds `label`, and those beside them; no row where neither does.

    What is cut out by them has the same surfaces, for an empty row is left wherever others were between; and two small
    lesions far apart in a large volume come close. Read in slabs that fit into the cache; for arrays that fit there anyway
    no axis is named, and nothing cut.
    """
    if truth.size <= SLAB:
        return ()
    held = [np.zeros(length + 2, bool) for length in truth.shape]
    for at in slabs(truth):
        slab = (truth[at] == label) | (predicted[at] == label)
        if slab.any():
            for axis, (seen, length) in enumerate(zip(held, slab.shape, strict=True)):
                here = seen[1 + at.start :][:length] if axis == 0 else seen[1:-1]
                here |= slab.any(axis=tuple(other for other in range(slab.ndim) if other != axis))
    return tuple(np.flatnonzero(seen[:-2] | seen[1:-1] | seen[2:]) for seen in held)


def cut(array: NDArray[Any], rows: tuple[NDArray[np.intp], ...]) -> NDArray[Any]:
    """The array at these rows of each axis, in C order; without a copy along axes where they follow each other."""
    for axis, at in enumerate(rows):
        follow = len(at) and at[-1] - at[0] == len(at) - 1
        array = array[(slice(None),) * axis + (slice(at[0], at[-1] + 1) if follow else at,)]
    return np.ascontiguousarray(array)


def border_voxels(a: Mask, b: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of two masks of one shape (*spatial), the voxels with a face neighbour outside the mask or outside the image.

    Indices (n, axes) and (m, axes), in array order; they lie in memory axis by axis, which whatever is asked of them likes.

    >>> full = np.ones((3, 3), bool)
    >>> border_voxels(full, ~full)[0].tolist()  # all but the middle
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1], [2, 2]]
    """
    bits = b.reshape(-1).view(np.uint8) * np.uint8(2)
    bits += a.reshape(-1).view(np.uint8)
    few = bits.size > SLAB and np.count_nonzero(bits != 0) < bits.size * FEW
    at, edges = (_border_of_few if few else _border_of_many)(bits, a.shape)
    places = np.array(np.unravel_index(at, a.shape))
    return places.compress(edges != 2, axis=1).T, places.compress(edges != 1, axis=1).T


def _border_of_many(bits: Bits, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], Bits]:
    """Whole arrays at once, shifted along one axis after the other; what a shift takes from the next row is an edge."""
    inner, stride = bits.copy(), 1
    for axis in reversed(range(len(shape))):
        later, earlier = inner[stride:], inner[:-stride]
        later &= bits[:-stride]
        earlier &= bits[stride:]
        edges = inner.reshape(shape).swapaxes(0, axis)
        edges[:1] = edges[-1:] = 0
        stride *= shape[axis]
    inner ^= bits  # what is of the mask and not inside it
    at = np.flatnonzero(inner != 0)
    return at, inner[at]


def _border_of_few(bits: Bits, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], Bits]:
    """The same, asking only the neighbours of the voxels that are set: the cost follows the objects."""
    at, stride = np.flatnonzero(bits), 1
    inner = bits[at]
    for length in reversed(shape):
        along = at // stride % length
        inner[(along == 0) | (along == length - 1)] = 0
        for step in (-stride, stride):
            inner &= bits.take(at + step, mode="clip")
        stride *= length
    edges = inner ^ bits[at]
    return at[edges != 0], edges[edges != 0]
