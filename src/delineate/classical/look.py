"""How an image becomes the one grey picture that a simple rule can work on: which channel or stain, how smooth.

A stain is what a dye took out of white light: optical densities of the colours, unmixed into hematoxylin, eosin and
DAB (colour deconvolution, Ruifrok & Johnston 2001). A microscopist picks a channel by eye; `looks` lists what there is
to pick from, so that labels can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case

STAINS = ("hematoxylin", "eosin", "dab")
SIGMAS_PX = (0.0, 1.0, 2.0, 4.0)
"""The smoothing to try, least first."""

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """channels: indices of the channels whose mean is taken, of `in_channels` that an image has. stain: one of STAINS
    instead, or "". sigma_px: of a Gaussian along the last two axes (planes of a stack are not mixed).
    """

    in_channels: int
    channels: tuple[int, ...]
    stain: str
    sigma_px: float

    def __post_init__(self) -> None:
        if not self.channels or not all(0 <= channel < self.in_channels for channel in self.channels):
            raise ValueError(f"channels {self.channels} of {self.in_channels}")
        if self.stain and (self.stain not in STAINS or self.in_channels != 3):
            raise ValueError(f"stain {self.stain} of {self.in_channels} channels")
        if not 0 <= self.sigma_px < 1e6:
            raise ValueError(f"sigma_px {self.sigma_px}")

    def grey(self, image: NDArray[Any]) -> Grey:
        """The picture (*spatial) of an image (*spatial, channels), from 0 to 1; zeros where it is constant.

        >>> Look(2, (1,), "", 0.0).grey(np.array([[[9, 10], [9, 20], [9, 40]]])).round(2)
        array([[0. , 0.33, 1. ]], dtype=float32)
        """
        from scipy.ndimage import gaussian_filter

        grey = unmixed(image, self.stain) if self.stain else image[..., self.channels].mean(-1, dtype=float)
        if np.ptp(grey) == 0:
            return np.zeros(grey.shape, np.float32)
        if self.sigma_px > 0:
            grey = gaussian_filter(grey, self.sigma_px, axes=(-2, -1))
        low, high = grey.min(), grey.max()
        return ((grey - low) / (high - low)).astype(np.float32) if high > low else 0 * grey.astype(np.float32)


def looks(cases: Sequence[Case], *, sigmas_px: Sequence[float] = SIGMAS_PX) -> Iterator[Look]:
    """What there is to try: the mean of the channels, each channel, each stain of a colour picture; smooth or not.

    Channels that are constant, or repeat another one throughout, are left out.
    """
    distinct = distinct_channels(cases)
    count = cases[0].channels
    choices = [(distinct, "")]
    if len(distinct) > 1:
        choices += [((channel,), "") for channel in distinct]
    if count == len(distinct) == 3:
        choices += [(distinct, stain) for stain in STAINS]
    for channels, stain in choices:
        for sigma_px in sigmas_px:
            yield Look(count, channels, stain, sigma_px)


def distinct_channels(cases: Sequence[Case]) -> tuple[int, ...]:
    """The channels that say something of their own; the first where none does."""
    distinct: list[int] = []
    for channel in range(cases[0].channels):
        varies = any(plane.min() < plane.max() for plane in (case.image[..., channel] for case in cases))
        repeats = any(
            all(np.array_equal(case.image[..., channel], case.image[..., other]) for case in cases)
            for other in distinct
        )
        if varies and not repeats:
            distinct.append(channel)
    return tuple(distinct) or (0,)


def unmixed(image: NDArray[Any], stain: str) -> NDArray[np.float64]:
    """How much of a stain each pixel (*spatial) of a colour image (*spatial, 3) holds; 0 in white light.

    White is 255 or 65535 for integers, the brightest value of a float image.

    >>> white, blue = [255, 255, 255], [100, 80, 160]
    >>> amounts = unmixed(np.array([[white, blue]], np.uint8), "hematoxylin")
    >>> bool(amounts[0, 0] == 0), bool(amounts[0, 1] > 0.1)
    (True, True)
    """
    from skimage.color import hed_from_rgb

    white = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else float(image.max())
    transmitted = np.clip(image.astype(float) / (white or 1.0), 1e-3, 1)
    density = -np.log10(transmitted) + 0.0
    amounts: NDArray[np.float64] = density @ np.asarray(hed_from_rgb)[:, STAINS.index(stain)]
    return amounts
