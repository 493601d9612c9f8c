"""Objects as polygons for QuPath and whatever reads GeoJSON: exact outlines along the edges of pixels.

Coordinates are (x, y) in pixels of the full resolution, the origin at the top left corner of the top left pixel. The
area of a polygon, less its holes, is the number of its pixels. GeoJSON: RFC 7946.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import ClassTable
from delineate.core.errors import DataError
from delineate.core.output import written_whole
from delineate.data.large.box import Box

Ring = list[tuple[int, int]]

_STRIP = 1 << 24  # pixels of a larger object that are read together
_LONGEST = 1 << 21  # corners of pixels that an outline may pass
_TOGETHER = 2048  # pixels: objects that begin in one square of this side are read together


class Ids(Protocol):
    """Object ids that are read box by box: a `LabelStore` or `WholeIds`."""

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The shape (*spatial) of each resolution, the finest first."""

    def read(self, box: Box) -> NDArray[Any]:
        """The ids of a box of the finest."""


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
    edges: dict[int, int] = {}
    _add_edges(edges, np.pad(np.asarray(mask, bool), 1), top=0)
    return _closed(edges)


_DOWN = 1 << 32  # a corner of pixels is one number, y * _DOWN + x: there may be millions
_STEPS = (1, _DOWN, -1, -_DOWN)  # to the right, down, to the left, up


def _add_edges(edges: dict[int, int], inside: NDArray[np.bool_], *, top: int) -> None:
    """Add the edges around pixels within the frame of `inside` (h + 2, w + 2), whose first row within is `top`.

    edges: from which corner of pixels they lead in which of the four directions, as bits; pixels lie on their right.
    """
    for way, beyond, x0, y0 in _sides(inside):
        rows, columns = np.nonzero(inside[1:-1, 1:-1] & ~beyond)
        for corner in ((rows + (y0 + top)) * _DOWN + (columns + x0)).tolist():
            edges[corner] = edges.get(corner, 0) | 1 << way


def _sides(frame: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any], int, int]]:
    """On each of the four sides of the pixels within a frame (h + 2, w + 2): which way their edge leads there, what lies
    beyond it (h, w), and at which corner of the pixel it begins (x, y).
    """
    yield 0, frame[:-2, 1:-1], 0, 0  # above: the top edge, to the right
    yield 1, frame[1:-1, 2:], 1, 0
    yield 2, frame[2:, 1:-1], 1, 1
    yield 3, frame[1:-1, :-2], 0, 1


def _edges_together(
    region: NDArray[np.integer[Any]], numbers: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[tuple[int, dict[int, int]]]:
    """The edges of many objects, found at once: (its id, edges as in `_add_edges`), each within its own bounding box.

    region: ids (h, w), which holds the objects `numbers` (n,) whole. starts: (n, 2), where their boxes begin in it.
    """
    places = np.full(int(max(region.max(), numbers.max())) + 1, -1)
    places[numbers] = np.arange(len(numbers))
    frame, found = np.pad(region, 1), []
    for way, beyond, x0, y0 in _sides(frame):
        rows, columns = np.nonzero((region != beyond) & (region > 0))
        owners = places[region[rows, columns]]
        rows, columns, owners = (part[owners >= 0] for part in (rows, columns, owners))
        corners = (rows + y0 - starts[owners, 0]) * _DOWN + (columns + x0 - starts[owners, 1])
        found.append(np.stack([owners, corners, np.full(len(owners), 1 << way)]))
    owners, corners, ways = np.concatenate(found, axis=1)
    order = np.argsort(owners, kind="stable")
    stops = np.searchsorted(owners[order], np.arange(len(numbers)), side="right").tolist()
    listed, bits = corners[order].tolist(), ways[order].tolist()
    for number, start, stop in zip(numbers.tolist(), [0, *stops], stops, strict=False):
        edges: dict[int, int] = {}
        for corner, bit in zip(listed[start:stop], bits[start:stop], strict=True):
            edges[corner] = edges.get(corner, 0) | bit
        yield number, edges


def _closed(edges: dict[int, int]) -> list[Ring]:
    """The rings that edges make; takes the edges away."""
    return [
        _ring(edges, corner, way) for corner in sorted(edges) for way in range(4) if edges[corner] >> way & 1
    ]


def _ring(edges: dict[int, int], corner: int, way: int) -> Ring:
    """Follow the edges from one until it comes again, keeping right where two lead on; take them away."""
    first, first_way = corner, way
    corners = []
    while True:
        edges[corner] &= ~(1 << way)
        corner += _STEPS[way]
        left, right = edges[corner], (way + 1) % 4
        home = corner == first and (not left or right == first_way)
        turn = first_way if home else right if left >> right & 1 else left.bit_length() - 1
        if turn != way:
            corners.append(corner)
        if home:
            break
        way = turn
    start = corners.index(min(corners))  # of the highest ones the leftmost
    return [(corner % _DOWN, corner // _DOWN) for corner in (*corners[start:], *corners[: start + 1])]


def area(ring: Ring) -> int:
    """The pixels that a ring encloses; negative for a hole.

    >>> area([(0, 0), (2, 0), (2, 1), (0, 1), (0, 0)])
    2
    """
    twice = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring))
    return twice // 2


def geometry(found: list[Ring], *, top: int, left: int) -> dict[str, Any]:
    """The `rings` of a mask whose corner lies at (left, top), as GeoJSON's Polygon, or MultiPolygon if in pieces.

    >>> geometry(rings(np.array([[True]])), top=5, left=7)["coordinates"]
    [[[7, 5], [8, 5], [8, 6], [7, 6], [7, 5]]]
    """
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
    path: Path,
    ids: Ids,
    table: ObjectTable,
    *,
    classes: ClassTable,
    detections: bool,
    corner: tuple[int, int] = (0, 0),
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write every object of a flat image as a feature; returns the path.

    ids: object ids. detections: QuPath's kind of object for many small ones, such as nuclei; else annotations.
    corner: row and column whose coordinates are 0, 0.
    An object whose outline passes more than two million corners of pixels is left out, and that is told.
    """
    if len(ids.levels[0]) != 2:
        raise DataError(
            f"{path} would hold polygons of a stack, which GeoJSON has no place for: leave --geojson out"
        )
    kind = "detection" if detections else "annotation"
    with written_whole(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        count = 0
        for number, found in _outlined(ids, table):
            top, left = (int(n) for n in table.start[number - 1])
            if found is None:
                tell(
                    f"the outline of object {number} ({table.pixels[number - 1]} pixels from row {top}, column {left}) is "
                    f"too long for a polygon and is not in {path.name}: the labels hold it"
                )
                continue
            label = int(table.classes[number - 1])
            feature = {
                "type": "Feature",
                "geometry": geometry(found, top=top - corner[0], left=left - corner[1]),
                "properties": {
                    "objectType": kind,
                    "classification": {"name": classes.names[label], "color": list(classes.colours[label])},
                    "measurements": {"id": number, "pixels": int(table.pixels[number - 1])},
                },
            }
            file.write(",\n" if count else "\n")
            file.write(json.dumps(feature))
            count += 1
        file.write("\n]}\n")
    return path


def _outlined(ids: Ids, table: ObjectTable) -> Iterator[tuple[int, list[Ring] | None]]:
    """Every object with its outlines in its bounding box; small neighbours are read together, large ones in strips."""
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
        if len(small):
            low, high = table.start[small].min(0), table.stop[small].max(0)
            region = ids.read(_box(low, high))
            for number, edges in _edges_together(region, small + 1, table.start[small] - low):
                yield number, _closed(edges)
        for index in group[(size > _TOGETHER).any(1)]:
            box = _box(table.start[index], table.stop[index])
            yield int(index) + 1, _in_strips(ids, int(index) + 1, box)


def _in_strips(ids: Ids, number: int, box: Box) -> list[Ring] | None:
    """The outlines of an object in its bounding box, which is never whole in memory; None where they are too long."""
    rows, columns = box
    tall = max(_STRIP // (columns.stop - columns.start), 1)
    edges: dict[int, int] = {}
    for start in range(rows.start, rows.stop, tall):
        stop = min(start + tall, rows.stop)
        above, below = (
            max(start - 1, rows.start),
            min(stop + 1, rows.stop),
        )  # a row more, to see what is an edge
        mask = ids.read((slice(above, below), columns)) == number
        frame = np.pad(mask, ((int(above == start), int(below == stop)), (1, 1)))
        _add_edges(edges, frame, top=start - rows.start)
        if len(edges) > _LONGEST:
            return None
    return _closed(edges)


def _box(start: NDArray[np.int64], stop: NDArray[np.int64]) -> Box:
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
