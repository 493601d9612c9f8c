"""How large a pixel of a TIFF file is, and who says so.

In this order: a sidecar of nnU-Net's, OME metadata, ImageJ's (or our own) description. Dots per inch are
the printer's business and are not read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from delineate.core.errors import DataError
from delineate.data.picture import in_one_unit, length_unit, seven_digits

if TYPE_CHECKING:
    from tifffile import TiffFile

Size = tuple[float, float, float, str]
_UNKNOWN: Size = (1.0, 1.0, 1.0, "px")
_NO_UNIT = 1


def pixel_size(tiff: TiffFile, path: Path, *, dims: int) -> Size:
    """Depth, height and width of a pixel of the first image, and their unit; ones and "px" where unknown."""
    sidecar = _sidecar(path, dims=dims)
    if sidecar is not None:
        return sidecar
    if tiff.is_ome and tiff.ome_metadata:
        return _ome(tiff.ome_metadata)
    page = tiff.pages.first
    described = tiff.imagej_metadata or (tiff.shaped_metadata or ({},))[0]
    unit = length_unit(str(described.get("unit", "")))
    depth = _positive(described.get("spacing"))
    if unit == "px" and int(page.tags.valueof("ResolutionUnit", 2)) != _NO_UNIT:
        return (depth, 1.0, 1.0, "px")
    return (
        depth,
        _inverse(page.tags.valueof("YResolution")),
        _inverse(page.tags.valueof("XResolution")),
        unit,
    )


def _sidecar(path: Path, *, dims: int) -> Size | None:
    """nnU-Net's `case.json` beside `case.tif` or `case_0000.tif`: {"spacing": [z, y, x]}, in mm."""
    stem = path.name[: -len(path.suffix)]
    for name in (stem, re.sub(r"_\d{4}$", "", stem)):
        beside = path.with_name(f"{name}.json")
        if not beside.is_file():
            continue
        try:
            content = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{beside} beside {path.name} is not JSON: mend it or move it away") from error
        if isinstance(content, dict) and "spacing" in content:
            return _listed(content["spacing"], beside, dims=dims)
    return None


def _listed(spacing: Any, beside: Path, *, dims: int) -> Size:
    try:
        numbers = [float(s) for s in spacing]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (dims, 3) or not all(0 < s < float("inf") for s in numbers):
        raise DataError(f"{beside} gives the spacing {spacing}: write {dims} positive numbers, depth first")
    depth, rows, columns = [1.0, *numbers][-3:]
    return (depth, rows, columns, "mm")


def _ome(xml: str) -> Size:
    """PhysicalSizeZ, Y and X of the first image, all in the unit of X."""
    pixels = next(
        (e for e in ElementTree.fromstring(xml).iter() if e.tag.rpartition("}")[2] == "Pixels"), None
    )
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return _UNKNOWN
    units = [length_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"]
    sizes = [seven_digits(_positive(pixels.get(f"PhysicalSize{axis}"))) for axis in "ZYX"]
    (depth, rows, columns), unit = in_one_unit(sizes, units)
    return (depth, rows, columns, unit)


def _positive(value: Any) -> float:
    """A size that a file states, 1 where it states none or none that can be."""
    try:
        number = abs(float(value))
    except (TypeError, ValueError):
        return 1.0
    return number if 0 < number < float("inf") else 1.0


def _inverse(pixels_per_unit: Any) -> float:
    """The size of a pixel from TIFF's fraction of pixels per unit, freed of the fraction's rounding."""
    if not isinstance(pixels_per_unit, tuple) or not all(pixels_per_unit):
        return 1.0
    return seven_digits(pixels_per_unit[1] / pixels_per_unit[0])
