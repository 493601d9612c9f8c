"""What people draw around things in other programs, as every format here is read: outlines, and which image they are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError

_CORNERS = 180  # of an ellipse

Ring = NDArray[np.float64]
"""Corners (n, 2), row and column; 0, 0 is the corner of the first pixel, whose middle is 0.5, 0.5."""


@dataclass(frozen=True, eq=False)
class Outline:
    """One thing that was drawn around.

    said: its class, "" where it has none. parts: polygons, each of rings of which the second and later are holes (a pixel is
    inside where an odd number of rings surrounds it). pixels: instead of polygons, a piece of a mask and where its first
    pixel lies. plane: the slice of a stack, None for all of them.

    >>> square = ring([[2, 1], [5, 1], [5, 3], [2, 3]])
    >>> Outline("cell", ((square,),)).area, Outline("cell", ((square,),)).extent
    (6.0, (1, 2, 3, 5))
    """

    said: str
    parts: tuple[tuple[Ring, ...], ...] = ()
    pixels: tuple[tuple[int, int], NDArray[np.bool_]] | None = None
    plane: int | None = None

    @cached_property
    def area(self) -> float:
        """In pixels; of polygons without what rounding to pixels changes."""
        if self.pixels is not None:
            return float(self.pixels[1].sum())
        sizes = ([abs(_twice_area(one)) / 2 for one in rings] for rings in self.parts)
        return float(sum(2 * max(own) - sum(own) for own in sizes if own))

    @cached_property
    def extent(self) -> tuple[int, int, int, int]:
        """First row and column, and those after the last, of the pixels that it may hold."""
        if self.pixels is not None:
            (top, left), mask = self.pixels
            return top, left, top + mask.shape[0], left + mask.shape[1]
        corners = np.concatenate([one for rings in self.parts for one in rings])
        (top, left), (bottom, right) = np.floor(corners.min(0)), np.ceil(corners.max(0))
        return int(top), int(left), int(bottom), int(right)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one file says of one image.

    image: the image by its file, or the stem of it; "" where the file does not say. size: rows and columns that it had.
    left_out: what has no area (points, lines), and how many of it.
    """

    source: Path
    image: str
    outlines: tuple[Outline, ...]
    size: tuple[int, int] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


def ring(corners: Iterable[Any]) -> Ring:
    """A ring from pairs of x and y, as all of these formats have them.

    Raises DataError where that is not what they are.

    >>> ring([[2, 1], [5, 1], [5, 3]]).tolist()
    [[1.0, 2.0], [1.0, 5.0], [3.0, 5.0]]
    """
    try:
        array = np.asarray(list(corners), np.float64)[:, :2]
    except (TypeError, ValueError, IndexError) as error:
        raise DataError("an outline is not made of pairs of x and y: export it again") from error
    if not np.isfinite(array).all() or np.abs(array).max(initial=0) > 2**31:
        raise DataError("an outline runs out of any image: export it again")
    return np.ascontiguousarray(array[:, ::-1])


def round_(middle: tuple[float, float], half: tuple[float, float]) -> NDArray[np.float64]:
    """Corners (n, 2), x and y, of an ellipse around `middle` with these half axes.

    >>> round_((3.0, 2.0), (2.0, 1.0))[0].tolist()
    [5.0, 2.0]
    """
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    corners: NDArray[np.float64] = np.asarray(middle) + np.asarray(half) * np.stack(
        [np.cos(angles), np.sin(angles)], axis=1
    )
    return corners


def following(corners: NDArray[Any]) -> NDArray[Any]:
    """The next corner of each, after the last the first."""
    return np.concatenate((corners[1:], corners[:1]))


def _twice_area(corners: Ring) -> float:
    rows, columns = corners.T
    return float(columns @ following(rows) - following(columns) @ rows)
