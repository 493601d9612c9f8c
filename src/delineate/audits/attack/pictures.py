"""The picture that shows it: an image with its outlines, the changed image with its outlines, and the change made visible."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED

WIDE, HIGH = 330, 640  # pixels of one panel, about
GAP = 6
OUTLINE = (255, 176, 0)


def panels(
    image: NDArray[Any],
    changed: NDArray[Any],
    *,
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    eps: float,
) -> NDArray[np.uint8]:
    """Three panels side by side, RGB uint8: clean, changed, and the change, mid-grey for none and black or white for eps.

    image, changed: (*spatial, channels). before, after: labels (*spatial) predicted for them. Of a volume, the slice that
    held most labels before.
    """
    if before.ndim == 3:
        z = int((before > 0).sum(axis=(1, 2)).argmax())
        image, changed, before, after = image[z], changed[z], before[z], after[z]
    step = max(1, round(max(before.shape) / WIDE))
    larger = max(1, min(WIDE // before.shape[1], HIGH // before.shape[0]))
    image, changed, before, after = (array[::step, ::step] for array in (image, changed, before, after))
    values = image.astype(np.float64)
    low, high = np.percentile(values, (0.5, 99.5))
    difference = changed.astype(np.float64) - values
    shown = [
        outlined(grey_or_colour((values - low) / max(high - low, 1e-12)), before, larger=larger),
        outlined(grey_or_colour((changed - low) / max(high - low, 1e-12)), after, larger=larger),
        enlarged(grey_or_colour(0.5 + difference / (2 * eps)), larger),
    ]
    gap = np.full((shown[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=1)


def grey_or_colour(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values (h, w, channels) from 0 to 1 as RGB: one channel grey, two green and magenta, of more the first three.

    >>> grey_or_colour(np.array([[[0.5]]])).tolist()
    [[[128, 128, 128]]]
    """
    channels = values.shape[-1]
    pick = [0, 0, 0] if channels == 1 else [1, 0, 1] if channels == 2 else [0, 1, 2]
    return np.rint(np.clip(values[..., pick], 0, 1) * 255).astype(np.uint8)


def outlined(picture: NDArray[np.uint8], labels: NDArray[np.uint8], *, larger: int = 1) -> NDArray[np.uint8]:
    """A picture (h, w, 3) `larger` times as large, with the inner edge of every labelled region in orange.

    >>> outlined(np.zeros((3, 3, 3), np.uint8), np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8))[1, 1].tolist()
    [255, 176, 0]
    """
    drawn, regions = enlarged(picture, larger), enlarged(labels, larger)
    regions = np.where(regions == UNLABELLED, 0, regions)
    around = np.pad(regions, 1, mode="edge")
    edge = np.zeros(regions.shape, bool)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= around[dy : dy + regions.shape[0], dx : dx + regions.shape[1]] != regions
    drawn[edge & (regions > 0)] = OUTLINE
    return drawn


def enlarged(array: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Each pixel `times` along both axes; a copy."""
    return np.repeat(np.repeat(array, times, axis=0), times, axis=1)
