"""A box: the part of an image between a start and a stop along each axis, and what two boxes are to each other."""

from __future__ import annotations

import math

Box = tuple[slice, ...]
"""A window: one slice with start and stop for each spatial axis."""


def box_of(shape: tuple[int, ...]) -> Box:
    """The box that is all of a shape.

    >>> box_of((3, 4))
    (slice(0, 3, None), slice(0, 4, None))
    """
    return tuple(slice(0, length) for length in shape)


def said(box: Box) -> str:
    """A box in words.

    >>> said((slice(0, 3), slice(8, 9)))
    '0:3, 8:9'
    """
    return ", ".join(f"{side.start}:{side.stop}" for side in box)


def shared(one: Box, other: Box) -> Box:
    """What two boxes have in common, an empty box where that is nothing.

    >>> shared((slice(0, 5),), (slice(3, 9),)), shared((slice(0, 2),), (slice(3, 9),))
    ((slice(3, 5, None),), (slice(3, 3, None),))
    """
    starts = [max(a.start, b.start) for a, b in zip(one, other, strict=True)]
    stops = [min(a.stop, b.stop) for a, b in zip(one, other, strict=True)]
    return tuple(slice(start, max(start, stop)) for start, stop in zip(starts, stops, strict=True))


def widened(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with a margin on every side, as far as the image goes.

    >>> widened((slice(1, 3), slice(5, 8)), 2, (9, 9))
    (slice(0, 5, None), slice(3, 9, None))
    """
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(box, shape, strict=True)
    )


def within(part: Box, box: Box) -> Box:
    """Where a part of a box lies in an array of that box.

    >>> within((slice(5, 7),), (slice(4, 9),))
    (slice(1, 3, None),)
    """
    return tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, box, strict=True))


def pixels_in(box: Box) -> int:
    """The number of pixels in a box."""
    return math.prod(side.stop - side.start for side in box)
