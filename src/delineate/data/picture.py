"""What every reader returns and every writer takes: pixels, their scale, and what was understood on the way.

The readers (raster, tiff, medical, dicom) hand a `Picture` whose array always has a channel axis, last;
palette files are indices plus their palette. `formats` then makes an image or a mask of it. The small
functions below are what several containers share: turning, colour, alpha, palettes, units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import PALETTE, Colour


@dataclass(frozen=True, eq=False)
class Picture:
    """The content of one image or mask file.

    array: (*spatial, channels), channel last, dtype as read; a mask of one channel is (*spatial).
    spacing: size of a pixel along each spatial axis, in array order, in `unit`; ones where unknown.
    unit: "px" where unknown, else "mm", "µm", ...
    affine: (n + 1, n + 1) matrix from array index (array order) to physical point (x, y, z; LPS), or None.
    suffix: the kind of container, lower case, by content where that can be told: ".png", ".nii.gz";
        ".dcm" also for a folder that is a DICOM series.
    notes: what was understood, one sentence each.
    palette: (n, 3) colours of the indices in `array`, where a mask file carries them.
    header: of a NIfTI file its 348 bytes, which may say twice where it lies, and not alike: whoever writes NIfTI keeps both.
    place: of a single DICOM slice, position and orientation in the body, as its tags say them; a flat affine has no depth.

    >>> Picture(np.zeros((4, 5, 1)), (1.0, 1.0), "px", None, ".png", ()).spatial
    (4, 5)
    """

    array: NDArray[Any]
    spacing: tuple[float, ...]
    unit: str
    affine: NDArray[np.float64] | None
    suffix: str
    notes: tuple[str, ...]
    palette: NDArray[np.uint8] | None = None
    header: bytes = b""
    place: tuple[str, ...] = ()

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis."""
        return self.array.shape[: len(self.spacing)]


_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""EXIF and TIFF orientation -> (swap rows and columns, then flip rows, then flip columns)."""


def upright(array: NDArray[Any], *, orientation: int) -> NDArray[Any]:
    """`array` (..., rows, columns, channels) turned as an EXIF or TIFF orientation (1 to 8) asks.

    1, and any number that is no orientation, leave it as it is. EXIF 2.32, tag 0x0112.

    >>> upright(np.array([[[1], [2]]]), orientation=6)[..., 0]
    array([[1],
           [2]])
    """
    if orientation not in _TURNS:
        return array
    swap, flip_rows, flip_columns = _TURNS[orientation]
    turned = array.swapaxes(-3, -2) if swap else array
    turned = turned[..., ::-1, :, :] if flip_rows else turned
    turned = turned[..., ::-1, :] if flip_columns else turned
    return np.ascontiguousarray(turned)


def rgb_from_cmyk(array: NDArray[Any]) -> NDArray[Any]:
    """Unsigned (..., 4) ink amounts, 0 for none, as (..., 3) red, green, blue of that dtype; no profile.

    >>> rgb_from_cmyk(np.array([255, 0, 0, 0], np.uint8)), rgb_from_cmyk(np.array([0, 0, 0, 255], np.uint8))
    (array([  0, 255, 255], dtype=uint8), array([0, 0, 0], dtype=uint8))
    """
    full = float(np.iinfo(array.dtype).max)
    paper = full - array.astype(np.float64)
    return np.rint(paper[..., :3] * paper[..., 3:] / full).astype(array.dtype)


def without_constant_alpha(array: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """(..., channels) whose last channel is alpha, without it where it is the same everywhere; and a note.

    >>> without_constant_alpha(np.full((2, 2, 4), 255))[0].shape
    (2, 2, 3)
    """
    alpha = array[..., -1]
    if alpha.size and (alpha == alpha.flat[0]).all():
        return array[..., :-1], "an alpha channel that is the same everywhere was dropped"
    return array, "the alpha channel varies and is kept as a channel"


def label_palette(colours: Sequence[Colour] | None) -> NDArray[np.uint8]:
    """256 colours (256, 3) for label values: those given, then their cycle without the background's.

    >>> label_palette([(0, 0, 0), (9, 9, 9)])[[0, 1, 2, 255]].tolist()
    [[0, 0, 0], [9, 9, 9], [9, 9, 9], [9, 9, 9]]
    """
    given = tuple(colours) if colours and len(colours) > 1 else PALETTE
    return np.array([given[0], *(given[1 + i % (len(given) - 1)] for i in range(255))], dtype=np.uint8)


METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "nm": 1e-9, "pm": 1e-12, "Å": 1e-10}
"""The lengths that a spacing may be given in."""

UDUNITS = {
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "µm": "micrometer",
    "nm": "nanometer",
    "pm": "picometer",
    "Å": "angstrom",
}
"""Their names in OME-Zarr."""

_NAMED = {name: unit for unit, name in UDUNITS.items()} | {"micron": "µm", "um": "µm"}


def length_unit(text: str) -> str:
    """The unit of length that a file names in its own way, one of METRES; "px" for anything else.

    >>> [length_unit(text) for text in ("micron", "um", "MM", "nanometers", "Millimetre", "pixel", "inch")]
    ['µm', 'µm', 'mm', 'nm', 'mm', 'px', 'px']
    """
    plain = text.strip().replace("\\u00B5", "µ").replace("μ", "µ").replace("\N{ANGSTROM SIGN}", "Å")
    name = plain.lower().removesuffix("s").replace("metre", "meter")
    return _NAMED.get(name) or next((u for u in METRES if plain == u or plain.lower() == u), "px")


def in_one_unit(sizes: Sequence[float], units: Sequence[str]) -> tuple[tuple[float, ...], str]:
    """Sizes along axes, each in its own unit, in that of the last; a size without a known unit stays as it is.

    >>> in_one_unit((2.0, 500.0), ("µm", "nm")), in_one_unit((3.0, 0.5), ("px", "µm"))
    (((2000.0, 500.0), 'nm'), ((3.0, 0.5), 'µm'))
    """
    last = METRES.get(units[-1])
    factors = [METRES[unit] / last if last and unit in METRES else 1.0 for unit in units]
    return tuple(s if f == 1 else seven_digits(s * f) for s, f in zip(sizes, factors, strict=True)), units[-1]


def seven_digits(number: float) -> float:
    """A size without the noise of float32 and of fractions, in which containers store it.

    >>> seven_digits(0.699999988079071)
    0.7
    """
    return float(f"{number:.7g}")
