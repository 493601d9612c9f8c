"""Were the single objects found? Matching of object ids, and the scores that follow from it.

An object of truth is found where a predicted one has an IoU of at least 0.5 with it. Above one half no object
can have two partners, and at exactly one half the partner with the lower id is taken, so that the matching is
one to one without any search. Counts of found, missed and spurious objects are pooled over images before they
are divided: an image with one nucleus does not weigh as much as one with a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.pair import check_pair

FOUND_IOU = 0.5


@dataclass(frozen=True)
class Unmatched:
    """An object without a partner: its id, its size and the centre of its pixels.

    pixels: number of pixels. size: area or volume, in spacing units squared or cubed.
    centroid: in pixels, array order.
    """

    id: int
    pixels: int
    size: float
    centroid: tuple[float, ...]


@dataclass(frozen=True)
class ObjectScores:
    """Found, missed and spurious objects of one image or, pooled, of many, and what follows from the counts.

    tp, fp, fn: objects found, predicted but not there, there but not found. iou_sum: summed IoU of the
    found. Every ratio is nan where neither side holds an object. PQ: Kirillov et al. 2019,
    doi:10.1109/CVPR.2019.00963.

    >>> scores = ObjectScores(tp=3, fp=1, fn=2, iou_sum=2.4)
    >>> round(scores.ap50, 3), round(scores.f1, 3), round(scores.pq, 3)
    (0.5, 0.667, 0.533)
    """

    tp: int
    fp: int
    fn: int
    iou_sum: float
    missed: tuple[Unmatched, ...] = ()
    spurious: tuple[Unmatched, ...] = ()

    @property
    def ap50(self) -> float:
        """TP / (TP + FP + FN): what the Data Science Bowl and StarDist call average precision at 0.5."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN): Dice, of objects."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def pq(self) -> float:
        """Panoptic quality: F1 times the mean IoU of the objects found."""
        return _ratio(2 * self.iou_sum, 2 * self.tp + self.fp + self.fn)


def match_objects(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    spacing: Sequence[float] | None = None,
    unlabelled: NDArray[np.bool_] | None = None,
) -> ObjectScores:
    """Match predicted objects to true ones by IoU of at least 0.5, and list those that stay alone.

    Both are integer arrays of one shape (*spatial) that hold object ids, 0 for none; ids need not be
    consecutive. spacing: size of a pixel along each axis in array order, ones where None, for the sizes of
    the unmatched. unlabelled: boolean (*spatial), pixels that belong to no object on either side; an object
    that lies there altogether does not exist. Neither side holds an object: all counts 0, every ratio nan.
    Raises DataError where shapes differ or values are not integers.

    >>> found = match_objects(np.array([7, 7, 7, 0, 9]), np.array([2, 2, 0, 4, 0]))
    >>> found.tp, found.fp, found.fn, round(found.iou_sum, 3)
    (1, 1, 1, 0.667)
    >>> found.missed
    (Unmatched(id=9, pixels=1, size=1.0, centroid=(4.0,)),)
    """
    check_pair(truth, predicted)
    if unlabelled is not None:
        if unlabelled.shape != truth.shape:
            raise DataError(
                f"the unlabelled mask is {unlabelled.shape} but truth is {truth.shape}: give one shape"
            )
        truth, predicted = np.where(unlabelled, 0, truth), np.where(unlabelled, 0, predicted)
    true, guess = _Objects(truth), _Objects(predicted)
    rows, columns, iou = _pairs(true, guess)
    keep = iou >= FOUND_IOU
    rows, columns, iou = rows[keep], columns[keep], iou[keep]
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, return_index=True)[1]] = True
    rows, columns, iou = rows[first], columns[first], iou[first]
    columns, first_of_column = np.unique(columns, return_index=True)
    rows, iou = rows[first_of_column], iou[first_of_column]
    return ObjectScores(
        tp=len(rows),
        fp=len(guess.ids) - len(columns),
        fn=len(true.ids) - len(rows),
        iou_sum=float(iou.sum()),
        missed=true.unmatched(rows, spacing),
        spurious=guess.unmatched(columns, spacing),
    )


def pool_objects(scores: Iterable[ObjectScores]) -> ObjectScores:
    """Counts added up over images; the lists of single objects stay with their images.

    >>> pool_objects([ObjectScores(1, 0, 1, 0.5), ObjectScores(2, 1, 0, 1.7)])
    ObjectScores(tp=3, fp=1, fn=1, iou_sum=2.2, missed=(), spurious=())
    """
    counted = list(scores)
    return ObjectScores(
        tp=sum(s.tp for s in counted),
        fp=sum(s.fp for s in counted),
        fn=sum(s.fn for s in counted),
        iou_sum=sum(s.iou_sum for s in counted),
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

    def unmatched(self, matched: NDArray[np.intp], spacing: Sequence[float] | None) -> tuple[Unmatched, ...]:
        """The objects whose index is not in `matched`, largest first."""
        alone = np.setdiff1d(np.arange(len(self.ids)), matched)
        voxel = float(np.prod(spacing)) if spacing is not None else 1.0
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
            )
            for i in alone
        ]
        return tuple(sorted(listed, key=lambda one: (-one.pixels, one.id)))


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


def _pairs(true: _Objects, guess: _Objects) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Indices of every true and guessed object that overlap, in their order, and the IoU of each pair."""
    from scipy.sparse import coo_array

    of_true = true.index[guess.flat[true.at] != 0]
    of_guess = guess.index[true.flat[guess.at] != 0]
    shape = (len(true.ids), len(guess.ids))
    table = coo_array((np.ones(len(of_true), np.int64), (of_true, of_guess)), shape=shape).tocsr()
    table.sort_indices()
    pairs = table.tocoo()
    rows, columns = pairs.row.astype(np.intp), pairs.col.astype(np.intp)
    union = true.pixels[rows] + guess.pixels[columns] - pairs.data
    return rows, columns, pairs.data / union


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
