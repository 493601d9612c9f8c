"""TIFF: which of its axes are depth, rows, columns and channels; what its numbers mean; how it is written.

ImageJ, OME and tifffile's own metadata name the axes; a file without them is a stack of pages. The size of
a pixel comes from `tiff_scale`. What is written opens in ImageJ with its scale: palette colours for labels,
one channel after the other for images.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.picture import Picture, rgb_from_cmyk, upright, without_constant_alpha
from delineate.data.tiff_scale import pixel_size

if TYPE_CHECKING:
    from tifffile import TiffPage

_NAMELESS = "IQ"  # tifffile's letters for an axis that nothing names
_MOST_CHANNELS = 8
_IMAGEJ_TYPES = (np.uint8, np.uint16, np.float32)
_IMAGEJ_BYTES = 2**32 - 2**20
_WHITE_IS_ZERO, _PALETTE, _SEPARATED = 0, 3, 5
_LOSSY = (6, 7)


def read_tiff(path: Path) -> Picture:
    """The first series of a TIFF file as (height, width, channels) or (depth, height, width, channels).

    8 to 64 bit, float and 1-bit (as 0 and 1), planar or interleaved, BigTIFF, any compression; of a pyramid
    the full resolution. Palette files give indices and the palette. Raises DataError for time points of
    stacks, for several axes that nothing names, for images spread over several files, and for damage of any
    kind.
    """
    from tifffile import TiffFile

    with _damage_raised(path), TiffFile(path) as tiff:
        series = tiff.series[0]
        if series.is_multifile:
            raise DataError(
                f"{path} is one of several files of one OME-TIFF image: export it as a single file"
            )
        notes = (
            [f"the first of {len(tiff.series)} images in the file was read"] if len(tiff.series) > 1 else []
        )
        page = series.keyframe
        orientation = int(page.tags.valueof("Orientation", 1))
        array, deep, arranged = _arranged(series.asarray(), series.axes, path)
        array, palette, understood = _colours(array, page)
        depth, rows, columns, unit = pixel_size(tiff, path, dims=2 + deep)
    notes += arranged + understood
    if 2 <= orientation <= 8:
        array = upright(array, orientation=orientation)
        rows, columns = (columns, rows) if orientation >= 5 else (rows, columns)
        notes.append("turned upright as its orientation tag says")
    spacing = (depth, rows, columns) if deep else (rows, columns)
    return Picture(array, spacing, unit, None, path.suffix.lower(), tuple(notes), palette)


@contextmanager
def _damage_raised(path: Path) -> Iterator[None]:
    """Turn damage that tifffile only logs, giving zeros or fewer pages, into an error; silence the rest."""
    heard: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            harmless = text.startswith("<TiffTag.fromfile>") or "> <TiffTag.fromfile>" in text
            if record.thread == thread and (
                "segments" in text or (record.levelno >= logging.ERROR and not harmless)
            ):
                heard.append(text)

    listener, logger = Listener(), logging.getLogger("tifffile")
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
    if heard:
        raise DataError(
            f"{path} is damaged or cut short ({heard[0].rsplit('> ')[-1]}): copy or export it again"
        )


def _arranged(array: NDArray[Any], axes: str, path: Path) -> tuple[NDArray[Any], bool, list[str]]:
    """The array as (height, width, channels) or, where the flag says so, (depth, height, width, channels)."""
    notes = []
    if (
        axes[-1] == "X"
        and array.shape[-1] <= _MOST_CHANNELS < min(array.shape[-3:-1], default=0)
        and axes[-3] in _NAMELESS
    ):
        notes.append(
            f"{array.shape[-1]} columns per page read as channels, as an array saved channel last has them"
        )
        axes = axes[:-3] + "YXC"
    if "Y" not in axes or "X" not in axes:
        raise DataError(
            f"{path} has the axes {axes}, without rows and columns: export it as an ordinary TIFF"
        )
    kept = [i for i, letter in enumerate(axes) if array.shape[i] > 1 or letter in "YX"]
    array = array.reshape([array.shape[i] for i in kept])
    axes = "".join(axes[i] for i in kept)
    channels = [i for i, letter in enumerate(axes) if letter in "CS"]
    if "SYX" in axes:
        notes.append(f"{array.shape[axes.index('S')]} planes that the file calls colours read as channels")
    others = [i for i, letter in enumerate(axes) if letter not in "CSYX"]
    if len(others) > 1:
        sizes = " x ".join(f"{array.shape[i]} {_PLURAL.get(axes[i], 'pages')}" for i in others)
        raise DataError(f"{path} holds {sizes}: save one file per {'time point' if 'T' in axes else 'stack'}")
    if others and axes[others[0]] != "Z":
        notes.append(f"{array.shape[others[0]]} {_PLURAL.get(axes[others[0]], 'pages')} read as depth")
    array = array.transpose([*others, axes.index("Y"), axes.index("X"), *channels])
    return array.reshape(*array.shape[: len(others) + 2], -1), bool(others), notes


_PLURAL = {"T": "time points", "Z": "slices"}


def _colours(array: NDArray[Any], page: TiffPage) -> tuple[NDArray[Any], NDArray[np.uint8] | None, list[str]]:
    """The (..., channels) values without empty alpha, as RGB where they are inks; any palette; notes."""
    notes = []
    palette = None
    samples = array.shape[-1]
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if page.photometric == _PALETTE and page.colormap is not None and samples == 1:
        colours = np.asarray(page.colormap).T
        palette = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    elif page.photometric == _SEPARATED and samples == 4 and array.dtype.kind == "u":
        array = rgb_from_cmyk(array)
        notes.append("CMYK converted to RGB")
    elif samples == page.samplesperpixel and set(page.extrasamples) & {1, 2}:
        array, note = without_constant_alpha(array)
        notes.append(note)
    elif page.photometric == _WHITE_IS_ZERO:
        notes.append("stored with 0 as white: the stored numbers are kept, so 0 stays 0")
    if page.compression in _LOSSY:
        notes.append("compressed as JPEG, so values near edges are not exact")
    return array, palette, notes


def write_tiff(path: Path, picture: Picture) -> None:
    """Write (*spatial, channels) with its scale, for ImageJ where that knows the type.

    That is uint8, uint16 and float32 below 4 GB; the rest carries tifffile's own description. Integers are
    compressed, losslessly; floats are not.
    """
    from tifffile import imwrite

    array = picture.array
    axes = "ZYX"[-len(picture.spacing) :]
    if array.shape[-1] == 1:
        array = array[..., 0]
    else:
        array, axes = np.moveaxis(array, -1, -3), f"{axes[:-2]}CYX"
    for_imagej = array.dtype in _IMAGEJ_TYPES and array.nbytes < _IMAGEJ_BYTES
    metadata: dict[str, Any] = {
        "axes": axes,
        "unit": {"µm": "um", "px": "pixel", "Å": "angstrom"}.get(picture.unit, picture.unit),
    }
    if len(picture.spacing) == 3:
        metadata["spacing"] = picture.spacing[0]
    coloured = picture.palette is not None and array.dtype == np.uint8 and "C" not in axes
    imwrite(
        path,
        np.ascontiguousarray(array),
        imagej=for_imagej,
        bigtiff=not for_imagej and array.nbytes >= _IMAGEJ_BYTES,
        photometric="palette" if coloured else "minisblack",
        colormap=picture.palette.T.astype(np.uint16) * 257
        if coloured and picture.palette is not None
        else None,
        compression="zlib" if array.dtype.kind in "ui" else None,
        resolution=(1 / picture.spacing[-1], 1 / picture.spacing[-2]),
        resolutionunit="NONE",
        metadata=metadata,
    )
