"""Active contours: a curve that starts somewhere and moves until it lies on an edge, or between two brightnesses.

Three kinds. A snake is a chain of points with tension and stiffness that edges attract. Chan-Vese compares each pixel
with the mean inside and outside and needs no edge. A geodesic contour grows or shrinks until the gradient stops it, and
leaks where there is none. All of them depend on where they start.

Functions take a picture (*spatial) from 0 to 1; `contour_methods` makes methods of them, and `evolution` is how regions move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.classical.evolution import along_edges, between_means
from delineate.core import DataError

Mask = NDArray[np.bool_]
Picture = NDArray[np.floating[Any]]
MARGIN_PX = 12  # of a snake's surroundings that are looked at


def start_at_points(
    shape: Sequence[int], points: Sequence[Sequence[float]], *, radius_px: float = 5.0
) -> Mask:
    """A start mask of `shape` with a ball of `radius_px` around each of the points (in pixels, array order).

    Raises DataError where there is no point, or one lies outside the picture.

    >>> start_at_points((5, 5), [(2, 2)], radius_px=1).astype(int)[1:4, 1:4]
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    if not len(points):
        raise DataError("there is no point to start from: give at least one")
    start = np.zeros(tuple(shape), bool)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    for point in points:
        if len(point) != len(shape) or not all(0 <= p <= n - 1 for p, n in zip(point, shape, strict=True)):
            raise DataError(
                f"the contour starts at {tuple(point)}, outside the picture of {tuple(shape)}: start inside it"
            )
        start |= sum((axis - p) ** 2 for axis, p in zip(grid, point, strict=True)) <= radius_px**2
    return start


def start_in_boxes(shape: Sequence[int], boxes: Sequence[Sequence[float]]) -> Mask:
    """A start mask of `shape` with each box filled: (first, ..., stop, ...) in pixels, array order, stops excluded.

    Boxes are clipped to the picture. Raises DataError where there is none, or one lies outside altogether.

    >>> start_in_boxes((3, 4), [(0, 1, 2, 9)]).astype(int)
    array([[0, 1, 1, 1],
           [0, 1, 1, 1],
           [0, 0, 0, 0]])
    """
    if not len(boxes):
        raise DataError("there is no box to start from: give at least one")
    start = np.zeros(tuple(shape), bool)
    for box in boxes:
        ends = np.rint(np.asarray(box, float)).astype(int).reshape(2, -1)
        if ends.shape[1] != len(shape):
            raise DataError(f"the box {tuple(box)} does not fit {len(shape)} axes: give first, then stop")
        low, high = np.maximum(ends[0], 0), np.minimum(ends[1], shape)
        if (low >= high).any():
            raise DataError(
                f"the box {tuple(box)} lies outside the picture of {tuple(shape)}: start inside it"
            )
        start[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return start


def chan_vese(picture: Picture, start: Mask, *, steps: int = 30, smoothing: int = 1) -> Mask:
    """The region (*spatial) whose pixels are closer to its own mean than to the mean outside, grown from `start`.

    smoothing: how often the curve is smoothed in each step. An empty or full start, or a picture of one value, stays
    as it is: there is no curve to move. Raises DataError where start has another shape.
    Chan & Vese 2001, doi:10.1109/83.902291; morphological, Márquez-Neila et al. 2014, doi:10.1109/TPAMI.2013.106.

    >>> picture = np.pad(np.ones((6, 6)), 4)
    >>> start = start_at_points(picture.shape, [(7, 7)], radius_px=2)
    >>> bool((chan_vese(picture, start, smoothing=0) == (picture > 0)).all())
    True
    """
    _check(picture, start)
    if not _moves(picture, start):
        return start.copy()
    return between_means(picture, start, steps=steps, smoothing=smoothing)


def geodesic(
    picture: Picture,
    start: Mask,
    *,
    steps: int = 30,
    smoothing: int = 1,
    balloon: int = 0,
    sigma_px: float = 1.0,
    stiffness: float = 100.0,
) -> Mask:
    """The region (*spatial) that `start` becomes when its rim moves to where the gradient is steep.

    balloon: 1 grows, -1 shrinks, 0 follows edges only. sigma_px: smoothing before the gradient. stiffness: how strongly
    a gradient stops the rim. Empty or full start and pictures of one value as in `chan_vese`.
    Caselles, Kimmel & Sapiro 1997, doi:10.1023/A:1007979827043; morphological, Márquez-Neila et al. 2014.

    >>> picture = np.pad(np.ones((12, 12)), 8)
    >>> grown = geodesic(picture, start_at_points(picture.shape, [(14, 14)]), balloon=1, steps=60)
    >>> 120 < int(grown.sum()) < 200
    True
    """
    from skimage.segmentation import inverse_gaussian_gradient

    edges: Any = inverse_gaussian_gradient
    _check(picture, start)
    if not _moves(picture, start):
        return start.copy()
    stops = edges(np.asarray(picture, float), alpha=stiffness, sigma=sigma_px)
    return along_edges(stops, start, steps=steps, smoothing=smoothing, balloon=balloon, free=0.5)


def snake(
    picture: Picture,
    outline: NDArray[np.floating[Any]],
    *,
    tension: float = 0.01,
    stiffness: float = 0.1,
    brightness: float = 0.0,
    edges: float = 1.0,
    speed: float = 1.0,
    steps: int = 150,
) -> NDArray[np.float64]:
    """The closed chain of points (n, 2) that `outline` (n, 2; row, column) becomes when edges attract it.

    tension pulls it short, stiffness makes it round; brightness and edges are how strongly bright places and steep ones
    attract it; speed is how far the forces move it in a step, at most a pixel.
    Raises DataError for fewer than 4 points, for a picture that is not 2D, and for a chain that starts outside.
    Kass, Witkin & Terzopoulos 1988, doi:10.1007/BF00133570.

    >>> picture = np.pad(np.ones((20, 20)), 10)
    >>> turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    >>> circle = 20 + 14 * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    >>> bool(np.abs(snake(picture, circle, speed=10) - 19.5).max() < np.abs(circle - 19.5).max())
    True
    """
    from skimage.segmentation import active_contour

    evolved: Any = active_contour
    if picture.ndim != 2 or outline.ndim != 2 or outline.shape[1] != 2 or len(outline) < 4:
        raise DataError("a snake needs a flat picture and at least 4 points (row, column): go slice by slice")
    size = np.array(picture.shape)
    if (outline < 0).any() or (outline > size - 1).any():
        raise DataError(
            f"the snake starts outside the picture of {picture.shape}: keep all of its points inside"
        )
    low = np.maximum(np.floor(outline.min(0)).astype(int) - MARGIN_PX, 0)
    high = np.minimum(np.ceil(outline.max(0)).astype(int) + MARGIN_PX + 1, size)
    part = np.asarray(picture[low[0] : high[0], low[1] : high[1]], float)
    if np.ptp(part) == 0 or min(part.shape) < 4:
        return np.asarray(outline, np.float64)
    moved = evolved(
        part, outline - low, alpha=tension, beta=stiffness, w_line=brightness, w_edge=edges, gamma=1 / speed,
        max_px_move=1.0, max_num_iter=steps, convergence=0.1, boundary_condition="periodic",
    )  # fmt: skip
    return np.asarray(np.clip(moved + low, 0, size - 1), np.float64)


def snakes(picture: Picture, start: Mask, **forces: float) -> Mask:
    """Each piece of `start` (height, width) or (planes, height, width) after its outline has moved as a `snake`."""
    from scipy import ndimage

    _check(picture, start)
    if picture.ndim == 3:
        return np.stack([snakes(plane, mask, **forces) for plane, mask in zip(picture, start, strict=True)])
    pieces, _ = ndimage.label(start)
    ended = np.zeros(start.shape, bool)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        piece = ndimage.binary_fill_holes(pieces[box] == number)
        outline = _outline(piece)
        corner = np.array([side.start for side in box])
        if outline is None:
            ended[box] |= piece
            continue
        size = np.array(picture.shape)
        moved = snake(picture, np.clip(outline + corner, 0, size - 1), **forces)  # type: ignore[arg-type]
        ended |= _filled(moved, picture.shape)
    return ended


def _outline(piece: Mask) -> NDArray[np.float64] | None:
    """Points (n, 2), about a pixel and a half apart, around a piece (height, width); None where it is too small for a curve."""
    from skimage.measure import find_contours

    contours: Any = find_contours
    longest = max(contours(np.pad(piece, 1).astype(float), 0.5), key=len) - 1
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(longest, axis=0).T))]
    count = int(min(length[-1] / 1.5, 300))
    if count < 8:
        return None
    at = np.linspace(0, length[-1], count, endpoint=False)
    return np.stack([np.interp(at, length, axis) for axis in longest.T], axis=1)


def _filled(outline: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    from skimage.draw import polygon

    fill: Any = polygon
    inside = np.zeros(shape, bool)
    inside[fill(outline[:, 0], outline[:, 1], shape)] = True
    return inside


def _check(picture: Picture, start: Mask) -> None:
    if picture.shape != start.shape:
        raise DataError(
            f"the start mask is {start.shape} but the picture is {picture.shape}: give them one shape"
        )


def _moves(picture: Picture, start: Mask) -> bool:
    return bool(start.any() and not start.all() and np.ptp(picture) > 0)
