"""Objects as polygons for QuPath and whatever reads GeoJSON: exact outlines along the edges of pixels.

Coordinates are (x, y) in pixels of the full resolution, the origin at the top left corner of the top left pixel. The
area of a polygon, less its holes, is the number of its pixels. GeoJSON: RFC 7946.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import ClassTable
from delineate.core.errors import DataError
from delineate.core.output import written_whole
from delineate.data.large.image import Box
from delineate.data.large.labels import LabelStore

Ring = list[tuple[int, int]]

_TOGETHER = 2048  # pixels: objects that begin in one square of this side are read together


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """What is known of objects 1 to n, by their ids less one: class (n,), pixels (n,), start and stop (n, axes)."""

    classes: NDArray[np.uint8]
    pixels: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


def rings(mask: NDArray[np.bool_]) -> list[Ring]:
    """The outlines of a mask (h, w) along pixel edges, each closed; the outer clockwise as seen, holes the other way.

    Pixels that touch at a corner only are apart.

    >>> rings(np.array([[True, True]]))
    [[(0, 0), (2, 0), (2, 1), (0, 1), (0, 0)]]
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    here = inside[1:-1, 1:-1]
    ahead: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for beyond, (x0, y0), (dx, dy) in (
        (inside[:-2, 1:-1], (0, 0), (1, 0)),  # above: the top edge, to the right
        (inside[1:-1, 2:], (1, 0), (0, 1)),
        (inside[2:, 1:-1], (1, 1), (-1, 0)),
        (inside[1:-1, :-2], (0, 1), (0, -1)),
    ):
        rows, columns = np.nonzero(here & ~beyond)
        for x, y in zip((columns + x0).tolist(), (rows + y0).tolist(), strict=True):
            ahead.setdefault((x, y), []).append((dx, dy))
    used: set[tuple[int, int, int, int]] = set()
    found = []
    for x, y in sorted(ahead, key=lambda point: (point[1], point[0])):
        for dx, dy in ahead[x, y]:
            if (x, y, dx, dy) not in used:
                found.append(_ring((x, y, dx, dy), ahead, used))
    return found


def _ring(
    first: tuple[int, int, int, int],
    ahead: dict[tuple[int, int], list[tuple[int, int]]],
    used: set[tuple[int, int, int, int]],
) -> Ring:
    """Follow the edges from the first until it comes again, keeping right where two lead on; note them as used."""
    x, y, dx, dy = first
    corners = []
    while (x, y, dx, dy) not in used:
        used.add((x, y, dx, dy))
        x, y = x + dx, y + dy
        ways = ahead[x, y]
        turn = (-dy, dx) if (-dy, dx) in ways else ways[0]
        if turn != (dx, dy):
            corners.append((x, y))
        dx, dy = turn
    start = corners.index(min(corners, key=lambda point: (point[1], point[0])))
    return [*corners[start:], *corners[: start + 1]]


def area(ring: Ring) -> int:
    """The pixels that a ring encloses; negative for a hole.

    >>> area([(0, 0), (2, 0), (2, 1), (0, 1), (0, 0)])
    2
    """
    twice = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring))
    return twice // 2


def geometry(mask: NDArray[np.bool_], *, top: int, left: int) -> dict[str, Any]:
    """A mask (h, w) whose corner lies at (left, top), as GeoJSON's Polygon, or MultiPolygon where it is in pieces.

    >>> geometry(np.array([[True]]), top=5, left=7)["coordinates"]
    [[[7, 5], [8, 5], [8, 6], [7, 6], [7, 5]]]
    """
    found = rings(mask)
    sizes = [area(ring) for ring in found]
    outer = [(size, ring) for size, ring in zip(sizes, found, strict=True) if size > 0]
    holes = [ring for size, ring in zip(sizes, found, strict=True) if size < 0]
    polygons = [[ring] for _, ring in outer]
    if len(outer) == 1:
        polygons[0] += holes
    else:
        extents = [_extent(ring) for _, ring in outer]
        for hole in holes:
            x0, y0, x1, y1 = _extent(hole)
            around = [i for i, (a, b, c, d) in enumerate(extents) if a < x0 and b < y0 and x1 < c and y1 < d]
            polygons[min(around, key=lambda i: outer[i][0])].append(hole)
    moved = [[[[x + left, y + top] for x, y in ring] for ring in polygon] for polygon in polygons]
    if len(moved) == 1:
        return {"type": "Polygon", "coordinates": moved[0]}
    return {"type": "MultiPolygon", "coordinates": moved}


def _extent(ring: Ring) -> tuple[int, int, int, int]:
    xs, ys = zip(*ring, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def write_geojson(
    path: Path, ids: LabelStore, table: ObjectTable, *, classes: ClassTable, detections: bool
) -> Path:
    """Write every object of a flat image as a feature; returns the path.

    ids: object ids. detections: QuPath's kind of object for many small ones, such as nuclei; else annotations.
    """
    if len(ids.levels[0]) != 2:
        raise DataError(
            f"{path} would hold polygons of a stack, which GeoJSON has no place for: leave --geojson out"
        )
    kind = "detection" if detections else "annotation"
    with written_whole(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for count, (number, mask) in enumerate(_masks(ids, table)):
            top, left = (int(n) for n in table.start[number - 1])
            label = int(table.classes[number - 1])
            feature = {
                "type": "Feature",
                "geometry": geometry(mask, top=top, left=left),
                "properties": {
                    "objectType": kind,
                    "classification": {"name": classes.names[label], "color": list(classes.colours[label])},
                    "measurements": {"id": number, "pixels": int(table.pixels[number - 1])},
                },
            }
            file.write(",\n" if count else "\n")
            file.write(json.dumps(feature))
        file.write("\n]}\n")
    return path


def _masks(ids: LabelStore, table: ObjectTable) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Every object with its mask in its bounding box; neighbours are read together."""
    square = table.start // _TOGETHER
    order = np.lexsort(square.T[::-1]) if len(table) else np.zeros(0, np.int64)
    groups = (
        np.split(order, np.flatnonzero((np.diff(square[order], axis=0) != 0).any(1)) + 1)
        if len(order)
        else []
    )
    for group in groups:
        size = table.stop[group] - table.start[group]
        small = group[(size <= _TOGETHER).all(1)]
        for some in ([small] if len(small) else []) + [
            group[[i]] for i in np.flatnonzero((size > _TOGETHER).any(1))
        ]:
            low, high = table.start[some].min(0), table.stop[some].max(0)
            region = ids.read(_box(low, high))
            for index in some:
                box = _box(table.start[index] - low, table.stop[index] - low)
                yield int(index) + 1, region[box] == index + 1


def _box(start: NDArray[np.int64], stop: NDArray[np.int64]) -> Box:
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
