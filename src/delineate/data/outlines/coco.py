"""COCO's instances: one file about many images, polygons as lists of x and y, or runs of pixels, column by column.

Runs come as numbers, the first of background, or as COCO's own text of them (six bits a letter, from the third run on the
difference to the one two before). Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.data.outlines.outline import Drawn, Outline, ring


def is_coco(content: Any) -> bool:
    """Whether parsed JSON is a COCO file with annotations."""
    return isinstance(content, dict) and "images" in content and "annotations" in content


def read_coco(path: Path, content: Any) -> list[Drawn]:
    """The outlines on each image that the file lists; an image without any is one on which there is nothing.

    >>> about = {"images": [{"id": 7, "file_name": "a.png", "height": 4, "width": 6}],
    ...          "annotations": [{"image_id": 7, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]]}],
    ...          "categories": [{"id": 1, "name": "cell"}]}
    >>> (drawn,) = read_coco(Path("coco.json"), about)
    >>> drawn.image, drawn.size, [(o.said, o.area) for o in drawn.outlines]
    ('a.png', (4, 6), [('cell', 8.0)])
    """
    names = {_id(one["id"]): str(one["name"]) for one in content.get("categories") or []}
    pictures = _pictures(path, content["images"])
    found: dict[str, list[Outline]] = {number: [] for number in pictures}
    bare = dict.fromkeys(found, 0)
    for one in content["annotations"]:
        number = _id(one["image_id"])
        if number not in found:
            raise DataError(
                f"{path} has an annotation of image {number}, which it does not list: export it again"
            )
        outline = _outline(one.get("segmentation"), said=names.get(_id(one.get("category_id")), ""))
        if outline is None:
            bare[number] += 1
        else:
            found[number].append(outline)
    return [
        Drawn(
            path,
            str(one["file_name"]),
            tuple(found[number]),
            (int(float(one["height"])), int(float(one["width"])))
            if one.get("height") and one.get("width")
            else None,
            {"box": bare[number]} if bare[number] else {},
        )
        for number, one in pictures.items()
    ]


def _pictures(path: Path, images: Any) -> dict[str, Any]:
    """What is said of each image, by its id; raises DataError where two have one."""
    found: dict[str, Any] = {}
    for one in images:
        first = found.setdefault(_id(one["id"]), one)
        if first["file_name"] != one["file_name"]:
            raise DataError(
                f"{path} gives {first['file_name']} and {one['file_name']} one id ({one['id']}): number the images anew, "
                "and their annotations likewise"
            )
    return found


def _id(written: Any) -> str:
    """An id as text: programs write 3, "3" and 3.0 for one.

    >>> _id(3), _id("3"), _id(3.0)
    ('3', '3', '3')
    """
    return str(int(written)) if isinstance(written, float) and written.is_integer() else str(written)


def _outline(drawn: Any, *, said: str) -> Outline | None:
    """From polygons or runs; None where there is a box alone."""
    if isinstance(drawn, dict):
        return _cut(said, unrolled(drawn["counts"], *map(int, drawn["size"])))
    if drawn and np.ndim(drawn[0]) == 0:  # one polygon that is not in a list of polygons
        drawn = [drawn]
    rings = [ring(np.reshape(flat, (-1, 2))) for flat in drawn or [] if np.size(flat) > 4]
    return Outline(said, tuple((one,) for one in rings)) if rings else None


def _cut(said: str, mask: NDArray[np.bool_]) -> Outline:
    """The part of a mask that holds something."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return Outline(said, pixels=((0, 0), np.zeros((0, 0), bool)))
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return Outline(said, pixels=((int(rows[0]), int(columns[0])), window))


def unrolled(counts: Any, height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) that runs describe: numbers, or COCO's text of them.

    Raises DataError where they do not make that many pixels.

    >>> unrolled([1, 2, 3], 2, 3).astype(int)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    runs = np.asarray(_runs(counts) if isinstance(counts, (str, bytes)) else counts, np.int64)
    if (runs < 0).any() or runs.sum() != height * width:
        raise DataError(f"runs of pixels do not make {height} x {width}: export the masks again")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _runs(text: str | bytes) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode() if isinstance(text, str) else text:
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:  # the last of this number, with its sign
            value -= (bits >> 4 & 1) << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs
