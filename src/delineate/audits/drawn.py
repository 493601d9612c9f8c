"""Small pictures for a section: an image in its own light, with pixels painted. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Colour = tuple[int, int, int]

ORANGE: Colour = (255, 159, 0)
MAGENTA: Colour = (222, 40, 140)
BLUE: Colour = (86, 180, 233)


def middle_slice(spatial: Sequence[int]) -> int | None:
    """The slice to show of a volume; None of a picture.

    >>> middle_slice((10, 4, 4)), middle_slice((4, 4))
    (5, None)
    """
    return None if len(spatial) == 2 else spatial[0] // 2


def picture_of(image: NDArray[Any]) -> Rgb:
    """An image (height, width, channels) as RGB, stretched between its 1st and 99.8th percentile.

    >>> picture_of(np.array([[[0], [5]]]))[0].tolist()
    [[0, 0, 0], [255, 255, 255]]
    """
    channels = image[..., :3] if image.shape[-1] >= 3 else image[..., :1]
    finite = np.nan_to_num(channels.astype(np.float32))
    low, high = np.percentile(finite, (1, 99.8))
    stretched = np.clip((finite - low) / max(float(high - low), 1e-12), 0, 1)
    return np.broadcast_to(np.round(stretched * 255), (*image.shape[:2], 3)).astype(np.uint8)


def painted(picture: Rgb, where: NDArray[np.bool_], colour: Colour, *, strength: float = 0.75) -> Rgb:
    """The picture with pixels (height, width) mixed with a colour.

    >>> painted(np.zeros((1, 2, 3), np.uint8), np.array([[True, False]]), (200, 0, 0), strength=0.5)[0].tolist()
    [[100, 0, 0], [0, 0, 0]]
    """
    drawn = picture.astype(np.float32)
    drawn[where] += strength * (np.array(colour, np.float32) - drawn[where])
    return np.round(drawn).astype(np.uint8)


def outline_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask (height, width) beside one that does not belong to it.

    >>> outline_of(np.array([[0, 1, 1, 1]], bool)).astype(int)
    array([[0, 1, 0, 0]])
    """
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def side_by_side(pictures: Sequence[Rgb], *, wide_px: int = 900) -> Rgb:
    """Pictures of one size in a row with a white gap, enlarged by whole numbers, or thinned, towards `wide_px`.

    >>> side_by_side([np.zeros((10, 10, 3), np.uint8)] * 2, wide_px=48).shape
    (20, 48, 3)
    """
    width = pictures[0].shape[1]
    gap = 8
    room = (wide_px - gap * (len(pictures) - 1)) // len(pictures)
    times, every = max(1, room // width), max(1, -(-width // room))
    shown = [one[::every, ::every].repeat(times, 0).repeat(times, 1) for one in pictures]
    white = np.full((shown[0].shape[0], gap, 3), 255, np.uint8)
    row = [part for one in shown for part in (one, white)][:-1]
    return np.concatenate(row, axis=1)
