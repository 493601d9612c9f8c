"""Intensities as the network sees them: each channel scaled to numbers around 0 to 1, channels first.

Training and prediction go through this alike, so that a model sees new images as it saw the old ones. An image that is read in
parts is measured once (`scale_of_parts`), and every part is scaled by that (`scaled`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError

ENOUGH = 1 << 20  # pixels from which percentiles are taken; more change nothing that matters


@dataclass(frozen=True)
class Normalisation:
    """How intensities become numbers around 0 to 1.

    kind: "percentiles" (per image and channel: `low` and `high` percentile become 0 and 1), "zscore" (per image
    and channel: mean 0, deviation 1) or "fixed" (`low` and `high` intensity become 0 and 1).
    """

    kind: str = "percentiles"
    low: float = 1.0
    high: float = 99.8


NORMALISATIONS: dict[str, Normalisation] = {
    "percentiles": Normalisation(),
    "zscore": Normalisation("zscore", 0, 0),
    "bytes": Normalisation("fixed", 0, 255),
}
"""How intensities are scaled, by name."""


@dataclass(frozen=True)
class Scale:
    """What a normalisation came to for one image: each channel less `low`, divided by `span` (0: a constant channel).

    clipped: to -1 to 3. Of an image that is read in parts it is measured once and then holds for every part.
    """

    low: tuple[float, ...]
    span: tuple[float, ...]
    clipped: bool


def normalised(
    image: NDArray[Any], normalisation: Normalisation, *, name: str = "the image"
) -> NDArray[np.float32]:
    """`image` (*spatial, channels) as (channels, *spatial) float32; a constant channel becomes zeros.

    Percentiles are cut to -1 to 3, so that one hot pixel cannot dominate. Raises DataError where a pixel is NaN
    or infinite.

    >>> normalised(np.array([[[0], [50], [100]]]), Normalisation("fixed", 0, 100))
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    return with_scale(image, normalisation, name=name)[0]


def with_scale(
    image: NDArray[Any], normalisation: Normalisation, *, name: str = "the image"
) -> tuple[NDArray[np.float32], Scale]:
    """What `normalised` gives, and the scale by which it did."""
    channels = _finite(image, name)
    scale = _measured([channels], normalisation, pixels=channels[0].size)
    return _scaled(channels, scale), scale


def scale_of(image: NDArray[Any], normalisation: Normalisation, *, name: str = "the image") -> Scale:
    """How `normalised` would scale an image (*spatial, channels); raises as it does.

    >>> scale_of(np.array([[[0], [50], [100]]]), Normalisation("percentiles", 0, 100))
    Scale(low=(0.0,), span=(100.0,), clipped=True)
    """
    return scale_of_parts([image], normalisation, pixels=math.prod(image.shape[:-1]), name=name)


def scale_of_parts(
    parts: Iterable[NDArray[Any]], normalisation: Normalisation, *, pixels: int, name: str = "the image"
) -> Scale:
    """As `scale_of`, of parts (*part, channels) with `pixels` pixels in all, of which few are kept; raises as it does.

    >>> scale_of_parts([np.array([[0], [50]]), np.array([[100]])], Normalisation("percentiles", 0, 100), pixels=3)
    Scale(low=(0.0,), span=(100.0,), clipped=True)
    """
    return _measured((_finite(part, name) for part in parts), normalisation, pixels=pixels)


def scaled(image: NDArray[Any], scale: Scale, *, name: str = "the image") -> NDArray[np.float32]:
    """A part (*window, channels) of an image as (channels, *window) float32, by the scale of all of it.

    >>> scaled(np.array([[[0], [50], [100]]]), Scale((0.0,), (100.0,), clipped=False))
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    return _scaled(_finite(image, name), scale)


def _finite(image: NDArray[Any], name: str) -> NDArray[np.float32]:
    """A float32 copy (channels, *spatial) of finite numbers."""
    channels = np.moveaxis(np.asarray(image), -1, 0).astype(np.float32, order="C")
    if image.dtype.kind == "f" and not np.isfinite(channels).all():
        bad = int((~np.isfinite(channels)).any(axis=0).sum())
        raise DataError(
            f"{name} has {bad} pixels that are NaN or infinite: replace them, for example by the median"
        )
    return channels


def _measured(parts: Iterable[NDArray[np.float32]], normalisation: Normalisation, *, pixels: int) -> Scale:
    figures: list[_Figures] = []
    for channels in parts:
        figures = figures or [_Figures(normalisation, pixels) for _ in channels]
        for figure, channel in zip(figures, channels, strict=True):
            figure.add(channel.reshape(-1))
    found = [figure.low_and_span() for figure in figures]
    clipped = normalisation.kind == "percentiles"
    return Scale(tuple(low for low, _ in found), tuple(max(span, 0.0) for _, span in found), clipped)


class _Figures:
    """What a normalisation needs to know of one channel of `pixels` pixels that comes part by part."""

    def __init__(self, normalisation: Normalisation, pixels: int) -> None:
        self.normalisation = normalisation
        self.stride, self.seen = max(1, pixels // ENOUGH), 0
        self.kept: list[NDArray[np.float32]] = []
        self.least, self.most = math.inf, -math.inf
        self.mean = self.variance = 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Take the next values (n,) in."""
        if self.normalisation.kind == "percentiles":
            self.kept.append(values[-self.seen % self.stride :: self.stride].copy())
            self.least = min(self.least, float(values.min()))
            self.most = max(self.most, float(values.max()))
        elif self.normalisation.kind == "zscore":
            share = values.size / (self.seen + values.size)
            apart = float(values.mean()) - self.mean
            self.variance += share * (float(values.std()) ** 2 + (1 - share) * apart**2 - self.variance)
            self.mean += share * apart
        self.seen += values.size

    def low_and_span(self) -> tuple[float, float]:
        """What is taken away from the channel, and what it is then divided by."""
        about = self.normalisation
        if about.kind == "zscore":
            return self.mean, math.sqrt(self.variance)
        if about.kind == "fixed":
            return about.low, about.high - about.low
        low, high = (float(p) for p in np.percentile(np.concatenate(self.kept), (about.low, about.high)))
        if high <= low:  # nearly all pixels are equal, but not all: fall back on the full range
            return self.least, float(np.float32(self.most) - np.float32(self.least))
        return low, high - low


def _scaled(channels: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """`channels`, scaled in place."""
    for channel, low, span in zip(channels, scale.low, scale.span, strict=True):
        channel -= low
        if span > 0:
            channel /= span
        else:
            channel[:] = 0
    if scale.clipped:
        np.clip(channels, -1, 3, out=channels)
    return channels
