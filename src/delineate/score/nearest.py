"""How far each point of one set lies from the nearest of another, both ways, exactly.

Many points are asked of a search tree each way. A few (two outlines in a small picture) are faster compared all with all:
one matrix product gives |a|² + |b|² - 2ab for every pair, and in whole numbers below 2**24, which square voxels have,
32-bit floats round nothing.
"""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray

TABLE = 2**19  # pairs of points up to which all are compared
AT_ONCE = 2**17  # of these for a piece of the table, which stays in the cache
EXACT = 2**24  # whole numbers up to here are exact in 32-bit floats

Points = NDArray[np.intp]
Distances = NDArray[np.float64]
Terms = NDArray[np.float32]


def nearest_distances(a: Points, b: Points, *, spacing: tuple[float, ...]) -> tuple[Distances, Distances]:
    """From each point of `a` (n, axes) to the nearest of `b` (m, axes), and back: (n,) and (m,), in the unit of spacing.

    Points are indices: whole steps of `spacing` along each axis. What has no other point to go to is infinitely far.

    >>> nearest_distances(np.array([[0, 0], [3, 4]]), np.array([[0, 0]]), spacing=(1.0, 1.0))
    (array([0., 5.]), array([0.]))
    """
    if not len(a) or not len(b):
        return np.full(len(a), np.inf), np.full(len(b), np.inf)
    finest = min(spacing)
    steps = [size / finest for size in spacing]
    if len(a) * len(b) <= TABLE and all(step.is_integer() for step in steps):
        terms = _terms(np.concatenate([a, b]), steps)
        if 4 * terms[0].max() <= EXACT:
            squares = _by_table(terms[:, : len(a)], terms[:, len(a) :])
            there, back = np.split(np.sqrt(squares, dtype=np.float64) * finest, [len(a)])
            return there, back
    return _by_trees(a * np.array(spacing), b * np.array(spacing))


def nearest_one(point: NDArray[np.number], others: NDArray[np.number], *, spacing: tuple[float, ...]) -> int:
    """Which of `others` (n, axes) is nearest to a point (axes,).

    >>> nearest_one(np.array([0, 0]), np.array([[0, 3], [2, 0]]), spacing=(2.0, 1.0))
    0
    """
    steps = (others - point) * spacing
    return int(np.einsum("ij,ij->i", steps, steps).argmin())


def _terms(points: Points, steps: list[float]) -> Terms:
    """Of points (n, axes) the columns |p|², p along each axis, and 1: (axes + 2, n)."""
    terms = np.ones((len(steps) + 2, len(points)), np.float32)
    terms[1:-1] = points.T
    terms[1:-1] *= np.array(steps, np.float32)[:, None]
    np.einsum("ij,ij->j", terms[1:-1], terms[1:-1], out=terms[0])
    return terms


def _by_table(left: Terms, right: Terms) -> NDArray[np.float32]:
    """Squared distances, in steps, from each point with each: first of those on the left to the nearest, then the others'.

    Some rows of the table at a time. The bits of floats that are not below 0 sort like the floats, and the least is found
    faster without a look for nan.
    """
    right = np.concatenate([right[-1:], -2 * right[1:-1], right[:1]])
    left = np.ascontiguousarray(left.T)
    pieces = math.ceil(len(left) * right.shape[1] / AT_ONCE)
    there, back = [], []
    for start in range(0, len(left), rows := math.ceil(len(left) / pieces)):
        squares = (left[start : start + rows] @ right).view(np.int32)
        there.append(squares.min(axis=1))
        back.append(squares.min(axis=0))
    return np.concatenate([*there, reduce(np.minimum, back)]).view(np.float32)


def _by_trees(a: Distances, b: Distances) -> tuple[Distances, Distances]:
    from pykdtree.kdtree import KDTree

    return KDTree(b).query(a)[0], KDTree(a).query(b)[0]
