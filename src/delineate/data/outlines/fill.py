"""Outlines to pixels: a pixel belongs to a polygon that holds its middle.

Where two polygons share a side, each pixel along it belongs to one of them, so that tiles neither overlap nor leave a gap.
The time follows the rows that the sides cross and the pixels of the box, not their product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.data.outlines.outline import Outline, Ring, following


def inside(rings: Sequence[Ring], *, start: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Of the pixels of a window at `start`, those (*shape) whose middles an odd number of rings surrounds.

    >>> square, hole = (np.array([[a, a], [a, b], [b, b], [b, a]], float) for a, b in ((0, 4), (1, 3)))
    >>> inside([square, hole], start=(0, 1), shape=(4, 4)).astype(int)
    array([[1, 1, 1, 0],
           [0, 0, 1, 0],
           [0, 0, 1, 0],
           [1, 1, 1, 0]])
    """
    (top, left), (height, width) = start, shape
    crossed = np.zeros((height, width + 1), np.uint8)
    for whole in rings:
        corners, after = whole, following(whole)
        upper, lower = np.minimum(corners[:, 0], after[:, 0]), np.maximum(corners[:, 0], after[:, 0])
        near = (upper < top + height) & (lower > top)  # few sides of a long outline are in a window
        corners, after = corners[near], after[near]
        falls = corners[:, :1] <= after[:, :1]  # from its upper end, a side is the same to both neighbours
        (y0, x0), (y1, x1) = np.where(falls, corners, after).T, np.where(falls, after, corners).T
        first, last = (
            np.minimum(np.maximum(np.ceil(y - 0.5) - top, 0), height).astype(np.int64) for y in (y0, y1)
        )
        counts = last - first  # the rows whose middles a side crosses
        side = np.repeat(np.arange(len(counts)), counts)
        rows = np.arange(len(side)) - np.repeat(np.cumsum(counts) - counts, counts) + first[side]
        along = (rows + (top + 0.5) - y0[side]) / (y1 - y0)[side]
        columns = np.ceil(x0[side] + along * (x1 - x0)[side] - 0.5) - left  # rounded alike in every window
        columns = np.minimum(np.maximum(columns, 0), width).astype(np.int64)
        np.bitwise_xor.at(crossed, (rows, columns), np.uint8(1))
    return np.bitwise_xor.accumulate(crossed[:, :-1], axis=1).astype(bool)


def covered(
    outline: Outline, *, start: tuple[int, int], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """The part of a window (*shape) at `start` that an outline may cover, and which of its pixels it does; None for none.

    >>> covered(Outline("a", pixels=((1, 2), np.array([[True, True, True]]))), start=(0, 0), shape=(3, 4))
    ((slice(1, 2, None), slice(2, 4, None)), array([[ True,  True]]))
    """
    top, left, bottom, right = outline.extent
    first = max(top, start[0]), max(left, start[1])
    after = min(bottom, start[0] + shape[0]), min(right, start[1] + shape[1])
    if first[0] >= after[0] or first[1] >= after[1]:
        return None
    if outline.pixels is not None:
        (row, column), mask = outline.pixels
        held = mask[first[0] - row : after[0] - row, first[1] - column : after[1] - column]
    else:
        part = after[0] - first[0], after[1] - first[1]
        held = np.zeros(part, bool)
        for rings in outline.parts:
            held |= inside(rings, start=first, shape=part)
    rows, columns = (slice(a - s, b - s) for a, b, s in zip(first, after, start, strict=True))
    return ((rows, columns), held) if held.any() else None
