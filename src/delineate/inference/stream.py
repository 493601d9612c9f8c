"""Tiles of an image that is never whole in memory: which window each needs, and the three things done at once.

While the network works on one tile, the next is read and the last is written; no more than these three are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from delineate.core import Behind, ahead
from delineate.inference.tiles import Tile

Item = TypeVar("Item")
Read = TypeVar("Read")
Done = TypeVar("Done")


def window_of(
    keep: tuple[slice, ...],
    spatial: tuple[int, ...],
    *,
    halo: int,
    divisor: int,
    mirrored: tuple[bool, ...] | None = None,
) -> Tile:
    """The window to read so that `keep`, anywhere in an image of shape `spatial`, comes out as from the whole image.

    It starts at a multiple of the network's divisor, as the whole does, and is clipped at the border. mirrored: axes
    along which image and window are flipped before the network sees them, so that the grid starts at the other end.

    >>> window_of((slice(10, 13),), (40,), halo=4, divisor=4)
    Tile(read=(slice(4, 20, None),), keep=(slice(10, 13, None),))
    >>> window_of((slice(10, 13),), (41,), halo=4, divisor=4, mirrored=(True,))
    Tile(read=(slice(5, 17, None),), keep=(slice(10, 13, None),))
    """
    read = []
    for side, length, flipped in zip(keep, spatial, mirrored or (False,) * len(keep), strict=True):
        start, stop = (length - side.stop, length - side.start) if flipped else (side.start, side.stop)
        start = max(start // divisor * divisor - halo, 0)
        stop = min(-(-stop // divisor) * divisor + halo, length)
        read.append(slice(length - stop, length - start) if flipped else slice(start, stop))
    return Tile(tuple(read), keep)


def overlapped(
    items: Iterable[Item],
    *,
    read: Callable[[Item], Read],
    compute: Callable[[Read], Done],
    write: Callable[[Item, Done], None],
) -> Iterator[Item]:
    """Read, compute and write every item, in order, the three at once for neighbouring items; each once it is written.

    read and write run on a thread each, compute on the caller's. An error of any of them ends the rest.

    >>> written = []
    >>> list(overlapped([1, 2], read=str, compute=lambda s: s + "!", write=lambda i, s: written.append(s))), written
    ([1, 2], ['1!', '2!'])
    """
    last: list[Item] = []
    with Behind() as behind:
        for item, coming in ahead(read, items):
            done = compute(coming.result())
            behind.settle()
            yield from last
            behind(partial(write, item, done))
            last = [item]
    yield from last
