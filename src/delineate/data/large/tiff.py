"""TIFF window by window: the tiles or strips that a window touches are read and decoded, and no others.

Axes, colours and scale are understood as `delineate.data.tiff` understands them; of a pyramid all levels are offered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage
from delineate.data.picture import rgb_from_cmyk
from delineate.data.tiff_scale import pixel_size

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_PALETTE, _SEPARATED = 3, 5
_JPEG = (6, 7, 34892, 33007)
_PIECE = 1 << 28  # a strip of more bytes than this, once decoded, is no window any more
_TOGETHER = 1 << 24  # bytes of compressed pieces that are read together
_LOOKS = 64  # windows in which alpha is looked at


def open_tiff(path: Path) -> LargeImage:
    """The first image of a TIFF file; raises DataError for what `read_tiff` refuses, and for turned images."""
    from tifffile import TiffFile

    tiff = TiffFile(path)
    tiff.filehandle.set_lock(True)  # several threads may read
    try:
        return _opened(tiff, path)
    except BaseException:
        tiff.close()
        raise


def _opened(tiff: TiffFile, path: Path) -> LargeImage:
    series = tiff.series[0]
    if series.is_multifile:
        raise DataError(f"{path} is one of several files of one OME-TIFF image: export it as a single file")
    page = series.keyframe
    if int(page.tags.valueof("Orientation", 1)) != 1:
        raise DataError(f"{path} is stored turned (orientation tag): save it upright to read it in parts")
    layout = _Layout(series.axes, series.shape, path)
    deep = layout.depth is not None
    depth, rows, columns, unit = pixel_size(tiff, path, dims=2 + deep)
    notes = [f"the first of {len(tiff.series)} images in the file was read"] if len(tiff.series) > 1 else []
    levels, readers = [], []
    for level in series.levels:
        if level.axes != series.axes or level.shape[layout.rows] > series.shape[layout.rows]:
            break
        levels.append(layout.spatial(level.shape))
        readers.append(_reader(level, path, layout))
    colour, channels, dtype = _colours(page, layout.channels(series.shape))

    def read(box: Box, level: int) -> NDArray[Any]:
        return colour(readers[level](box))

    image = LargeImage(
        path=path,
        levels=tuple(levels),
        channels=channels,
        dtype=dtype,
        spacing=(depth, rows, columns) if deep else (rows, columns),
        unit=unit,
        affine=None,
        suffix=".ome.tif" if path.name.lower().endswith((".ome.tif", ".ome.tiff")) else ".tif",
        chunk=(*((1,) if deep else ()), *_piece(page)),
        read=read,
        notes=tuple(notes),
        fixed_whole=_stored_whole(series),
        decoded=_TOGETHER + 2 * _piece_bytes(page) if series.dataoffset is None or page.is_tiled else 0,
        palette=_palette(page) if channels == 1 else None,
        close=tiff.close,
    )
    has_alpha = set(page.extrasamples) & {1, 2} and page.samplesperpixel == channels
    return _without_alpha(image) if has_alpha and channels in (2, 4) else image


class _Layout:
    """Which axis of a series is depth, rows, columns; the rest of more than one entry are channels."""

    def __init__(self, axes: str, shape: tuple[int, ...], path: Path) -> None:
        if "Y" not in axes or "X" not in axes:
            raise DataError(
                f"{path} has the axes {axes}, without rows and columns: export it as an ordinary TIFF"
            )
        others = [i for i, a in enumerate(axes) if a not in "CSYX" and shape[i] > 1]
        if len(others) > 1:
            sizes = " x ".join(f"{shape[i]} {axes[i]}" for i in others)
            raise DataError(f"{path} holds {sizes}: save one file per stack")
        self.axes = axes
        self.depth = others[0] if others else None
        self.rows, self.columns = axes.index("Y"), axes.index("X")
        self.colours = [i for i, a in enumerate(axes) if a in "CS"]

    def spatial(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        sides = (shape[self.rows], shape[self.columns])
        return sides if self.depth is None else (shape[self.depth], *sides)

    def channels(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape[i] for i in self.colours)

    def arranged(self, block: NDArray[Any]) -> NDArray[Any]:
        """A block in the axes of the series as (*window, channels)."""
        kept = [*([] if self.depth is None else [self.depth]), self.rows, self.columns]
        rest = [i for i in range(block.ndim) if i not in kept and i not in self.colours]
        block = block.transpose([*rest, *kept, *self.colours])
        return block.reshape(*block.shape[len(rest) : len(rest) + len(kept)], -1)


def _reader(series: TiffPageSeries, path: Path, layout: _Layout) -> Callable[[Box], NDArray[Any]]:
    """How a window of one level is read, as (*window, channels) with the stored values."""
    dtype = series.keyframe.dtype
    if dtype is None:
        raise DataError(f"{path} holds numbers of no known kind: export it as 8 or 16 bit")
    leading = len(series.axes) - len(series.keyframe.axes)
    mapped: NDArray[Any] | None = None
    if series.dataoffset is not None and not series.keyframe.is_tiled:
        order = series.keyframe.parent.byteorder
        mapped = np.memmap(
            path, dtype=dtype.newbyteorder(order), mode="r", offset=series.dataoffset, shape=series.shape
        )

    def read(box: Box) -> NDArray[Any]:
        sides: dict[int, slice] = {layout.rows: box[-2], layout.columns: box[-1]}
        if layout.depth is not None:
            sides[layout.depth] = box[0]
        places = tuple(sides.get(i, slice(0, n)) for i, n in enumerate(series.shape))
        if mapped is not None:
            return np.ascontiguousarray(layout.arranged(mapped[places]), dtype=dtype.newbyteorder("="))
        block = np.empty([s.stop - s.start for s in places], dtype)
        for index in itertools.product(*(range(s.start, s.stop) for s in places[:leading])):
            number = int(np.ravel_multi_index(index, series.shape[:leading])) if leading else 0
            page = series.pages[number]
            if page is None:
                raise DataError(f"{path} lacks its page {number + 1}: export it again")
            here = tuple(i - s.start for i, s in zip(index, places, strict=False))
            _page_window(page, series.keyframe, box[-2:], into=block[here])
        return layout.arranged(block)

    return read


def _page_window(page: Any, keyframe: TiffPage, box: Box, *, into: NDArray[Any]) -> None:
    """Decode the tiles or strips of a page that touch (rows, columns) of `box` into `into` (axes of the page)."""
    tall, wide = _piece(keyframe)
    across = -(-keyframe.imagewidth // wide)
    down = -(-keyframe.imagelength // tall)
    planes = keyframe.samplesperpixel if keyframe.planarconfig == 2 else 1
    arguments: dict[str, Any] = {}
    if keyframe.compression in _JPEG:
        arguments = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
    rows = range(box[0].start // tall, -(-box[0].stop // tall))
    columns = range(box[1].start // wide, -(-box[1].stop // wide))
    wanted = [(s * down + r) * across + c for s in range(planes) for r in rows for c in columns]
    if len(page.dataoffsets) <= max(wanted):
        raise ValueError("tiles are missing")
    handle = keyframe.parent.filehandle
    segments = handle.read_segments(
        [page.dataoffsets[i] for i in wanted],
        [page.databytecounts[i] for i in wanted],
        indices=wanted,
        lock=handle.lock,
        buffersize=_TOGETHER,
        flat=True,
    )
    sizes = dict(zip(wanted, (page.databytecounts[i] for i in wanted), strict=True))
    target = into if keyframe.axes.endswith("S") or into.ndim == 3 else into[..., None]
    for content, number in cast("Iterable[tuple[bytes | None, int]]", segments):
        plane, row, column = number // (across * down), number // across % down * tall, number % across * wide
        decoded, place = None, None
        if content is None or len(content) < sizes[number]:
            if sizes[number]:
                raise ValueError("the file is cut short")
        else:
            try:
                decoded, place, _ = keyframe.decode(content, number, **arguments)
            except Exception as error:
                raise ValueError(f"the tile at row {row}, column {column} is damaged: {error}") from error
        top, bottom = max(row, box[0].start), min(row + tall, box[0].stop)
        left, right = max(column, box[1].start), min(column + wide, box[1].stop)
        there = (
            slice(top - box[0].start, bottom - box[0].start),
            slice(left - box[1].start, right - box[1].start),
        )
        if decoded is None or place is None:
            part: Any = keyframe.nodata
        else:
            part = decoded[0, top - row : bottom - row, left - column : right - column]
        if planes > 1:  # one plane after the other: the page is (samples, rows, columns)
            into[(plane, *there)] = part if decoded is None else part[..., 0]
        else:
            target[there] = part


def _piece(page: TiffPage) -> tuple[int, int]:
    """Rows and columns of a tile, or of a strip."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth


def _stored_whole(series: TiffPageSeries) -> bool:
    """Whether the file is in pieces too large to be read as windows, and not plain numbers either."""
    page = series.keyframe
    return not page.is_tiled and series.dataoffset is None and _piece_bytes(page) > _PIECE


def _piece_bytes(page: TiffPage) -> int:
    """Bytes of a tile or strip once decoded."""
    return math.prod(_piece(page)) * page.samplesperpixel * (page.dtype.itemsize if page.dtype else 1)


def _palette(page: TiffPage) -> NDArray[np.uint8] | None:
    if page.photometric != _PALETTE or page.colormap is None:
        return None
    colours = np.asarray(page.colormap).T
    return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)


def _colours(
    page: TiffPage, channels: int
) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], int, np.dtype[Any]]:
    """How stored values become what `read_image` gives: inks as RGB, 1-bit as numbers."""
    dtype = np.dtype(page.dtype)
    if page.photometric == _SEPARATED and channels == 4 and dtype.kind == "u":
        return rgb_from_cmyk, 3, dtype
    if dtype == np.bool_:
        return lambda block: block.astype(np.uint8), channels, np.dtype(np.uint8)
    return lambda block: block, channels, dtype


def _without_alpha(image: LargeImage) -> LargeImage:
    """The image without its last channel where that is one value wherever we look, and then in every window."""
    values = {int(image.window(box)[..., -1].min()) for box in _looks(image)}
    values |= {int(image.window(box)[..., -1].max()) for box in _looks(image)}
    if len(values) > 1:
        return image
    inner = image.read

    def read(box: Box, level: int) -> NDArray[Any]:
        block = inner(box, level)
        if level == 0 and not np.isin(block[..., -1], list(values)).all():
            raise DataError(f"{image.path} has an alpha channel that varies: save it without, as plain RGB")
        return np.ascontiguousarray(block[..., :-1])

    note = "an alpha channel that is the same everywhere was dropped"
    return replace(image, channels=image.channels - 1, read=read, notes=(*image.notes, note))


def _looks(image: LargeImage) -> list[Box]:
    """A few small windows spread over the image."""
    count = round(_LOOKS ** (1 / len(image.spatial)))
    starts = [
        sorted({round(i * max(n - 64, 0) / max(count - 1, 1)) for i in range(count)}) for n in image.spatial
    ]
    return [
        tuple(slice(s, min(s + 64, n)) for s, n in zip(corner, image.spatial, strict=True))
        for corner in itertools.product(*starts)
    ]
