"""PNG, JPEG, BMP and GIF, through Pillow.

Pillow is told to bend nothing: truncated files are errors, 16-bit colour (which it would halve) is decoded
by imagecodecs, grey of fewer than 8 bits keeps its stored values (a 1-bit mask is 0 and 1), palettes stay
indices.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.picture import Picture, rgb_from_cmyk, upright, without_constant_alpha

if TYPE_CHECKING:
    from PIL.Image import Image

_KINDS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "DIB": (".bmp",),
    "GIF": (".gif",),
}
"""Pillow's name of a content -> the suffixes that such a file may have."""
_ORIENTATION = 0x0112
_OPENING = threading.Lock()


def read_raster(path: Path) -> Picture:
    """The picture in a PNG, JPEG, BMP or GIF file, whichever its content is, whatever its name.

    The array is (height, width, channels), or (frames, height, width, 3) for an animated GIF: 8-bit grey or
    colour, 16-bit PNG as 16 bit, 1-bit as 0 and 1. Palette files give indices and the palette. EXIF
    orientation is applied, CMYK becomes RGB, an alpha channel without information is dropped; the notes say
    which.
    """
    with _opened(path) as image:
        notes = []
        suffix = path.suffix.lower()
        if suffix not in _KINDS[image.format or ""]:
            suffix = _KINDS[image.format or ""][0]
            notes.append(f"the file is named {path.suffix} but its content is {suffix}")
        frames = getattr(image, "n_frames", 1)
        palette = None
        if frames > 1 and suffix == ".gif":
            array = _frames(image, frames)
            notes.append(f"{frames} frames read as depth")
        else:
            if frames > 1:
                notes.append(f"the first of {frames} pictures in the file was read")
            array, palette, understood = _pixels(image, path)
            notes += understood
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    if 2 <= orientation <= 8:
        array = upright(array, orientation=orientation)
        notes.append("turned upright as its EXIF tag says")
    return Picture(array, (1.0,) * (array.ndim - 1), "px", None, suffix, tuple(notes), palette)


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """The file opened by Pillow: without a limit on its size, without warnings, only as one of our kinds."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _OPENING:  # the limit is a global of Pillow's, looked at while a file is opened
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(path, formats=("PNG", "JPEG", "BMP", "DIB", "GIF"))
            finally:
                Image.MAX_IMAGE_PIXELS = limit
        with image:
            yield image


def _pixels(image: Image, path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None, list[str]]:
    """(height, width, channels), the palette where the values are indices into it, and notes."""
    image.load()
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        notes = (
            ["transparent palette entries are read as their colours"] if "transparency" in image.info else []
        )
        return np.array(image)[..., None], palette, notes
    if image.mode == "CMYK":
        return rgb_from_cmyk(np.array(image)), None, ["CMYK converted to RGB"]
    array = _stored(image, path)
    if array.ndim == 2:
        return array[..., None], None, []
    if array.shape[-1] in (2, 4):
        array, note = without_constant_alpha(array)
        return array, None, [note]
    return array, None, []


def _stored(image: Image, path: Path) -> NDArray[Any]:
    """The values as the file stores them: (height, width), or (height, width, 2 to 4)."""
    bits, colour = _png_header(path) if image.format == "PNG" else (8, 0)
    if bits == 16 and colour in (2, 4, 6):
        from imagecodecs import png_decode

        return np.asarray(png_decode(path.read_bytes()))
    if image.mode == "1":
        return np.array(image).astype(np.uint8)
    if image.mode == "L" and bits < 8:
        return np.array(image, dtype=np.uint8) // np.uint8(255 // (2**bits - 1))
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return np.array(image)
    if image.mode.startswith("I"):
        return np.array(image).astype(np.uint16 if bits == 16 else np.int32)
    raise DataError(f"{path} has pixels of the kind {image.mode}, which is not read: save it as grey or RGB")


def _png_header(path: Path) -> tuple[int, int]:
    """Bit depth and colour type (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA) of a PNG file."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[24], head[25]


def _frames(image: Image, count: int) -> NDArray[np.uint8]:
    """All frames of an animation, each composed as a viewer shows it: (count, height, width, 3)."""
    frames = []
    for index in range(count):
        image.seek(index)
        frames.append(np.array(image.convert("RGB")))
    return np.stack(frames)


def write_raster(path: Path, picture: Picture) -> None:
    """Write a (height, width, 1) picture to PNG, BMP or GIF: uint8 with its palette, or (PNG only) uint16."""
    from PIL import Image

    values = np.ascontiguousarray(picture.array[..., 0])
    if values.dtype == np.uint8 and picture.palette is not None:
        image = Image.frombytes("P", values.shape[::-1], values.tobytes())
        image.putpalette(picture.palette.tobytes())
    else:
        image = Image.fromarray(values)
    if path.suffix.lower() == ".gif":
        image.save(path, optimize=False)  # optimising would renumber the colours
    else:
        image.save(path)
