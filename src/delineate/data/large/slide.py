"""Whole slides of scanners (Aperio, Hamamatsu, Leica, MIRAX, Ventana, ...), through OpenSlide.

Goode et al. 2013, doi:10.4103/2153-3539.119005. Where a scanner saved nothing, the slide has the colour of its glass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage

SLIDES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")

_CACHE = 64 << 20  # bytes: OpenSlide keeps tiles of 32 MB, and decodes


def open_slide(path: Path) -> LargeImage:
    """A slide as RGB, its pixel size in µm where the scanner tells it."""
    try:
        import openslide
    except ImportError as error:
        raise DataError(
            f"{path} is a whole slide, and OpenSlide is not installed: pip install 'delineate[large]'"
        ) from error
    slide: Any
    try:
        slide = openslide.OpenSlide(str(path))
    except openslide.OpenSlideError as error:
        raise DataError(
            f"{path} cannot be opened as a slide ({error}): copy it again, with all its files"
        ) from error
    told = slide.properties
    rows, columns = (_positive(told.get(f"openslide.mpp-{axis}")) for axis in "yx")
    known = rows is not None and columns is not None
    bounds = [told.get(f"openslide.bounds-{side}", "") for side in ("y", "x", "height", "width")]
    cropped = all(bound.isdecimal() for bound in bounds)  # QuPath wants all four
    glass = np.array(
        [int(told.get("openslide.background-color", "FFFFFF")[i : i + 2], 16) for i in (0, 2, 4)]
    )
    levels = tuple((height, width) for width, height in slide.level_dimensions)
    tile = tuple(int(told.get(f"openslide.level[0].tile-{side}", 256)) for side in ("height", "width"))

    def read(box: Box, level: int) -> NDArray[Any]:
        factor = slide.level_downsamples[level]
        corner = (round(box[1].start * factor), round(box[0].start * factor))
        size = (box[1].stop - box[1].start, box[0].stop - box[0].start)
        pixels = np.asarray(slide.read_region(corner, level, size))
        if (pixels[..., 3] == 255).all():
            return np.ascontiguousarray(pixels[..., :3])
        alpha = pixels[..., 3:].astype(np.uint16)
        mixed = (
            pixels[..., :3].astype(np.uint16) * alpha + glass.astype(np.uint16) * (255 - alpha) + 127
        ) // 255
        return mixed.astype(np.uint8)

    def close() -> None:
        nonlocal slide
        opened, slide = slide, None
        if opened is not None:
            opened.close()

    return LargeImage(
        path=path,
        levels=levels,
        channels=3,
        dtype=np.dtype(np.uint8),
        spacing=(rows, columns) if rows is not None and columns is not None else (1.0, 1.0),
        unit="µm" if known else "px",
        affine=None,
        suffix=path.suffix.lower(),
        chunk=tile,
        read=read,
        decoded=_CACHE,
        corner=(int(bounds[0]), int(bounds[1])) if cropped else (0, 0),
        close=close,
    )


def _positive(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
