"""The filter bank of a pixel classifier: what a small neighbourhood looks like, at several scales, for every pixel.

Brightness, edges, blobs and ridges (Hessian eigenvalues), orientation (structure tensor) and co-occurrence texture.
Every map depends on pixels at most HALO away and on the range of the whole picture, so that a picture can be gone
through in strips. Volumes go plane by plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.classical.cooccurrence import PROPERTIES, quantised, texture_at, texture_maps
from delineate.classical.threshold import otsu_threshold

HALO = 84
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Bank:
    """Which maps there are.

    channels: of the image, of `in_channels`. sigmas_px: scales of the filters, each at most 16. windows_px: of
    co-occurrence, over `levels` grey levels, averaged over four angles; each at most HALO wide.
    """

    in_channels: int
    channels: tuple[int, ...]
    sigmas_px: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    windows_px: tuple[int, ...] = (7, 21)
    levels: int = 16

    def __post_init__(self) -> None:
        if not self.channels or not all(0 <= channel < self.in_channels for channel in self.channels):
            raise ValueError(f"channels {self.channels} of {self.in_channels}")
        if not self.sigmas_px or not all(0 < sigma <= 16 for sigma in self.sigmas_px):
            raise ValueError(f"sigmas_px {self.sigmas_px}")
        if not all(3 <= window <= HALO and window % 2 for window in self.windows_px):
            raise ValueError(f"windows_px {self.windows_px}")

    @property
    def count(self) -> int:
        """Number of maps."""
        return len(self.channels) * (3 + 8 * len(self.sigmas_px) + len(PROPERTIES) * len(self.windows_px))


def scaled(channel: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One channel (*spatial) of an image from 0 to 1 by its percentiles, and the same with its Otsu threshold at 0.5.

    >>> grey, aligned = scaled(np.array([0.0, 0.0, 0.0, 10.0, 10.0]))
    >>> grey.tolist(), aligned.tolist()
    ([0.0, 0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0, 1.0])
    """
    values = channel.astype(np.float32)
    low, high = np.percentile(values[..., :: max(1, values.size // 4_000_000)], (0.2, 99.8))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros_like(values), np.zeros_like(values)
    grey = np.clip((values - low) / np.float32(high - low), 0, 1.5).astype(np.float32)
    inside = np.minimum(grey, 1)
    middle = min(max(otsu_threshold(inside), 1e-3), 1 - 1e-3) if np.ptp(inside) else 0.5
    return grey, np.interp(grey, (0, middle, 1, 1.5), (0, 0.5, 1, 1.5)).astype(np.float32)


def filter_maps(grey: Plane, aligned: Plane, bank: Bank) -> Iterator[Plane]:
    """The filtered plane (height, width) of one channel, map by map in a fixed order; each (height, width).

    >>> bank = Bank(1, (0,), sigmas_px=(1.0,), windows_px=())
    >>> grey, aligned = scaled(np.eye(6))
    >>> len(list(filter_maps(grey, aligned, bank))) == bank.count
    True
    """
    from scipy import ndimage

    blur = partial(ndimage.gaussian_filter, truncate=3.0)
    yield grey
    yield aligned
    yield blur(aligned, 16.0)
    for sigma in bank.sigmas_px:
        smooth = blur(grey, sigma)
        yield blur(aligned, sigma)
        down, right = np.gradient(smooth) if min(grey.shape) > 1 else (smooth * 0, smooth * 0)
        yield np.hypot(down, right) * np.float32(sigma)
        if min(grey.shape) > 1:
            (dd, dr), (_, rr) = np.gradient(down), np.gradient(right)
        else:
            dd = dr = rr = smooth * 0
        yield from _eigenvalues(dd, dr, rr, np.float32(sigma * sigma))
        yield (dd + rr) * np.float32(sigma * sigma)
        tensor = [blur(part, sigma) for part in (down * down, down * right, right * right)]
        yield from _eigenvalues(tensor[0], tensor[1], tensor[2], np.float32(sigma * sigma))
        side = 2 * round(sigma) + 1
        yield ndimage.grey_opening(grey, (side, side))


def texture(grey: Plane, bank: Bank) -> Iterator[Plane]:
    """The co-occurrence maps of one plane (height, width) of one channel, in a fixed order."""
    picture = quantised(grey, levels=bank.levels)
    for window in bank.windows_px:
        yield from texture_maps(picture, levels=bank.levels, window_px=window, averaged=True)[0]


def sampled(
    grey: Plane, aligned: Plane, bank: Bank, places: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float32]:
    """All maps of one channel, filters then texture, at some pixels only: (maps, n) for rows and columns (n,)."""
    filtered = [found[places] for found in filter_maps(grey, aligned, bank)]
    picture = quantised(grey, levels=bank.levels)
    counted = [
        texture_at(picture, places, levels=bank.levels, window_px=window) for window in bank.windows_px
    ]
    return np.concatenate([np.stack(filtered), *counted]).astype(np.float32)


def _eigenvalues(a: Plane, b: Plane, c: Plane, scale: np.float32) -> Iterator[Plane]:
    """Of the symmetric matrices ((a, b), (b, c)), the larger first."""
    middle, reach = (a + c) / 2, np.sqrt(((a - c) / 2) ** 2 + b * b)
    yield np.asarray((middle + reach) * scale, np.float32)
    yield np.asarray((middle - reach) * scale, np.float32)
