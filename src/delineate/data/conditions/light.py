"""Other light: its strength, what is added to it, its tone curve, how evenly it falls, and which end is bright."""

from __future__ import annotations

import numpy as np

from delineate.data.conditions.kind import Image, like, reach


def gain(image: Image, *, factor: float) -> Image:
    """Exposed `factor` times as long; what would be brighter than the brightest pixel is cut off, as a full sensor does.

    >>> gain(np.array([[[10], [60], [100]]], np.uint8), factor=1.5)[0, :, 0].tolist()
    [15, 90, 100]
    """
    return like(image, np.minimum(image * float(factor), image.max()))


def offset(image: Image, *, share: float) -> Image:
    """Stray light, or a camera's pedestal: `share` of the image's range is added everywhere.

    >>> offset(np.array([[[0], [100]]], np.uint16), share=0.5)[0, :, 0].tolist()
    [49, 149]
    """
    return like(image, image + share * reach(image)[1])


def gamma(image: Image, *, exponent: float) -> Image:
    """Mid-tones brighter (exponent below 1) or darker (above), darkest and brightest as they were.

    >>> gamma(np.array([[[0], [50], [100]]], np.uint8), exponent=2.0)[0, :, 0].tolist()
    [0, 25, 100]
    """
    low, high = float(image.min()), float(image.max())
    if low == high:
        return image.copy()
    return like(image, low + (high - low) * ((image - low) / (high - low)) ** exponent)


def uneven_light(image: Image, *, darkest: float = 0.3) -> Image:
    """The light falls off across the last two axes, from full in one corner to `darkest` in the other.

    >>> uneven_light(np.full((3, 3, 1), 100, np.uint8))[..., 0].tolist()
    [[100, 82, 65], [82, 65, 48], [65, 48, 30]]
    """
    height, width = image.shape[-3:-1]
    down, right = np.linspace(0, 0.5, height)[:, None, None], np.linspace(0, 0.5, width)[:, None]
    return like(image, image * (1 - (1 - darkest) * (down + right)))


def contrast(image: Image, *, factor: float) -> Image:
    """Distances from the middle of the range times `factor`: below 1 flatter, 0 nothing, -1 bright and dark exchanged.

    >>> image = np.array([[[0], [10], [100]]], np.uint8)
    >>> contrast(image, factor=0.5)[0, :, 0].tolist(), contrast(image, factor=-1)[0, :, 0].tolist()
    ([25, 30, 75], [100, 90, 0])
    """
    middle = (float(image.min()) + float(image.max())) / 2
    return like(image, middle + factor * (image - middle))
