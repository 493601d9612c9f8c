"""What moved while it was recorded: images smeared along a line, slices of a volume that were lost."""

from __future__ import annotations

import numpy as np

from delineate.data.conditions.kind import Image, like


def smeared(image: Image, *, length_px: float) -> Image:
    """The mean along the last spatial axis over `length_px`: something moved by that much during the exposure.

    >>> smeared(np.array([0.0, 0.0, 3.0, 0.0, 0.0]).reshape(1, 5, 1), length_px=3)[0, :, 0].tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0]
    """
    from scipy.ndimage import convolve1d

    reach = int(np.ceil((length_px - 1) / 2))
    taps = np.ones(2 * reach + 1)
    if reach:
        taps[[0, -1]] = (length_px - (2 * reach - 1)) / 2
    return like(image, convolve1d(image.astype(np.float64), taps / taps.sum(), axis=-2, mode="nearest"))


def missing_slices(image: Image, *, share: float, seed: int = 0) -> Image:
    """A volume (depth, height, width, channels) of which `share` of the slices, rounded, are as dark as its darkest.

    >>> volume = np.arange(1, 11).reshape(10, 1, 1, 1)
    >>> int((missing_slices(volume, share=0.3)[:, 0, 0, 0] == 1).sum())  # the first is as dark by itself
    4
    """
    depth = image.shape[0]
    lost = np.random.default_rng(seed).permutation(depth)[: round(share * depth)]
    changed = image.copy()
    changed[lost] = image.min()
    return changed
