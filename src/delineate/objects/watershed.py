"""Splitting what touches: the middle of a round thing is far from its rim, and the neck between two things is narrow.

The distance to the rim is a landscape with a hill for each object. A ragged rim gives it small hills as well; smoothing
them away before they become markers is what keeps a watershed from cutting objects to pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.objects.hills import hills, numbered

SIGMA_PX, RATIO = 1.0, 1.3
PIECE_PX = 1000  # as many pixels take as long as what it takes to begin with one more piece


def split(
    foreground: NDArray[np.bool_],
    *,
    spacing: Sequence[float] | None = None,
    sigma_px: float = SIGMA_PX,
    ratio: float = RATIO,
    smallest_px: int = 0,
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 outside `foreground`, numbered from 1: its pieces, cut where they have narrow necks.

    foreground: (*spatial) bool. spacing: size of a pixel along each axis in array order, ones where None. The distance
    to the rim is smoothed by a Gaussian of `sigma_px` (along the axis with the smallest spacing); of two hills of it
    the lower is an object of its own if it is `ratio` times as far from the rim as the neck between them. So the answer
    does not change with the size of objects, but for the smoothing. Objects of fewer than `smallest_px` pixels are
    none. Empty foreground: no objects. Distance and watershed: Vincent & Soille 1991, doi:10.1109/34.87344.

    >>> dumbbell = np.array([[1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1, 1]], bool)
    >>> split(np.pad(dumbbell, 1), sigma_px=0.0)[2, 1:8]
    array([1, 1, 1, 1, 2, 2, 2], dtype=int32)
    """
    depths = rim_distance(foreground, spacing=spacing, sigma_px=sigma_px)
    found = hills(np.log(np.maximum(depths, 1e-6)), foreground, least=math.log(ratio))
    return numbered(found, smallest_px=smallest_px)


def rim_distance(
    foreground: NDArray[np.bool_], *, spacing: Sequence[float] | None, sigma_px: float
) -> NDArray[np.float32]:
    """Smoothed distance to the rim (*spatial) in units of the smallest spacing; 0 outside the foreground.

    >>> rim_distance(np.array([[0, 1, 1, 1, 0]], bool), spacing=None, sigma_px=0.0)
    array([[0., 1., 2., 1., 0.]], dtype=float32)
    """
    from scipy import ndimage

    steps = np.ones(foreground.ndim) if spacing is None else np.asarray(spacing, float) / min(spacing)
    distance = _depths(foreground, steps)
    if sigma_px > 0:
        distance = np.where(foreground, ndimage.gaussian_filter(distance, sigma_px / steps), np.float32(0))
    return np.asarray(distance, np.float32)


def _depths(foreground: NDArray[np.bool_], steps: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Distance to the rim (*spatial), 0 outside; piece by piece where that is less work, for on the way to whatever
    background is nearest no other piece is met.
    """
    from scipy import ndimage

    pieces, _ = ndimage.label(foreground, np.ones((3,) * foreground.ndim))
    boxes = [
        tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        for box in ndimage.find_objects(pieces)
    ]
    work = sum(PIECE_PX + math.prod(side.stop - side.start for side in box) for box in boxes)
    if work >= foreground.size:
        return np.asarray(ndimage.distance_transform_edt(foreground, sampling=steps), np.float32)
    depths = np.zeros(foreground.shape, np.float32)
    for number, box in enumerate(boxes, 1):
        inside = pieces[box] == number
        depths[box][inside] = ndimage.distance_transform_edt(foreground[box], sampling=steps)[inside]
    return depths
