"""Morphological curve evolution: a mask whose rim moves by erosion and dilation instead of differential equations.

Márquez-Neila, Baumela & Alvarez 2014, doi:10.1109/TPAMI.2013.106. Written here and not taken from scikit-image because
there smoothing alternates between two operators in a global state, so that the same call can give two answers.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def between_means(picture: NDArray[np.floating[Any]], start: Mask, *, steps: int, smoothing: int) -> Mask:
    """Chan-Vese: pixels on the rim go to the side whose mean they are closer to. picture, start: (*spatial).

    >>> picture = np.array([[0.0, 0, 1, 1, 1, 0]])
    >>> between_means(picture, np.array([[0, 0, 0, 1, 0, 0]], bool), steps=3, smoothing=0).astype(int)
    array([[0, 0, 1, 1, 1, 0]])
    """
    mask, turn = start.copy(), itertools.cycle((True, False))
    for _ in range(steps):
        if not mask.any() or mask.all():
            return mask
        inside, outside = picture[mask].mean(), picture[~mask].mean()
        rim = np.any([slope != 0 for slope in _slopes(mask)], axis=0)
        pull = (picture - inside) ** 2 - (picture - outside) ** 2
        mask = (mask | (rim & (pull < 0))) & ~(rim & (pull > 0))
        for _ in range(smoothing):
            mask = smoothed(mask, erode_first=next(turn))
    return mask


def along_edges(
    stops: NDArray[np.floating[Any]], start: Mask, *, steps: int, smoothing: int, balloon: int, free: float
) -> Mask:
    """Geodesic: the rim slides down `stops` (*spatial), which is small at edges; balloon moves it where stops > free.

    >>> stops = np.array([[1, 1, 0.1, 1, 1, 1, 0.1, 1, 1]])
    >>> start = np.array([[0, 0, 0, 0, 1, 0, 0, 0, 0]], bool)
    >>> along_edges(stops, start, steps=4, smoothing=0, balloon=1, free=0.5).astype(int)
    array([[0, 0, 0, 1, 1, 1, 0, 0, 0]])
    """
    from scipy import ndimage

    mask, turn = start.copy(), itertools.cycle((True, False))
    block = np.ones((3,) * start.ndim, bool)
    downhill = _slopes(stops)
    for _ in range(steps):
        if balloon > 0:
            mask = np.where(stops > free, ndimage.binary_dilation(mask, block), mask)
        elif balloon < 0:
            mask = np.where(stops > free, ndimage.binary_erosion(mask, block, border_value=1), mask)
        pull = np.sum([a * b for a, b in zip(downhill, _slopes(mask), strict=True)], axis=0)
        mask = np.asarray((mask | (pull > 0)) & ~(pull < 0), bool)
        for _ in range(smoothing):
            mask = smoothed(mask, erode_first=next(turn))
    return np.asarray(mask, bool)


def smoothed(mask: Mask, *, erode_first: bool) -> Mask:
    """A mask (*spatial) after one step of smoothing of its rim by mean curvature, in 2D or 3D.

    >>> spike = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]], bool)
    >>> smoothed(spike, erode_first=True).astype(int)[1]
    array([0, 0, 0, 0, 0])
    """
    return _dilated(_eroded(mask)) if erode_first else _eroded(_dilated(mask))


def _eroded(mask: Mask) -> Mask:
    """What stays under erosion by at least one line (2D) or plane (3D) through its pixel."""
    from scipy import ndimage

    eroded = [ndimage.binary_erosion(mask, flat, border_value=1) for flat in _flats(mask.ndim)]
    return np.asarray(np.any(eroded, axis=0))


def _dilated(mask: Mask) -> Mask:
    """What dilation by every line (2D) or plane (3D) reaches."""
    from scipy import ndimage

    dilated = [ndimage.binary_dilation(mask, flat) for flat in _flats(mask.ndim)]
    return np.asarray(np.all(dilated, axis=0))


def _flats(dims: int) -> list[Mask]:
    """The lines (2D) or planes (3D) through the middle of a block of 3 pixels a side: along axes, then diagonal."""
    grid = np.indices((3,) * dims) - 1
    pairs = list(itertools.combinations(range(dims), 2))
    diagonal = [grid[a] == sign * grid[b] for a, b in pairs for sign in (1, -1)]
    return [np.asarray(grid[axis] == 0) for axis in range(dims)] + [np.asarray(flat) for flat in diagonal]


def _slopes(values: NDArray[Any]) -> list[NDArray[np.float64]]:
    """The slope along each axis that is longer than one pixel."""
    axes = tuple(axis for axis, length in enumerate(values.shape) if length > 1)
    found = np.gradient(values.astype(np.float64), axis=axes) if axes else []
    return list(found) if isinstance(found, (list, tuple)) else [found]
