"""Points and boxes as labels: what a click or a frame says about the pixels around it, and about no others.

A point says its class for a small disc around it. A box says that nothing of its class lies outside, and that its
middle is of it; the rest of the box stays unlabelled, since nobody said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED

NEAREST, LEAST, MOST = 0.15, 1.0, 3.0
CORE = 0.2


@dataclass(frozen=True)
class Point:
    """A click: where (row, column), or (slice, row, column), in pixels, with whole numbers at the middles of pixels."""

    place: tuple[float, ...]
    label: int


@dataclass(frozen=True)
class Box:
    """A frame around one object: its first pixel and the one after its last along each axis."""

    start: tuple[float, ...]
    stop: tuple[float, ...]
    label: int


def disc_radius(sets: Iterable[Sequence[Point]]) -> float:
    """Radius in pixels of the discs around points, from how near to each other the points of one image lie.

    0.15 of the median distance to the nearest other point, from 1 to 3: where objects touch, the distance is that of a
    diameter, and the disc is a third of the object across. 1 where no image has two points.

    >>> disc_radius([[Point((0, 0), 1), Point((0, 10), 1)]])
    1.5
    """
    from scipy.spatial import KDTree

    nearest = [
        KDTree(places).query(places, k=2)[0][:, 1]
        for points in sets
        if len(places := np.array([point.place for point in points], float)) > 1
    ]
    apart = float(np.median(np.concatenate(nearest))) if nearest else 0.0
    return float(np.clip(NEAREST * apart, LEAST, MOST))


def with_points(labels: NDArray[np.uint8], points: Sequence[Point], *, radius_px: float) -> NDArray[np.uint8]:
    """A copy of labels (*spatial) with the class of each point in a disc around it; in a volume on its slice alone.

    Only what is unlabelled is labelled, and a pixel goes to the nearest point.

    >>> with_points(np.full((3, 5), 255, np.uint8), [Point((1, 1), 1), Point((1, 4), 0)], radius_px=1)
    array([[255,   1, 255, 255,   0],
           [  1,   1,   1,   0,   0],
           [255,   1, 255, 255,   0]], dtype=uint8)
    """
    reach = np.arange(-int(radius_px), int(radius_px) + 1)
    around = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    away = np.hypot(*around.T)
    around, away = around[away <= radius_px], away[away <= radius_px]
    nearest = np.full(labels.shape, np.inf)
    found = labels.copy()
    for point in points:
        middle = np.rint(point.place).astype(int)
        spots = np.broadcast_to(middle, (len(around), labels.ndim)).copy()
        spots[:, -2:] += around
        inside = ((spots >= 0) & (spots < labels.shape)).all(axis=1)
        spots, distance = spots[inside], away[inside]
        at = tuple(spots.T)
        nearer = (labels[at] == UNLABELLED) & (distance < nearest[at])
        at = tuple(spots[nearer].T)
        found[at], nearest[at] = point.label, distance[nearer]
    return found


def with_boxes(labels: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    """A copy of labels (*spatial) with background outside all boxes, and in each box a core of its class.

    The core is the middle 20 % of the box; around it the box stays unlabelled (the variant Box^i of Khoreva et al. 2017,
    doi:10.1109/CVPR.2017.181). Where boxes overlap, the core of the smaller one lies in front. Only what is unlabelled is
    labelled.

    >>> with_boxes(np.full((1, 7), 255, np.uint8), [Box((0, 1), (1, 6), 1)])
    array([[  0, 255, 255,   1, 255, 255,   0]], dtype=uint8)
    """
    said = np.zeros_like(labels)
    for box in boxes:
        said[_inside(box, 1.0)] = UNLABELLED
    for box in sorted(boxes, key=lambda box: -float(np.prod(np.subtract(box.stop, box.start)))):
        wide = sum(stop - start > 1 for start, stop in zip(box.start, box.stop, strict=True))
        said[_inside(box, CORE ** (1 / max(wide, 1)))] = box.label
    return np.where(labels == UNLABELLED, said, labels)


def _inside(box: Box, share: float) -> tuple[slice, ...]:
    """The middle `share` of each side of a box; one pixel at least."""
    sides = []
    for start, stop in zip(box.start, box.stop, strict=True):
        middle, half = (start + stop) / 2, share * (stop - start) / 2
        first = min(round(middle - half), int(np.ceil(middle)) - 1)
        sides.append(slice(max(first, 0), max(round(middle + half), first + 1)))
    return tuple(sides)
