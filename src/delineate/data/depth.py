"""How deep a pixel lies inside a shape, and what borders parallel to its own enclose: the ruler for how large people draw.

Distances between pixels come in steps, along the grid others than across it, which would make a move of a border by 2 px one
of 1.8 or 2.2. Here a border is a line between pixels, and a pixel is spread a little when areas are taken, so that the
steps do not show: on discs of radius 3 to 16 the ruler is off by less than 0.1 px (tests/data/test_simulated.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGMA_PX = 0.7  # of the Gaussian under which a border is traced
_STEP_PX, _SPREAD_STEPS = 0.05, 31  # of the parallel borders; a pixel is spread over 1.5 px
_AWAY_PX = 1.0  # stands in where a shape is too thin to have a border


def depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance (height, width) of the middle of every pixel from the border of `mask` (height, width), positive inside.

    The border is the line between pixels at one half of the slightly blurred mask. A mask that is empty, or full, is
    -inf, or inf, everywhere: it has no border.

    >>> mask = np.zeros((8, 8), bool)
    >>> mask[:, 5:] = True
    >>> np.round(depth(mask)[4], 1)
    array([-4.5, -3.5, -2.5, -1.5, -0.5,  0.5,  1.5,  2.5])
    """
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import KDTree
    from skimage import measure

    find_contours: Any = measure.find_contours

    if mask.all() or not mask.any():
        return np.where(mask, np.inf, -np.inf)
    blurred = gaussian_filter(mask.astype(np.float64), _SIGMA_PX, mode="nearest")
    lines = find_contours(blurred, 0.5)
    if not lines:
        return np.where(mask, _AWAY_PX / 2, -_AWAY_PX)
    points = [line[:-1] + part * np.diff(line, axis=0) for line in lines for part in (0.0, 0.25, 0.5, 0.75)]
    pixels = np.indices(mask.shape).reshape(2, -1).T
    away, _ = KDTree(np.concatenate(points)).query(pixels)
    signed: NDArray[np.float64] = np.where(blurred > 0.5, 1, -1) * away.reshape(mask.shape)
    return signed


def parallel_borders(
    deep: NDArray[np.float64], *, pixels: int, reach_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels enclosed by each border parallel to that of a shape, rising, and how far outside the shape that border lies.

    deep: depths of any pixels. pixels: how many of them the shape has; its own border lies at 0. reach_px: how far in or out
    the borders go. Read it in either direction with `np.interp`.

    >>> deep = np.repeat([2.5, 1.5, 0.5, -0.5, -1.5, -2.5], 10)  # rows of ten, of which the shape has three
    >>> enclosed, out = parallel_borders(deep, pixels=30, reach_px=3)
    >>> round(float(np.interp(50, enclosed, out)), 1), round(float(np.interp(-1, out, enclosed)))
    (2.0, 20)
    """
    from scipy.ndimage import uniform_filter1d

    steps = np.arange(-reach_px - 2, reach_px + 2, _STEP_PX)
    counts, _ = np.histogram(-np.clip(deep, -reach_px - 1, reach_px + 1), bins=steps)
    enclosed = uniform_filter1d(np.append(0.0, counts.cumsum()), _SPREAD_STEPS, mode="nearest")
    return enclosed, steps - float(np.interp(pixels, enclosed, steps))
