"""Objects of an image that is never whole in memory, numbered across the seams of its tiles.

Two ways. `regions`: connected pieces of each class, joined wherever they meet at a seam (Rosenfeld & Pfaltz 1966,
doi:10.1145/321356.321357). `assembled`: separated objects, found in tiles with a margin around them; the tile in which
the middle of an object lies owns it, so each is there once, and whole if it is no larger than the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import written_whole
from delineate.data.large import Box
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.polygons import ObjectTable

_STEP = 2048


@dataclass(frozen=True, eq=False)
class Owned:
    """The objects that one tile owns. ids (*crop): 0 or 1 to n; corner: where the crop begins; classes (n,)."""

    ids: NDArray[np.uint32]
    corner: tuple[int, ...]
    classes: NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write the file whole."""
        with written_whole(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, ids=self.ids, corner=np.array(self.corner), classes=self.classes)

    @classmethod
    def load(cls, path: Path) -> Owned:
        """What `save` wrote."""
        with np.load(path) as content:
            corner = tuple(int(n) for n in content["corner"])
            return cls(content["ids"], corner, content["classes"])


def owned(
    ids: NDArray[np.integer[Any]], labels: NDArray[np.uint8], *, corner: tuple[int, ...], keep: Box
) -> Owned:
    """Of the objects `ids` (*window), whose window begins at `corner`, those whose middle lies in the box `keep`.

    labels: (*window) class indices; an object is of the class of its first pixel. The middle is the mean of the pixels,
    rounded down, so that two tiles that see the same object agree on who owns it.

    >>> mine = owned(np.array([[1, 1, 0, 2]]), np.ones((1, 4), np.uint8), corner=(0, 4), keep=(slice(0, 1), slice(4, 6)))
    >>> mine.ids, mine.corner
    (array([[1, 1]], dtype=uint32), (0, 4))
    """
    count = int(ids.max(initial=0))
    where = np.nonzero(ids)
    numbers = ids[where].astype(np.int64)
    pixels = np.bincount(numbers, minlength=count + 1)
    mine = pixels > 0
    for axis, side in enumerate(keep):
        sums = np.bincount(
            numbers, weights=where[axis].astype(np.float64) + corner[axis], minlength=count + 1
        )
        middle = sums.astype(np.int64) // np.maximum(pixels, 1)
        mine &= (middle >= side.start) & (middle < side.stop)
    renumbered = np.where(mine, np.cumsum(mine), 0).astype(np.uint32)
    inside = renumbered[ids]
    spots = np.nonzero(inside)
    if not len(spots[0]):
        return Owned(np.zeros((0,) * ids.ndim, np.uint32), corner, np.zeros(0, np.uint8))
    crop = tuple(slice(int(at.min()), int(at.max()) + 1) for at in spots)
    classes = np.zeros(int(mine.sum()), np.uint8)
    classes[inside[spots][::-1] - 1] = labels[spots][::-1]
    return Owned(inside[crop], tuple(c + s.start for c, s in zip(corner, crop, strict=True)), classes)


def assembled(paths: Sequence[Path], ids: LabelStore) -> ObjectTable:
    """Write the objects that all tiles own into the empty store `ids`, numbered from 1 in the order of the files.

    Where two claim a pixel, the one with the lower number has it; an object that is left without any is none.
    """
    found = [_placed(Owned.load(path)) for path in paths]
    firsts = np.concatenate([[0], np.cumsum([len(classes) for _, classes in found])])
    classes = np.concatenate([np.zeros(0, np.uint8), *(classes for _, classes in found)])
    table = _Tally(int(firsts[-1]), len(ids.levels[0]))
    steps = _steps(ids)
    if ids.chunk[0] == 1:  # tiles of a stack have all slices: each is read once, not once for each slice
        steps = (ids.levels[0][0], *ids.chunk[1:])
    for box in boxes(ids.levels[0], steps):
        part = np.zeros([side.stop - side.start for side in box], np.uint32)
        for path, first, (place, _) in zip(paths, firsts, found, strict=False):
            shared = [
                slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(place, box, strict=True)
            ]
            if all(s.start < s.stop for s in shared):
                one = Owned.load(path)
                theirs = one.ids[
                    tuple(slice(s.start - c, s.stop - c) for s, c in zip(shared, one.corner, strict=True))
                ]
                target = part[
                    tuple(
                        slice(s.start - b.start, s.stop - b.start) for s, b in zip(shared, box, strict=True)
                    )
                ]
                free = (target == 0) & (theirs > 0)
                target[free] = theirs[free] + np.uint32(first)
        ids.write(box, part)
        table.add(part, tuple(side.start for side in box))
    left = table.pixels > 0
    if not left.all():
        final = np.concatenate([[0], np.where(left, np.cumsum(left), 0)]).astype(np.uint32)
        for box in boxes(ids.levels[0], steps):
            ids.write(box, final[ids.read(box)])
    return ObjectTable(classes[left], table.pixels[left], table.start[left], table.stop[left])


def _placed(one: Owned) -> tuple[Box, NDArray[np.uint8]]:
    place = tuple(slice(c, c + n) for c, n in zip(one.corner, one.ids.shape, strict=True))
    return place, one.classes


def regions(labels: LabelStore, scratch: LabelStore, ids: LabelStore, *, smallest_px: int = 0) -> ObjectTable:
    """Write the connected pieces of each class but background into `ids`, numbered from 1; scratch: as large, empty.

    Pixels that share a side and a class are of one piece; those of fewer than `smallest_px` pixels are left out.
    """
    from skimage.measure import label

    connected: Any = label
    head: list[int] = [0]
    of_class: list[NDArray[np.uint8]] = [np.zeros(1, np.uint8)]
    sizes: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]

    def top(number: int) -> int:
        while head[number] != number:
            head[number] = head[head[number]]
            number = head[number]
        return number

    for box in boxes(labels.levels[0], _steps(labels)):
        here = labels.read(box)
        pieces = connected(here, background=0, connectivity=1).astype(np.int64)
        count = int(pieces.max(initial=0))
        classes = np.zeros(count + 1, np.uint8)
        classes[pieces.ravel()] = here.ravel()
        of_class.append(classes[1:])
        sizes.append(np.bincount(pieces.ravel(), minlength=count + 1)[1:])
        pieces[pieces > 0] += len(head) - 1
        head.extend(range(len(head), len(head) + count))
        scratch.write(box, pieces.astype(scratch.dtype))
        for axis, side in enumerate(box):
            if side.start == 0:
                continue
            before = (*box[:axis], slice(side.start - 1, side.start), *box[axis + 1 :])
            theirs, said = scratch.read(before), labels.read(before)
            edge = (slice(None),) * axis + (slice(0, 1),)
            meet = (said == here[edge]) & (said > 0)
            for one, other in np.unique(np.stack([theirs[meet], pieces[edge][meet]]), axis=1).T.tolist():
                low, high = sorted((top(int(one)), top(int(other))))
                head[high] = low
    roots = np.array([top(number) for number in range(len(head))], np.int64)
    pixels = np.bincount(roots, weights=np.concatenate(sizes), minlength=len(roots)).astype(np.int64)
    kept = (pixels >= smallest_px) & (pixels > 0)  # counted at the root; 0 stays what is no object
    final = np.where(kept, np.cumsum(kept), 0)[roots]
    classes = np.concatenate(of_class)[kept]
    table = _Tally(int(kept.sum()), len(labels.levels[0]))
    for box in boxes(labels.levels[0], _steps(labels)):
        part = final[scratch.read(box)].astype(np.uint32)
        ids.write(box, part)
        table.add(part, tuple(side.start for side in box))
    return table.table(classes)


def _steps(store: LabelStore) -> tuple[int, ...]:
    return tuple(max(c, _STEP // c * c) if c > 64 else c for c in store.chunk)


class _Tally:
    """Sizes and extents of objects that are met part by part."""

    def __init__(self, count: int, axes: int) -> None:
        self.pixels = np.zeros(count, np.int64)
        self.start = np.full((count, axes), np.iinfo(np.int64).max)
        self.stop = np.zeros((count, axes), np.int64)

    def add(self, part: NDArray[np.uint32], corner: tuple[int, ...]) -> None:
        where = np.nonzero(part)
        numbers = part[where].astype(np.int64) - 1
        self.pixels += np.bincount(numbers, minlength=len(self.pixels))
        for axis, at in enumerate(where):
            np.minimum.at(self.start[:, axis], numbers, at + corner[axis])
            np.maximum.at(self.stop[:, axis], numbers, at + corner[axis] + 1)

    def table(self, classes: NDArray[np.uint8]) -> ObjectTable:
        return ObjectTable(classes, self.pixels, self.start, self.stop)
