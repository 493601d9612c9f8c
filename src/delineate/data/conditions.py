"""The same image as another day's lamp, camera or dye would have given it: to see how a method breaks.

Each condition takes an image (*spatial, channels) of any real dtype and gives one of the same shape, dtype and range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]


def uneven_light(image: Image, *, darkest: float = 0.3) -> Image:
    """The light falls off across the last two axes, from full in one corner to `darkest` in the other.

    >>> uneven_light(np.full((3, 3, 1), 100, np.uint8))[..., 0].tolist()
    [[100, 82, 65], [82, 65, 48], [65, 48, 30]]
    """
    height, width = image.shape[-3:-1]
    down, right = np.linspace(0, 0.5, height)[:, None, None], np.linspace(0, 0.5, width)[:, None]
    return _as(image, image * (1 - (1 - darkest) * (down + right)))


def gamma(image: Image, *, exponent: float) -> Image:
    """Mid-tones brighter (exponent below 1) or darker (above), darkest and brightest as they were.

    >>> gamma(np.array([[[0], [50], [100]]], np.uint8), exponent=2.0)[0, :, 0].tolist()
    [0, 25, 100]
    """
    low, high = float(image.min()), float(image.max())
    if low == high:
        return image.copy()
    return _as(image, low + (high - low) * ((image - low) / (high - low)) ** exponent)


def noise(image: Image, *, share: float = 0.1, seed: int = 0) -> Image:
    """Gaussian noise of `share` of the image's range (1 % to 99 % percentile), of its own in every channel that differs.

    >>> noise(np.zeros((2, 2, 1)) + np.eye(2)[..., None]).shape
    (2, 2, 1)
    """
    low, high = np.percentile(image, (1, 99))
    drawn = np.random.default_rng(seed).standard_normal(image.shape)
    if _is_grey(image):
        drawn = np.broadcast_to(drawn[..., :1], image.shape)
    return _as(image, image + share * (high - low or 1.0) * drawn)


def blur(image: Image, *, sigma_px: float = 2.5) -> Image:
    """Out of focus: a Gaussian of `sigma_px` within the last two spatial axes.

    >>> bool(np.allclose(blur(np.full((6, 6, 1), 2.5)), 2.5))
    True
    """
    from scipy.ndimage import gaussian_filter

    return _as(image, gaussian_filter(image.astype(np.float64), sigma_px, axes=(-3, -2)))


def another_stain(image: Image) -> Image:
    """Another dye. In a colour image the optical densities of the colours change places (red to green to blue to red);
    in a grey one, or one of other channels, dark becomes bright: a dye that absorbs in place of one that glows.

    >>> another_stain(np.array([[[0], [10], [100]]], np.uint8))[0, :, 0].tolist()
    [100, 90, 0]
    >>> another_stain(np.array([[[200, 100, 50]]], np.uint8))[0, 0].tolist()
    [50, 200, 100]
    """
    if image.shape[-1] == 3 and not _is_grey(image):
        return np.roll(image, 1, axis=-1)
    return _as(image, float(image.max()) + float(image.min()) - image.astype(np.float64))


CONDITIONS: dict[str, Callable[[Image], Image]] = {
    "uneven light": uneven_light,
    "gamma 0.5": lambda image: gamma(image, exponent=0.5),
    "gamma 2": lambda image: gamma(image, exponent=2.0),
    "noise": noise,
    "blur": blur,
    "another stain": another_stain,
}
"""The conditions of `delineate compare`, in the strength that it shows."""


def _is_grey(image: Image) -> bool:
    return bool((image == image[..., :1]).all())


def _as(image: Image, values: NDArray[Any]) -> Image:
    """`values` with the dtype of `image`; integers are rounded, and clipped where the dtype ends."""
    if image.dtype.kind in "iu":
        ends = np.iinfo(image.dtype)
        values = np.clip(np.rint(values), ends.min, ends.max)
    return np.asarray(values, image.dtype)
