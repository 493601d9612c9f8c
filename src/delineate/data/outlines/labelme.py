"""labelme's JSON, a file for each image: polygons, rectangles, circles and masks, each with a label.

Programs that write the same format have rectangles of four corners and turned ones (`rotation`), which are polygons.
Shapes that have no area (points, lines) are left out. labelme calls by _background_ and __ignore__ what is no class.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from delineate.core import DataError
from delineate.data.outlines.outline import Drawn, Outline, ring, round_

BARE = ("point", "line", "linestrip", "points")
POLYGONS = ("polygon", "rectangle", "oriented_rectangle", "rotation")


def is_labelme(content: Any) -> bool:
    """Whether parsed JSON is a file of labelme's."""
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        return False
    return "imagePath" in content or any(isinstance(one, dict) and "points" in one for one in shapes)


def read_labelme(path: Path, content: Any) -> list[Drawn]:
    """The outlines in parsed JSON of labelme; of shapes of one group and label, one outline.

    >>> shape = {"label": "cell", "shape_type": "rectangle", "points": [[1, 1], [4, 3]], "group_id": None}
    >>> (drawn,) = read_labelme(Path("a.json"), {"shapes": [shape], "imagePath": "a.png"})
    >>> drawn.image, drawn.outlines[0].extent
    ('a.png', (1, 1, 3, 4))
    """
    outlines: list[Outline] = []
    left_out = Counter[str]()
    grouped: dict[tuple[str, Any], int] = {}
    for shape in content["shapes"]:
        kind = shape.get("shape_type") or "polygon"
        if kind in BARE or len(shape["points"]) < 2:
            left_out["line" if kind.startswith("line") else "point"] += 1
            continue
        outline = _outline(path, shape, kind)
        key = outline.said, shape.get("group_id")
        if key[1] is not None and outline.pixels is None and key in grouped:
            first = outlines[grouped[key]]
            outlines[grouped[key]] = Outline(first.said, (*first.parts, *outline.parts))
            continue
        if key[1] is not None and outline.pixels is None:
            grouped[key] = len(outlines)
        outlines.append(outline)
    sides = content.get("imageHeight"), content.get("imageWidth")
    size = (int(sides[0]), int(sides[1])) if sides[0] and sides[1] else None
    return [Drawn(path, str(content.get("imagePath") or path.stem), tuple(outlines), size, left_out)]


def _outline(path: Path, shape: dict[str, Any], kind: str) -> Outline:
    said, (first, *rest) = str(shape["label"] or ""), shape["points"]
    (x, y), (x1, y1) = first, rest[-1] if rest else first
    if kind == "mask":
        coded = base64.b64decode(shape["mask"])
        pixels = np.asarray(Image.open(io.BytesIO(coded))) > 0
        return Outline(said, pixels=((round(y), round(x)), pixels))
    if kind == "rectangle" and len(shape["points"]) == 2:
        return Outline(said, ((ring([(x, y), (x1, y), (x1, y1), (x, y1)]),),))
    if kind == "circle":
        radius = math.hypot(x1 - x, y1 - y)
        return Outline(said, ((ring(round_((x, y), (radius, radius))),),))
    if kind in POLYGONS:
        return Outline(said, ((ring(shape["points"]),),))
    raise DataError(f"{path} holds a shape of the kind {kind}, which is not known: draw it as a polygon")
