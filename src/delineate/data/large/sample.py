"""What can be said of a large image without reading all of it: a sample of its pixels, and which parts are empty glass.

The sample is a fixed lattice of windows at full resolution. It depends on the image alone, not on tiles, memory or
processes, so everything that follows from it is the same for every part and every run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.large.box import Box, box_of
from delineate.data.large.image import LargeImage

WHOLE = 1 << 24  # numbers; an image of no more is its own sample
LATTICE = {2: (12, 256), 3: (5, 96)}  # windows along each axis, and their side
BLOCK = {2: 1024, 3: 128}  # pixels along each axis of the blocks that are empty or not
_GLASS = 200  # what shines through an empty slide is brighter than this in every colour
_GLASS_SHARE = 0.05
_DARKER = 25
_SLABS = 4


def sample_boxes(image: LargeImage) -> list[Box]:
    """Where the pixels lie that stand for all of the image, one window after the other; all of it where it is small.

    >>> sample_boxes(LargeImage.of(np.zeros((40, 50, 3), np.uint8)))
    [(slice(0, 40, None), slice(0, 50, None))]
    """
    if math.prod(image.spatial) * image.channels <= WHOLE:
        return [box_of(image.spatial)]
    count, side = LATTICE[len(image.spatial)]
    starts = [
        sorted({i * max(length - side, 0) // (count - 1) for i in range(count)}) for length in image.spatial
    ]
    return [
        tuple(slice(s, min(s + side, n)) for s, n in zip(corner, image.spatial, strict=True))
        for corner in itertools.product(*starts)
    ]


def sample_parts(image: LargeImage) -> Iterator[NDArray[Any]]:
    """Pixels (n, 1, channels) of one window of the sample after the other, in their order; none is kept."""
    for box in sample_boxes(image):
        yield image.window(box).reshape(-1, 1, image.channels)


def sampled(image: LargeImage, *, every: int = 1) -> NDArray[Any]:
    """Pixels (n, 1, channels) that stand for all of the image, or every so manieth of them.

    >>> sampled(LargeImage.of(np.zeros((40, 50, 3), np.uint8))).shape
    (2000, 1, 3)
    """
    found, before = [], 0
    for part in sample_parts(image):
        found.append(part if every == 1 else part[-before % every :: every].copy())
        before += len(part)
    return np.concatenate(found)


def brightness(part: NDArray[Any]) -> NDArray[np.int64]:
    """How many pixels of a part (n, 1, channels) of a sample have which brightness: (256,), zeros unless in 8-bit colour.

    >>> int(brightness(np.full((100, 1, 3), 240, np.uint8))[240])
    100
    """
    if part.dtype != np.uint8 or part.shape[-1] != 3:
        return np.zeros(256, np.int64)
    return np.bincount(part.min(-1).ravel(), minlength=256)


def glass_of(counts: NDArray[np.int64]) -> int | None:
    """The value above which a pixel of a stained slide is empty glass, in all of its colours; None: no such slide.

    counts: the `brightness` of a sample. Glass is the most frequent one from 200 up, where at least a twentieth of the
    sample is as bright; what is a little darker still counts, for scanners are not even.

    >>> glass_of(brightness(np.full((100, 1, 3), 240, np.uint8)))
    215
    >>> glass_of(brightness(np.zeros((100, 1, 3), np.uint8))) is None
    True
    """
    bright = counts[_GLASS:]
    if not bright.any() or bright.sum() < _GLASS_SHARE * counts.sum():
        return None
    return _GLASS + int(bright.argmax()) - _DARKER


def is_empty(image: LargeImage, block: Box, glass: int | None) -> bool:
    """Whether a block of the image is nothing but glass, or one and the same value in each channel.

    It is read in a few slabs, and no further than the first that holds something.

    >>> whole = (slice(0, 4), slice(0, 4))
    >>> slide, picture = LargeImage.of(np.full((4, 4, 3), 230, np.uint8)), LargeImage.of(np.eye(4)[..., None])
    >>> is_empty(slide, whole, 215), is_empty(picture, whole, None)
    (True, False)
    """
    lit, even, first = glass is not None, True, None
    for slab in _slabs(image, block):
        pixels = image.window(slab)
        if first is None:
            first = pixels.reshape(-1, pixels.shape[-1])[0]
        lit = lit and int(pixels.min()) >= (glass or 0)
        even = even and bool((pixels == first).all())
        if not (lit or even):
            return False
    return True


def _slabs(image: LargeImage, block: Box) -> list[Box]:
    """About a quarter of a block each, along the first axis that it is deep in; what is stored in one piece stays whole."""
    axis = next((i for i, side in enumerate(block) if side.stop - side.start > 1), 0)
    side, piece = block[axis], image.chunk[axis]
    step = -(-(side.stop - side.start) // _SLABS // piece) * piece
    starts = [side.start, *range(side.start // step * step + step, side.stop, step)]
    return [
        (*block[:axis], slice(start, stop), *block[axis + 1 :])
        for start, stop in itertools.pairwise([*starts, side.stop])
    ]


def block_boxes(box: Box, shape: tuple[int, ...], side: tuple[int, ...]) -> list[Box]:
    """The blocks of a fixed lattice over `shape` that meet `box`.

    >>> block_boxes((slice(3, 5),), (6,), (4,))
    [(slice(0, 4, None),), (slice(4, 6, None),)]
    """
    axes = [
        [slice(i * s, min((i + 1) * s, n)) for i in range(edge.start // s, -(-edge.stop // s))]
        for edge, n, s in zip(box, shape, side, strict=True)
    ]
    return list(itertools.product(*axes))
