"""How far each point of one set lies from the nearest of another, both ways, exactly.

Many points are asked of a search tree each way. A few (two outlines in a small picture) are faster compared all with all:
one matrix product gives |a|² + |b|² - 2ab for every pair, and in whole numbers below 2**24, which square voxels have,
32-bit floats round nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TABLE = 2**19  # pairs of points up to which all are compared
AT_ONCE = 2**18  # multiplications for a piece of that table: it stays in the cache, and the product in one thread
EXACT = 2**24  # whole numbers up to here are exact in 32-bit floats

Points = NDArray[np.intp]
Distances = NDArray[np.float64]


def nearest_distances(a: Points, b: Points, *, spacing: tuple[float, ...]) -> tuple[Distances, Distances]:
    """From each point of `a` (n, axes) to the nearest of `b` (m, axes), and back: (n,) and (m,), in the unit of spacing.

    Points are indices: whole steps of `spacing` along each axis. What has no other point to go to is infinitely far.

    >>> nearest_distances(np.array([[0, 0], [3, 4]]), np.array([[0, 0]]), spacing=(1.0, 1.0))
    (array([0., 5.]), array([0.]))
    """
    if not len(a) or not len(b):
        return np.full(len(a), np.inf), np.full(len(b), np.inf)
    if len(a) * len(b) <= TABLE:
        finest = min(spacing)
        steps = [size / finest for size in spacing]
        farthest = max(a.max(), b.max()) * math.hypot(*steps)
        if all(step.is_integer() for step in steps) and 4 * farthest**2 <= EXACT:
            there, back = _by_table(*(np.multiply(points, steps, dtype=np.float32) for points in (a, b)))
            return there * finest, back * finest
    return _by_trees(a * np.array(spacing), b * np.array(spacing))


def nearest_one(
    point: NDArray[np.number], others: NDArray[np.number], *, spacing: tuple[float, ...]
) -> int:
    """Which of `others` (n, axes) is nearest to a point (axes,).

    >>> nearest_one(np.array([0, 0]), np.array([[0, 3], [2, 0]]), spacing=(2.0, 1.0))
    0
    """
    steps = (others - point) * spacing
    return int(np.einsum("ij,ij->i", steps, steps).argmin())


def _by_table(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[Distances, Distances]:
    """Between points in whole numbers: each with each, some rows of the table at a time.

    The bits of floats that are not below 0 sort like the floats, and the least is found faster without a look for nan.
    """
    terms = a.shape[1] + 2
    left, right = np.ones((len(a), terms), np.float32), np.ones((terms, len(b)), np.float32)
    left[:, 0], left[:, 1:-1] = np.einsum("ij,ij->i", a, a), a
    right[1:-1], right[-1] = -2 * b.T, np.einsum("ij,ij->i", b, b)
    there, back = np.empty(len(a), np.int32), np.full(len(b), np.iinfo(np.int32).max, np.int32)
    rows = math.ceil(AT_ONCE / right.size)
    for start in range(0, len(a), rows):
        squares = (left[start : start + rows] @ right).view(np.int32)
        squares.min(axis=1, out=there[start : start + rows])
        np.minimum(back, squares.min(axis=0), out=back)
    return _roots(there), _roots(back)


def _roots(bits: NDArray[np.int32]) -> Distances:
    return np.sqrt(bits.view(np.float32), dtype=np.float64)


def _by_trees(a: Distances, b: Distances) -> tuple[Distances, Distances]:
    from pykdtree.kdtree import KDTree

    return KDTree(b).query(a)[0], KDTree(a).query(b)[0]
