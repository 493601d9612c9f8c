"""Which intensities a camera could have recorded, so that "4 grey levels of 255" means something in any file.

A 16-bit file of a 12-bit camera has 4096 levels, whatever its type could hold; a float image that lies in 0 to 1 ends
there. The range belongs to a set of images, not to one, since a dark image is no reason to believe in another camera.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.data.problem import listed

DEPTHS = (8, 10, 12, 14, 16, 24, 32)
"""Bits of cameras and files."""

MOST = (
    3.0  # times by which ranges of several types may differ, as Hounsfield units in integers and in floats do
)
FLOATS = "floats"


@dataclass(frozen=True)
class Intensities:
    """The intensities from `low` to `high` that the files at hand can hold; `whole`: integers only.

    >>> Intensities(0, 4095, whole=True).of_255(4)
    64.23529411764706
    """

    low: float
    high: float
    whole: bool

    def of_255(self, levels: float) -> float:
        """So many 255ths of the range, in intensities: `levels` itself for 8-bit files."""
        return levels / 255 * (self.high - self.low)


def intensities(images: Iterable[NDArray[Any]]) -> Intensities:
    """The range of images of any real dtype, pixels that are not finite left out.

    Integers from 0 up: to 2^b - 1, b the smallest of 8, 10, 12, 14, 16 ... bits that holds them all. Floats: 0 to 1, 0 to 255
    or 0 to 65535, where they lie within; otherwise, as for integers below 0 (Hounsfield units), what occurs. Images of one bit
    end at 1. Raises DataError where there is no image, only one value in all of them, or images of several types (one bit,
    8 bits, more, floats) whose ranges are of other sizes: what is a grey level in one is nothing in the other.

    >>> intensities([np.array([[[0], [3000]]], np.uint16)])
    Intensities(low=0.0, high=4095.0, whole=True)
    >>> intensities([np.array([[[0.25], [0.5]]])])
    Intensities(low=0.0, high=1.0, whole=False)
    """
    types, ends = dict[str, set[str]](), dict[str, tuple[float, float]]()
    for image in images:
        kind = _kind(image.dtype)
        types.setdefault(kind, set()).add(str(image.dtype))
        values = image[np.isfinite(image)] if kind == FLOATS else image
        if values.size:
            low, high = ends.get(kind, (np.inf, -np.inf))
            ends[kind] = min(low, float(values.min())), max(high, float(values.max()))
    ranges = {kind: _range(kind, *both) for kind, both in ends.items() if kind != FLOATS or both[0] < both[1]}
    if not ranges:
        raise DataError("the images hold a single intensity, so that they have no range: give real images")
    found = list(ranges.values())
    spans = {kind: one.high - one.low for kind, one in ranges.items()}
    narrow, wide = min(spans, key=spans.__getitem__), max(spans, key=spans.__getitem__)
    if spans[wide] > MOST * spans[narrow]:
        one, other = (
            f"{listed(sorted(types[kind]))} ({ranges[kind].low:g} to {ranges[kind].high:g})"
            for kind in (narrow, wide)
        )
        raise DataError(f"images of {one} and of {other} have no common range: convert them to one type")
    return Intensities(min(r.low for r in found), max(r.high for r in found), FLOATS not in types)


def _kind(dtype: np.dtype[Any]) -> str:
    """Types that share a range: a camera of more than 8 bits may be stored in any that holds it."""
    if dtype.kind not in "bui":
        return FLOATS
    return "one bit" if dtype.kind == "b" else "8 bits" if dtype.itemsize == 1 else "more bits"


def _range(kind: str, low: float, high: float) -> Intensities:
    """Of images of one kind whose intensities go from low to high."""
    if low >= 0:
        bits = (1,) if kind == "one bit" else DEPTHS
        ends = [1.0, 255.0, 65535.0] if kind == FLOATS else [2.0**b - 1 for b in bits]
        if fits := [end for end in ends if high <= end]:
            return Intensities(0.0, fits[0], kind != FLOATS)
    return Intensities(low, high, kind != FLOATS)
