"""Other cameras: focus, pixels, noise, bits and files. Within the last two spatial axes; planes of a stack are not mixed."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.conditions.kind import Image, is_colour, is_grey, like, reach


def blur(image: Image, *, sigma_px: float = 2.5) -> Image:
    """Out of focus: a Gaussian of `sigma_px` within the last two spatial axes.

    >>> bool(np.allclose(blur(np.full((6, 6, 1), 2.5)), 2.5))
    True
    """
    from scipy.ndimage import gaussian_filter

    return like(image, gaussian_filter(image.astype(np.float64), sigma_px, axes=(-3, -2)))


def noise(image: Image, *, share: float = 0.1, seed: int = 0) -> Image:
    """Gaussian noise of `share` of the image's range (1 % to 99 % percentile), of its own in every channel that differs.

    >>> noise(np.zeros((2, 2, 1)) + np.eye(2)[..., None]).shape
    (2, 2, 1)
    """
    return like(image, image + share * reach(image)[1] * _drawn(image, seed))


def shot_noise(image: Image, *, photons: float, seed: int = 0) -> Image:
    """Few photons: as many as `photons` at the bright end (99 % percentile), in proportion elsewhere; deviation their root.

    The Poisson distribution by its normal approximation, which holds from about ten photons. Darkness is the 1 % percentile.

    >>> dark_and_bright = np.repeat([0.0, 1.0], 5000).reshape(100, 100, 1)
    >>> seen = shot_noise(dark_and_bright, photons=100)
    >>> round(float(seen[:50].std()), 3), round(float(seen[50:].std()), 2)
    (0.0, 0.1)
    """
    low, span = reach(image)
    light = np.clip((image - low) / span, 0, None)
    return like(image, image + span * np.sqrt(light / photons) * _drawn(image, seed))


def coarser(image: Image, *, factor: float) -> Image:
    """As pixels `factor` times as wide see it (their mean), brought back to the old size by linear interpolation.

    >>> coarser(np.array([[0.0, 4.0], [0.0, 4.0]])[..., None], factor=2)[..., 0].tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    from skimage import transform

    smaller: Any = transform.resize_local_mean
    larger: Any = transform.resize

    def seen(plane: Image) -> NDArray[np.float64]:
        size = tuple(max(1, round(n / factor)) for n in plane.shape[:2])
        small = smaller(plane.astype(np.float64), size, channel_axis=-1)
        return np.asarray(larger(small, plane.shape, order=1, mode="edge", anti_aliasing=False))

    return like(image, np.stack([seen(p) for p in image]) if image.ndim == 4 else seen(image))


def compressed(image: Image, *, quality: int) -> Image:
    """As a JPEG file of this quality (1 to 95) gives it back: 8 bits over the image's range, colour with coarser hues.

    >>> int(compressed(np.full((9, 9, 1), 700, np.uint16), quality=5)[0, 0, 0])
    700
    """
    from PIL import Image as Pillow

    low, span = float(image.min()), float(np.ptp(image))
    if span == 0:
        return image.copy()
    bytes_ = np.rint((image - low) / span * 255).astype(np.uint8)

    def again(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        file = io.BytesIO()
        Pillow.fromarray(plane).save(file, "JPEG", quality=quality)
        return np.asarray(Pillow.open(file))

    colour, grey = is_colour(image), is_grey(image)
    for plane in bytes_ if image.ndim == 4 else [bytes_]:
        if colour:
            plane[:] = again(plane)
        else:
            for channel in range(1 if grey else plane.shape[-1]):
                plane[..., channel] = again(np.ascontiguousarray(plane[..., channel]))
            plane[..., 1:] = plane[..., :1] if grey else plane[..., 1:]
    return like(image, low + bytes_ / 255 * span)


def fewer_bits(image: Image, *, bits: float) -> Image:
    """2 ** bits grey levels, evenly over the image's range.

    >>> fewer_bits(np.arange(0, 101, 25).reshape(1, 5, 1), bits=1)[0, :, 0].tolist()
    [0, 0, 0, 100, 100]
    """
    low, span = float(image.min()), float(np.ptp(image)) or 1.0
    steps = 2.0**bits - 1
    return like(image, low + np.rint((image - low) / span * steps) / steps * span)


def _drawn(image: Image, seed: int) -> NDArray[np.float64]:
    """Normal numbers in the shape of an image; the same ones in every channel of a grey one."""
    drawn = np.random.default_rng(seed).standard_normal(image.shape)
    return np.broadcast_to(drawn[..., :1], image.shape) if is_grey(image) else drawn
