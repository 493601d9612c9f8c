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

DEPTHS = (8, 10, 12, 14, 16, 24, 32)
"""Bits of cameras and files."""


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
    or 0 to 65535, where they lie within; otherwise, as for integers below 0 (Hounsfield units), what occurs. Raises DataError
    where there is no image, or only one value in all of them. Images of one bit end at 1.

    >>> intensities([np.array([[[0], [3000]]], np.uint16)])
    Intensities(low=0.0, high=4095.0, whole=True)
    >>> intensities([np.array([[[0.25], [0.5]]])])
    Intensities(low=0.0, high=1.0, whole=False)
    """
    lows, highs, whole = [], [], True
    depths: tuple[int, ...] = (1,)
    for image in images:
        if image.dtype != np.bool_:
            depths = DEPTHS
        whole &= image.dtype.kind in "bui"
        values = image[np.isfinite(image)] if image.dtype.kind == "f" else image
        if values.size:
            lows.append(float(values.min()))
            highs.append(float(values.max()))
    if not lows or (min(lows) == max(highs) and not whole):
        raise DataError("the images hold a single intensity, so that they have no range: give real images")
    low, high = min(lows), max(highs)
    if low >= 0:
        ends = [2.0**bits - 1 for bits in depths] if whole else [1.0, 255.0, 65535.0]
        if fits := [end for end in ends if high <= end]:
            return Intensities(0.0, fits[0], whole)
    return Intensities(low, high, whole)
