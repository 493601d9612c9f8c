"""What all conditions share: an image stays of its kind, and its range is that of its pixels, whatever the dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.intensities import intensities

Image = NDArray[Any]


def like(image: Image, values: NDArray[Any]) -> Image:
    """`values` with the dtype of `image`; integers are rounded, and clipped where the dtype ends.

    >>> like(np.zeros(1, np.uint8), np.array([-3.2, 7.6, 300.0])).tolist()
    [0, 8, 255]
    """
    if image.dtype.kind in "iu":
        ends = np.iinfo(image.dtype)
        values = np.clip(np.rint(values), ends.min, ends.max)
    return np.asarray(values, image.dtype)


def reach(image: Image) -> tuple[float, float]:
    """The 1 % percentile, and from there to the 99 %: how far intensities reach; 1.0 where they do not differ."""
    low, high = np.percentile(image, (1, 99))
    return float(low), float(high - low) or float(np.ptp(image)) or 1.0


def is_grey(image: Image) -> bool:
    """Whether all channels are one and the same."""
    return bool((image == image[..., :1]).all())


def is_colour(image: Image) -> bool:
    """Whether it has red, green and blue that differ."""
    return image.shape[-1] == 3 and not is_grey(image)


def white(image: Image) -> float:
    """What an empty field of a colour image may show: the largest whole number of its camera, the brightest value of floats.

    >>> white(np.full((1, 1, 3), 180, np.uint8)), white(np.full((1, 1, 3), 3800, np.uint16))
    (255.0, 4095.0)
    """
    return intensities([image]).high if image.dtype.kind in "iu" else float(image.max()) or 1.0
