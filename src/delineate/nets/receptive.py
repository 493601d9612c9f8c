"""The receptive field: which places of every map a part of the output depends on, as intervals along each axis.

Each module says with `needs` which interval of its input an interval of its output depends on. Chained from the logits back to
the image, these answers tell how much context a tile must carry (`reach_of`) and what each level may leave out where only a
part is wanted (`cuts_for`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from delineate.nets.blocks import Block
from delineate.nets.sampling import Sampling

Intervals = tuple[tuple[int, int], ...]
"""A start and a stop along each axis."""


def reach_of(downs: Sequence[Sampling], ups: Sequence[Sampling]) -> int:
    """How many places of the finest level beyond its border a part of the output depends on; downs, ups: the finest first."""
    length: int = 4 * 2 ** len(downs)  # in places of the finest level
    interval = (0, length)
    reaches = []
    for up in ups:
        interval = Block.needs(*interval)
        reaches.append(interval)
        interval = up.needs(*interval)
    interval = Block.needs(*interval)
    for down in reversed(downs):
        start, stop = down.needs(*interval)
        skip = reaches.pop()
        interval = Block.needs(min(start, skip[0]), max(stop, skip[1]))
    return max(-interval[0], interval[1] - length)


def cuts_for(
    keep: tuple[slice, ...],
    spatial: tuple[int, ...],
    *,
    downs: Sequence[Sampling],
    ups: Sequence[Sampling],
    shuffle: int,
) -> Int64[Tensor, "cuts axes 2"]:
    """Where the maps of images of shape `spatial` are cut so that the logits are those of `keep`; see `UNet.cuts`.

    downs, ups: the finest first. shuffle: pixels along each axis of the blocks that the finest level works on.
    """
    pixels = tuple((side.start, side.stop) for side in keep)
    outputs = tuple((start // shuffle, -(-stop // shuffle)) for start, stop in pixels)
    shapes = [tuple(-(-n // shuffle) for n in spatial)]
    skips = []  # what decoders look at, the finest first
    for up in ups:
        skips.append(clipped((Block.needs(*interval) for interval in outputs), shapes[-1]))
        shapes.append(tuple(-(-n // 2) for n in shapes[-1]))
        outputs = clipped((up.needs(*interval) for interval in skips[-1]), shapes[-1])
    seen: list[Intervals] = []  # what encoders look at, the coarsest first
    wanted = outputs  # of an encoder
    for level, down in reversed(list(enumerate(downs))):
        reached = clipped((Block.needs(*interval) for interval in wanted), shapes[level + 1])
        # from an even place, so that it is halved as the whole is
        seen.append(tuple((start - start % 2, stop) for start, stop in reached))
        below = clipped((down.needs(*interval) for interval in seen[-1]), shapes[level])
        wanted = hull(below, skips[level])
    corners = [[0] * len(spatial)]  # where the map of each level begins, the finest first
    corners += [[start for start, _ in one] for one in reversed(seen)]
    cuts = [
        within(one, [start // 2 for start in corner])
        for one, corner in zip(reversed(seen), corners[:-1], strict=True)
    ]
    cuts.append(within(outputs, corners.pop()))
    for skip, corner in zip(reversed(skips), reversed(corners), strict=True):
        cuts += [within(skip, [2 * start for start, _ in outputs]), within(skip, corner)]
        outputs = skip
    return torch.tensor([*cuts, within(pixels, [shuffle * start for start, _ in outputs])])


def clipped(intervals: Iterable[tuple[int, int]], shape: tuple[int, ...]) -> Intervals:
    """Intervals along each axis, without what lies beyond a map of this shape.

    >>> clipped([(-2, 3), (5, 9)], (8, 8))
    ((0, 3), (5, 8))
    """
    return tuple((max(start, 0), min(stop, n)) for (start, stop), n in zip(intervals, shape, strict=True))


def hull(some: Intervals, others: Intervals) -> Intervals:
    """The intervals along each axis that hold both.

    >>> hull(((2, 5),), ((4, 9),))
    ((2, 9),)
    """
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(some, others, strict=True))


def within(intervals: Intervals, begins: Iterable[int]) -> Intervals:
    """Intervals counted from where a map begins.

    >>> within(((12, 14),), [10])
    ((2, 4),)
    """
    return tuple(
        (start - first, stop - first) for (start, stop), first in zip(intervals, begins, strict=True)
    )


def cut(x: Tensor, at: Int64[Tensor, "axes 2"]) -> Tensor:
    """The places of a map (batch, channels, *places) from a start to a stop along each axis.

    >>> cut(torch.arange(6.0).view(1, 1, 6), torch.tensor([[2, 4]])).tolist()
    [[[2.0, 3.0]]]
    """
    place: Any = (..., *(slice(start, stop) for start, stop in at))
    part: Tensor = x[place]
    return part
