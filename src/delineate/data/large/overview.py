"""A large image made small enough to be looked at: every n-th pixel, of the coarsest level that has enough of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage
from delineate.data.large.labels import boxes

SIDE, DEPTH = 1536, 32
_STEP = 2048


def lookup(shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Along each axis, the pixels of the full resolution that an overview shows: at most SIDE, DEPTH of slices.

    >>> [len(axis) for axis in lookup((100, 4000, 3000))]
    [25, 1334, 1000]
    """
    apart = -(-max(shape[-2:]) // SIDE)
    deep = -(-shape[0] // DEPTH) if len(shape) == 3 else 1
    steps = (*([deep] if len(shape) == 3 else []), apart, apart)
    return [np.arange(0, n, s) for n, s in zip(shape, steps, strict=True)]


def overview(image: LargeImage) -> NDArray[Any]:
    """The pixels (*overview, channels) of an image at `lookup`."""
    picks = lookup(image.spatial)
    wanted = [len(axis) for axis in picks]
    level = max(
        (
            i
            for i, shape in enumerate(image.levels)
            if all(n >= w for n, w in zip(shape, wanted, strict=True))
        ),
        default=0,
    )
    try:
        return _of_level(image, level, picks)
    except DataError:
        if level == 0:
            raise
        return _of_level(image, 0, picks)  # a damaged coarse level is only looked at


def _of_level(image: LargeImage, level: int, picks: list[NDArray[np.int64]]) -> NDArray[Any]:
    factors = image.shrink(level)
    shape = image.levels[level]
    there = [
        np.minimum((axis / f).astype(np.int64), n - 1)
        for axis, f, n in zip(picks, factors, shape, strict=True)
    ]
    small = np.empty((*map(len, picks), image.channels), image.dtype)
    return thinned(lambda box: image.window(box, level), shape, there, into=small)


def thinned(
    read: Callable[[Box], NDArray[Any]],
    shape: tuple[int, ...],
    picks: list[NDArray[np.int64]],
    *,
    into: NDArray[Any],
) -> NDArray[Any]:
    """Fill `into` with the pixels at `picks` of something of this shape that is read box by box."""
    for box in boxes(shape, (*(1 for _ in shape[:-2]), _STEP, _STEP)):
        ends = [np.searchsorted(p, (s.start, s.stop)) for p, s in zip(picks, box, strict=True)]
        if all(stop > start for start, stop in ends):
            inner = [p[start:stop] - s.start for p, (start, stop), s in zip(picks, ends, box, strict=True)]
            into[tuple(slice(int(start), int(stop)) for start, stop in ends)] = read(box)[np.ix_(*inner)]
    return into
