"""The surface between voxels, in pieces: one at each corner where voxels of the mask meet voxels outside it.

Around a corner lie 2 x 2 (x 2) voxels. The surface that separates those inside from those outside, drawn through the
middles of the edges between their centres, has a length (an area) that depends on which are inside, and on the spacing:
a table of 16 (256) entries. In 2D these are marching squares, in 3D marching cubes, Lorensen & Cline 1987,
doi:10.1145/37401.37422, drawn by scikit-image. Weighting by area makes distances independent of how the voxel grid lies.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.pair import Mask


def surface_elements(mask: Mask, spacing: tuple[float, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the elements of the surface lie, and how large they are: (n, axes) corners, (n,) lengths or areas.

    mask: (*spatial) boolean, 2D or 3D; what lies beyond it is outside. Corner (0, 0) is half a voxel before the centre
    of the first voxel along each axis. An empty mask has no elements. Raises DataError for other numbers of axes.

    >>> corners, lengths = surface_elements(np.ones((1, 1), bool), (1.0, 1.0))
    >>> len(corners), round(float(lengths.sum()), 3)  # four corners cut off: a diamond
    (4, 2.828)
    """
    if mask.ndim not in (2, 3):
        raise DataError(
            f"surface elements are defined in 2D and 3D, not for {mask.ndim} axes: ask for voxels instead"
        )
    shape = tuple(n + 1 for n in mask.shape)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(mask.ndim)]
    size = math.prod(shape)
    voxels = np.zeros(
        size + sum(strides), np.uint8
    )  # what lies after a row is the empty voxel before the next
    voxels[:size].reshape(shape)[(slice(1, None),) * mask.ndim] = mask
    codes = np.zeros(size, np.uint8)
    for bit, offset in enumerate(np.ndindex((2,) * mask.ndim)):
        start = sum(stride for stride, along in zip(strides, offset, strict=True) if along)
        codes |= voxels[start : start + size] << bit
    at = np.flatnonzero(
        codes - np.uint8(1) < 2 ** (2**mask.ndim) - 2
    )  # neither all outside, 0, nor all inside
    return np.array(np.unravel_index(at, shape)).T, _sizes(spacing)[codes[at]]


@lru_cache(maxsize=64)
def _sizes(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Length or area of the surface in a cell for each of the 2**(2**axes) ways in which its corners can be inside."""
    axes = len(spacing)
    sizes = np.zeros(2 ** (2**axes))
    for code in range(1, len(sizes) - 1):
        cell = np.array([code >> bit & 1 for bit in range(2**axes)], float).reshape((2,) * axes)
        sizes[code] = _length(cell, spacing) if axes == 2 else _area(cell, spacing)
    return sizes


def _length(cell: NDArray[np.float64], spacing: tuple[float, ...]) -> float:
    """Of the line between the pixels inside and those outside, among 2 x 2."""
    slanted = math.hypot(*spacing) / 2
    if cell.sum() != 2:
        return slanted
    if cell[0].sum() == 1 and cell[:, 0].sum() == 1:  # on a diagonal: two corners are cut off
        return 2 * slanted
    return spacing[1] if cell[0, 0] == cell[0, 1] else spacing[0]


def _area(cell: NDArray[np.float64], spacing: tuple[float, ...]) -> float:
    """Of the surface between the voxels inside and those outside, among 2 x 2 x 2; the same seen from either side.

    Where marching cubes has a choice (two voxels across a diagonal) those in the minority are kept apart, as in DeepMind's table.
    """
    from skimage.measure import marching_cubes, mesh_surface_area

    cubes: Any = marching_cubes
    area: Any = mesh_surface_area
    fewer = cell if cell.sum() <= 4 else 1 - cell
    vertices, faces, *_ = cubes(fewer, 0.5, spacing=spacing, method="lorensen")
    return float(area(vertices, faces))
