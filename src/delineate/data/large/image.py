"""What a large image is to the rest of Delineate: a shape, a scale, and a door to any window of any level.

Every container brings one function, `read(box, level)`; everything that is the same for all of them (what may be asked
for, how trouble is told) is here.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError, DelineateError
from delineate.data.large.box import Box, box_of, said


@dataclass(frozen=True, eq=False)
class LargeImage:
    """An image that is read in windows; `with` closes it, or else it closes when nobody can read it any more.

    levels: spatial shape of each resolution, the full one first. channels, dtype: of every window.
    spacing, unit, affine: of the full resolution, as in `Picture`. chunk: along each axis, what is stored in one piece;
    windows that respect it read fastest. notes: what was understood. read: (box, level) -> (*window, channels).
    decoded: bytes that reading a window takes beside it, at most: what is stored in one piece is decoded in one piece.
    fixed_whole: reading any window costs reading all of it (a compressed file without tiles). palette: (n, 3) colours of
    the indices in one channel, where the file has them and `open_large` was asked for indices. origin: where an OME-Zarr
    puts its first pixel, along each axis, in `unit`; () at zero. corner: row and column of the part
    of a slide that was scanned, to which QuPath crops it.

    >>> pixels = np.arange(12).reshape(3, 4, 1)
    >>> image = LargeImage.of(pixels)
    >>> image.spatial, image.window((slice(1, 3), slice(0, 2)))[..., 0].tolist()
    ((3, 4), [[4, 5], [8, 9]])
    """

    path: Path
    levels: tuple[tuple[int, ...], ...]
    channels: int
    dtype: np.dtype[Any]
    spacing: tuple[float, ...]
    unit: str
    affine: NDArray[np.float64] | None
    suffix: str
    chunk: tuple[int, ...]
    read: Callable[[Box, int], NDArray[Any]]
    notes: tuple[str, ...] = ()
    fixed_whole: bool = False
    palette: NDArray[np.uint8] | None = None
    decoded: int = 0
    origin: tuple[float, ...] = ()
    corner: tuple[int, int] = (0, 0)
    close: Callable[[], None] = field(default=lambda: None)

    def __post_init__(self) -> None:
        if not self.levels or any(0 in shape for shape in self.levels) or not self.channels:
            raise DataError(f"{self.path} has no pixels: export it again")
        if self.dtype.kind not in "uifb":
            raise DataError(f"{self.path} holds {self.dtype} numbers: save its real part or its magnitude")
        weakref.finalize(self.read, self.close)  # whoever can still read keeps the file open

    def __enter__(self) -> LargeImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis at full resolution."""
        return self.levels[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the full resolution in memory."""
        return math.prod(self.spatial) * self.channels * self.dtype.itemsize

    def shrink(self, level: int) -> tuple[float, ...]:
        """How many pixels of the full resolution one pixel of `level` spans, along each axis."""
        return tuple(
            full / here for full, here in zip(self.spatial, self.levels[self._known(level)], strict=True)
        )

    def window(self, box: Box, level: int = 0) -> NDArray[Any]:
        """The pixels of a box, (*window, channels); raises DataError where there are none or they are damaged."""
        shape = self.levels[self._known(level)]
        if len(box) != len(shape) or any(
            not 0 <= side.start < side.stop <= length for side, length in zip(box, shape, strict=False)
        ):
            raise DataError(
                f"{self.path} has the shape {shape} at level {level}: {said(box)} is not inside it"
            )
        try:
            pixels = self.read(box, level)
        except DelineateError:
            raise
        except Exception as error:  # decoders raise whatever they like when a file is damaged
            raise self.damaged(box, level, str(error)) from error
        if pixels.shape != (*(side.stop - side.start for side in box), self.channels):
            raise self.damaged(box, level, f"{pixels.shape} came")
        return pixels

    def whole(self, level: int = 0) -> NDArray[Any]:
        """All pixels of a level, (*spatial, channels)."""
        return self.window(box_of(self.levels[self._known(level)]), level)

    def damaged(self, box: Box, level: int, cause: str) -> DataError:
        """The error for a part that cannot be read."""
        told = (cause.strip().splitlines() or ["it is damaged"])[-1]
        return DataError(
            f"{self.path} cannot be read at {said(box)} of level {level} ({told}): "
            "copy the file again, or export it anew"
        )

    def _known(self, level: int) -> int:
        if not 0 <= level < len(self.levels):
            raise DataError(
                f"{self.path} has {len(self.levels)} levels of resolution: ask for 0 to {len(self.levels) - 1}, "
                f"not {level}"
            )
        return level

    @classmethod
    def of(cls, pixels: NDArray[Any], *, name: str = "array") -> LargeImage:
        """An array (*spatial, channels) that is in memory already, or mapped into it."""
        spatial = pixels.shape[:-1]
        return cls(
            Path(name),
            (spatial,),
            pixels.shape[-1],
            pixels.dtype,
            (1.0,) * len(spatial),
            "px",
            None,
            "",
            spatial,
            lambda box, _: np.asarray(pixels[box]),
        )
