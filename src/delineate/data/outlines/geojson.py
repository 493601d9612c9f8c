"""GeoJSON as QuPath exports it: outlines in pixels of the full image, 0, 0 at its corner, the class in the properties.

A collection of features, a list of them or a single one, from any version of QuPath (before 0.4 `classification` has
`colorRGB`, since then `color`, and derived classes may come as a list of names). Cells give their own outline, not their
nucleus. Classes that end in * are QuPath's marks for what is no class. QuPath writes no plane for the first slice of a
stack: where some outlines have one, those without are on the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from delineate.core import DataError
from delineate.data.outlines.outline import Drawn, Outline, Ring, ring

LINES = {"LineString": "line", "MultiLineString": "line", "Point": "point", "MultiPoint": "point"}


def is_geojson(content: Any) -> bool:
    """Whether parsed JSON is GeoJSON with features."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return False
    return first.get("type") in ("FeatureCollection", "Feature") or (
        content is not first and "geometry" in first
    )


def read_geojson(path: Path, content: Any) -> list[Drawn]:
    """The outlines in parsed GeoJSON, on the image that is called as the file is.

    >>> corners = [[0, 0], [4, 0], [4, 2], [0, 2], [0, 0]]
    >>> feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [corners]},
    ...            "properties": {"classification": {"name": "Tumor"}}}
    >>> (drawn,) = read_geojson(Path("slide.geojson"), feature)
    >>> drawn.image, drawn.outlines[0].said, drawn.outlines[0].area
    ('slide', 'Tumor', 8.0)
    """
    if isinstance(content, dict):
        content = content.get("features", [content])
    outlines: list[Outline] = []
    left_out = Counter[str]()
    for feature in content:
        said = _class(feature.get("properties") or {})
        for geometry in _simple(feature.get("geometry")):
            kind = geometry.get("type")
            if kind in LINES:
                left_out[LINES[kind]] += 1
                continue
            polygons = geometry.get("coordinates")
            if kind not in ("Polygon", "MultiPolygon") or not isinstance(polygons, list):
                raise DataError(f"{path} holds a {kind}, which is no outline: export it again")
            parts = tuple(_rings(p) for p in (polygons if kind == "MultiPolygon" else [polygons]))
            if parts := tuple(rings for rings in parts if rings):
                outlines.append(Outline(said, parts, plane=_slice(geometry.get("plane"))))
    if any(one.plane is not None for one in outlines):
        outlines = [one if one.plane is not None else replace(one, plane=0) for one in outlines]
    return [Drawn(path, path.name.removesuffix(".gz").rpartition(".")[0], tuple(outlines), left_out=left_out)]


def _simple(geometry: Any) -> Iterator[dict[str, Any]]:
    """The geometries of which one is made; nothing where there is none."""
    if geometry and geometry.get("type") == "GeometryCollection":
        for inner in geometry.get("geometries", []):
            yield from _simple(inner)
    elif geometry:
        yield geometry


def _slice(plane: Any) -> int | None:
    """The slice that a plane of QuPath is, of a stack or a film; None where there is no plane."""
    return int(plane.get("z") or plane.get("t") or 0) if plane else None


def _rings(polygon: Any) -> tuple[Ring, ...]:
    return tuple(one for corners in polygon if len(one := ring(corners)) > 2)


def _class(properties: dict[str, Any]) -> str:
    """The class of a feature: QuPath's, or what others call it."""
    told = properties.get("classification")
    if isinstance(told, dict):
        return ": ".join(map(str, told["names"])) if told.get("names") else str(told.get("name") or "")
    qupath = "objectType" in properties or "object_type" in properties  # whose names are of single objects
    plain = (
        properties.get(key) for key in ("classification", "class", "label", *(() if qupath else ("name",)))
    )
    return next((word for word in plain if isinstance(word, str)), "")
