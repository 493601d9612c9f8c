"""The worst error: how far the border of one mask can lie from the border of the other.

Conventions, since public tools differ by millimetres on the same masks: a border voxel is a voxel of the mask
that has a face neighbour outside it (the mask minus its erosion by the cross of connectivity 1); what lies
beyond the edge of the image is outside, so that a voxel at the edge is border too. Distances run between the
centres of border voxels, in the unit of `spacing`, and are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.pair import Mask, masks


def hausdorff(
    truth: NDArray[Any], predicted: NDArray[Any], *, label: int, spacing: Sequence[float] | None = None
) -> float:
    """Largest distance from a border voxel of either mask to the nearest border voxel of the other.

    Both are integer arrays of one shape (*spatial); 0.0 is best. spacing: size of a voxel along each axis in
    array order, ones where None; the result has its unit. Pixels that are UNLABELLED in truth belong to
    neither mask: both end at the edge of the unlabelled region, and nothing predicted inside it counts.
    Neither holds `label`: nan (undefined, counted by the summary). Only one does: inf (a miss is the worst).
    Raises DataError where shapes differ, values are not integers, or spacing is not one positive number per
    axis. Huttenlocher et al. 1993, doi:10.1109/34.232073.

    >>> truth = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    >>> predicted = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    >>> hausdorff(truth, predicted, label=1, spacing=(2, 1))
    3.605551275463989
    """
    a, b = masks(truth, predicted, label=label)
    size = _checked_spacing(spacing, axes=a.ndim)
    if not a.any() or not b.any():
        return float("inf") if a.any() or b.any() else float("nan")
    box = _bounding_box(a | b)
    border_a, border_b = border(a[box]), border(b[box])
    return max(_farthest(border_a, border_b, size), _farthest(border_b, border_a, size))


def border(mask: Mask) -> Mask:
    """Voxels of a boolean mask (*spatial) that have a face neighbour outside it or outside the image.

    >>> border(np.ones((3, 4), bool)).astype(int)
    array([[1, 1, 1, 1],
           [1, 0, 0, 1],
           [1, 1, 1, 1]])
    """
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(mask.ndim):
        for start in (0, 2):
            window = [slice(1, -1)] * mask.ndim
            window[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(window)]
    return mask & ~inner


def _farthest(start: Mask, goal: Mask, size: tuple[float, ...]) -> float:
    """Largest distance from a voxel of `start` to its nearest voxel of `goal`; both hold something."""
    from scipy.ndimage import distance_transform_edt

    off = start & ~goal
    if not off.any():
        return 0.0
    nearest = distance_transform_edt(~goal, sampling=size, return_distances=False, return_indices=True)
    steps = [(at[off] - here) * s for at, here, s in zip(nearest, np.nonzero(off), size, strict=True)]
    return float(np.sqrt(sum(step**2 for step in steps).max()))


def _bounding_box(mask: Mask) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        held = np.flatnonzero(mask.any(axis=tuple(i for i in range(mask.ndim) if i != axis)))
        box.append(slice(int(held[0]), int(held[-1]) + 1))
    return tuple(box)


def _checked_spacing(spacing: Sequence[float] | None, *, axes: int) -> tuple[float, ...]:
    if spacing is None:
        return (1.0,) * axes
    size = tuple(float(s) for s in spacing)
    if len(size) != axes or not all(0 < s < float("inf") for s in size):
        raise DataError(
            f"spacing is {size} for {axes} spatial axes: give one positive number per axis, in array order"
        )
    return size
