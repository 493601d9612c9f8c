"""Which predicted object is which true one? Two arrays of object ids, matched by overlap.

An object of truth is found where a predicted one has an IoU of at least 0.5 with it. Above one half no object
can have two partners, and at exactly one half the partner with the lower id is taken, so that the matching is
one to one without any search. Everything follows from one sparse table: how many pixels each pair of objects shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.objects import FOUND_IOU, ObjectScores, Side, Unmatched
from delineate.score.pair import check_pair, checked_spacing
from delineate.score.partition import partition


def match_objects(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    spacing: Sequence[float] | None = None,
    unlabelled: NDArray[np.bool_] | None = None,
) -> ObjectScores:
    """Match predicted objects to true ones by IoU of at least 0.5, and list those that stay alone.

    Both are integer arrays of one shape (*spatial) that hold object ids, 0 for none; ids need not be
    consecutive. spacing: size of a pixel along each axis in array order, ones where None, for sizes.
    unlabelled: boolean (*spatial), pixels that belong to no object on either side; an object
    that lies there altogether does not exist. Neither side holds an object: no counts, every ratio nan.
    Raises DataError where shapes differ, values are not integers (booleans are no ids), or spacing is not one positive
    number per axis.

    >>> found = match_objects(np.array([7, 7, 7, 0, 9]), np.array([2, 2, 0, 4, 0]))
    >>> found.tp, found.fp, found.fn, round(found.pq, 3), found.untouched
    (1, 1, 1, 0.333, 1)
    >>> found.missed
    (Unmatched(id=9, pixels=1, size=1.0, centroid=(4.0,), covered=0.0),)
    """
    check_pair(truth, predicted)
    if truth.dtype == bool or predicted.dtype == bool:
        raise DataError("booleans tell no object from another: give ids, such as those of `components(mask)`")
    voxel = math.prod(checked_spacing(spacing, axes=truth.ndim))
    if unlabelled is not None:
        if unlabelled.shape != truth.shape:
            raise DataError(
                f"the unlabelled mask is {unlabelled.shape} but truth is {truth.shape}: give one shape"
            )
        truth, predicted = np.where(unlabelled, 0, truth), np.where(unlabelled, 0, predicted)
    true, guess = _Objects(truth), _Objects(predicted)
    shared = _shared(true, guess)
    rows, columns, iou = _matched(true, guess, shared)
    of_true = true.side(rows, np.bincount(shared.true, shared.pixels, minlength=len(true.ids)), voxel)
    of_guess = guess.side(columns, np.bincount(shared.guess, shared.pixels, minlength=len(guess.ids)), voxel)
    return ObjectScores(
        found_iou=iou,
        true=of_true,
        predicted=of_guess,
        merges=_holding_several(shared.guess, shared.pixels, true.pixels[shared.true]),
        splits=_holding_several(shared.true, shared.pixels, guess.pixels[shared.guess]),
        partition=partition(shared.true, shared.guess, shared.pixels, true.pixels),
        missed=true.unmatched(of_true, voxel),
        spurious=guess.unmatched(of_guess, voxel),
    )


def components(foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Object ids for a mask (*spatial) that has none: pieces connected through faces, numbered from 1.

    >>> components(np.array([[True, False, True], [False, True, False]]))
    array([[1, 0, 2],
           [0, 3, 0]], dtype=int32)
    """
    from scipy.ndimage import label

    ids: NDArray[np.int32] = label(foreground)[0]
    return ids


class _Objects:
    """The objects of one id array: ids, numbers of pixels, and for each pixel the index of its object."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.shape, self.flat = array.shape, array.ravel()
        self.at = np.flatnonzero(self.flat)
        self.ids, self.index, self.pixels = _counted(self.flat[self.at])

    def side(self, partners: NDArray[np.intp], covered: NDArray[Any], voxel: float) -> Side:
        """partners: indices of those with a partner; covered: pixels of each that any object of the other side has."""
        matched = np.zeros(len(self.ids), bool)
        matched[partners] = True
        return Side((self.pixels * voxel).astype(np.float64), matched, covered / self.pixels)

    def unmatched(self, side: Side, voxel: float) -> tuple[Unmatched, ...]:
        """The objects without a partner, largest first. voxel: the size of a pixel."""
        where = np.unravel_index(self.at, self.shape)
        centre = [
            np.bincount(self.index, weights=axis, minlength=len(self.ids)) / self.pixels for axis in where
        ]
        listed = [
            Unmatched(
                id=int(self.ids[i]),
                pixels=int(self.pixels[i]),
                size=float(self.pixels[i] * voxel),
                centroid=tuple(round(float(axis[i]), 2) for axis in centre),
                covered=float(side.covered[i]),
            )
            for i in np.flatnonzero(~side.matched)
        ]
        return tuple(sorted(listed, key=lambda one: (-one.pixels, one.id)))


@dataclass(frozen=True, eq=False)
class _Shared:
    """Indices of every true and guessed object that overlap, in their order, and the pixels that each pair shares."""

    true: NDArray[np.intp]
    guess: NDArray[np.intp]
    pixels: NDArray[np.int64]


def _shared(true: _Objects, guess: _Objects) -> _Shared:
    from scipy.sparse import coo_array

    of_true = true.index[guess.flat[true.at] != 0]
    of_guess = guess.index[true.flat[guess.at] != 0]
    shape = (len(true.ids), len(guess.ids))
    table = coo_array((np.ones(len(of_true), np.int64), (of_true, of_guess)), shape=shape).tocsr()
    table.sort_indices()
    pairs = table.tocoo()
    return _Shared(pairs.row.astype(np.intp), pairs.col.astype(np.intp), pairs.data)


def _matched(
    true: _Objects, guess: _Objects, shared: _Shared
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Indices of the true and guessed objects that are partners, and their IoU."""
    iou = shared.pixels / (true.pixels[shared.true] + guess.pixels[shared.guess] - shared.pixels)
    keep = iou >= FOUND_IOU
    rows, columns, iou = shared.true[keep], shared.guess[keep], iou[keep]
    first = np.unique(rows, return_index=True)[1]
    rows, columns, iou = rows[first], columns[first], iou[first]
    first = np.unique(columns, return_index=True)[1]
    return rows[first], columns[first], iou[first]


def _holding_several(holder: NDArray[np.intp], shared: NDArray[np.int64], held: NDArray[np.intp]) -> int:
    """How many holders have more than half of each of two or more objects of the other side; all per overlapping pair."""
    times = np.bincount(holder[2 * shared > held])
    return int(np.count_nonzero(times > 1))


def _counted(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """The ids among `values`, rising; per value the index of its id; per id the number of its pixels.

    The same as np.unique; without its sort where the ids are small enough to be looked up.
    """
    if not values.size or values.min() < 0 or values.max() > max(values.size, 2**16):
        ids, index, pixels = np.unique(values, return_inverse=True, return_counts=True)
        return ids, index.reshape(-1), pixels
    pixels = np.bincount(values)
    ids = np.flatnonzero(pixels)
    position = np.zeros(len(pixels), np.intp)
    position[ids] = np.arange(len(ids))
    return ids, position[values], pixels[ids]
