"""What several people agree on: a vote in every pixel, or STAPLE, each with how sure it is.

`majority` first asks which objects most people drew, and then, in every pixel, those who drew the object there which class
it is: whoever left out an object altogether says nothing about where its border runs. Where votes are even, taking either
side would make every shape too large or too small; there the class wins in which the pixel lies deeper by the median over
people, so that the border runs half-way (compare shape-based averaging, Rohlfing & Maurer 2007, doi:10.1109/TIP.2006.884936).
`staple` weighs people by how good each seems to be, and says so: Warfield, Zou & Wells 2004, doi:10.1109/TMI.2004.828354.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError

_FAR = 1e3  # stands in for the infinite depth of a class that fills a picture, or is not in it


@dataclass(frozen=True, eq=False)
class Consensus:
    """labels: (*spatial) uint8, UNLABELLED where nobody said anything. doubt: (*spatial) float32, the share of those who
    said something that said something else: 0 where all agree. objects: (*spatial) int32 ids where everybody has ids."""

    labels: NDArray[np.uint8]
    doubt: NDArray[np.float32]
    objects: NDArray[np.int32] | None = None


@dataclass(frozen=True, eq=False)
class Staple:
    """One class as STAPLE sees it. probability: (*spatial) float32 of the class; where somebody said nothing, the share of the
    others who said it, nan where nobody said anything. sensitivity, specificity: of each
    person, in their order, against the hidden truth; nan where the class is not in the picture."""

    probability: NDArray[np.float32]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]


def majority(
    labels: Sequence[NDArray[np.uint8]], *, objects: Sequence[NDArray[np.integer]] | None = None
) -> Consensus:
    """The vote of several people on one picture; each of `labels` is (*spatial) class indices, UNLABELLED abstains.

    objects: (*spatial) ids of each person, in the same order; where None, the connected pieces of each mask stand in, and
    the consensus has no ids. Objects of several people that are each other's best partner are one; it is in the consensus
    if more than half of the people drew it. Raises DataError where there is nobody or the shapes differ.

    >>> one, other = np.array([0, 1, 1, 1, 1, 0], np.uint8), np.array([0, 0, 0, 1, 1, 0], np.uint8)
    >>> both = majority([one, other])  # even votes in two pixels: the border runs between the two
    >>> both.labels, both.doubt
    (array([0, 0, 1, 1, 1, 0], dtype=uint8), array([0. , 0.5, 0.5, 0. , 0. , 0. ], dtype=float32))
    """
    said = _stacked(labels)
    classes = [int(c) for c in np.unique(said) if c != UNLABELLED]
    if not classes:
        return Consensus(said[0].copy(), np.zeros(said[0].shape, np.float32))
    same = _same_objects(list(map(_pieces, said)) if objects is None else objects)
    heard = _heard(said, same)
    votes = np.stack([(heard == c).sum(0) for c in classes])
    most, count = votes.max(0), votes.sum(0)
    winner = votes.argmax(0)
    even = ((votes == most).sum(0) > 1) & (count > 0)
    if even.any():
        deep = np.stack([_typical_depth(heard, c, at=even) for c in classes])
        winner[even] = np.where(votes[:, even] == most[even], deep, -np.inf).argmax(0)
    result = np.array(classes, np.uint8)[winner]
    result[count == 0] = UNLABELLED
    spoke = (said != UNLABELLED).sum(0)
    against = ((said != result) & (said != UNLABELLED)).sum(0)
    doubt = (against / np.maximum(spoke, 1)).astype(np.float32)
    return Consensus(result, doubt, None if objects is None else _voted_objects(result, same))


def staple(labels: Sequence[NDArray[np.uint8]], *, label: int) -> Staple:
    """STAPLE for one class of one picture, through SimpleITK, on the pixels of which everybody said something.

    >>> drawn = [np.zeros((8, 8), np.uint8) for _ in range(3)]
    >>> for mask in drawn[:2]:
    ...     mask[2:6, 2:6] = 1
    >>> found = staple(drawn, label=1)  # the third missed it
    >>> [round(s, 2) for s in found.sensitivity], bool(found.probability[3, 3] > 0.5)
    ([1.0, 1.0, 0.0], True)
    """
    import SimpleITK

    sitk: Any = SimpleITK

    said = _stacked(labels)
    people, spoke = len(said), (said != UNLABELLED).sum(0)
    with np.errstate(invalid="ignore"):
        probability = ((said == label).sum(0) / spoke).astype(np.float32)
    everybody = spoke == people
    masks = said[:, everybody] == label
    if not masks.any() or masks.all():
        return Staple(probability, (float("nan"),) * people, (float("nan"),) * people)
    filtered = sitk.STAPLEImageFilter()
    filtered.SetForegroundValue(1.0)
    filtered.SetMaximumIterations(200)
    found = filtered.Execute([sitk.GetImageFromArray(mask[None].astype(np.uint8)) for mask in masks])
    probability[everybody] = sitk.GetArrayFromImage(found)[0]
    return Staple(
        probability,
        tuple(float(x) for x in filtered.GetSensitivity()),
        tuple(float(x) for x in filtered.GetSpecificity()),
    )


def best_partners(
    of_one: NDArray[np.integer], of_other: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of the objects that share more pixels with each other than with any third: (of one, of the other), in pairs.

    Two arrays of ids (*spatial), 0 for none. No overlap is too small, so that an object drawn much too large or small
    keeps its partner; of equal overlaps the lower id wins.

    >>> best_partners(np.array([1, 1, 1, 2, 0]), np.array([0, 5, 5, 5, 6]))
    (array([1]), array([5]))
    """
    both = (of_one > 0) & (of_other > 0)
    ones, at_one = np.unique(of_one[both], return_inverse=True)
    others, at_other = np.unique(of_other[both], return_inverse=True)
    if not len(ones):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs, shared = np.unique(at_one.astype(np.int64) * len(others) + at_other, return_counts=True)
    rows, columns = np.divmod(pairs, len(others))
    order = np.lexsort((pairs, -shared))  # largest first
    first_row = np.zeros(len(pairs), bool)
    first_column = np.zeros(len(pairs), bool)
    first_row[order[np.unique(rows[order], return_index=True)[1]]] = True
    first_column[order[np.unique(columns[order], return_index=True)[1]]] = True
    chosen = first_row & first_column
    return ones[rows[chosen]].astype(np.int64), others[columns[chosen]].astype(np.int64)


def _stacked(labels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if not labels:
        raise DataError("nobody labelled this picture: give the labels of one person or more")
    if len({one.shape for one in labels}) > 1:
        raise DataError("people's labels of one picture differ in size: crop or resample them")
    return np.stack(list(labels))


def _pieces(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Connected pieces of each class but background, as ids."""
    from scipy.ndimage import label

    ids = np.zeros(labels.shape, np.int64)
    for value in np.unique(labels):
        if value not in (0, UNLABELLED):
            found, _ = label(labels == value)
            ids = np.where(found > 0, found + ids.max(), ids)
    return ids


def _same_objects(objects: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """Everybody's ids (people, *spatial), renamed so that partners have one id from 1 on.

    People are taken one after the other; an object without a partner among those known so far is a new one.
    """
    known = np.zeros(objects[0].shape, np.int64)
    planes, count = [], 0
    for ids in objects:
        mine, partners = best_partners(ids, known)
        names = np.unique(ids[ids > 0])
        new = np.setdiff1d(names, mine)
        renamed = np.zeros(int(ids.max(initial=0)) + 1, np.int64)
        renamed[mine] = partners
        renamed[new] = np.arange(count + 1, count + 1 + len(new))
        count += len(new)
        planes.append(renamed[ids])
        known = np.where(known > 0, known, planes[-1])
    return np.stack(planes)


def _heard(said: NDArray[np.uint8], same: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Labels (people, *spatial) as they count: whoever left out an object that most drew abstains where others drew it."""
    where = np.zeros(said.shape[1:], np.int64)
    for plane in same[::-1]:
        where = np.where(plane > 0, plane, where)
    count = int(same.max(initial=0)) + 1
    pixels = np.maximum(np.bincount(where.ravel(), minlength=count), 1)
    spoke = np.stack([np.bincount(where[one != UNLABELLED], minlength=count) / pixels > 0.5 for one in said])
    drew = np.stack([np.bincount(plane.ravel(), minlength=count) > 0 for plane in same])
    yes, people = drew.sum(0), np.maximum((spoke | drew).sum(0), 1)
    most = 2 * yes > people
    most[0] = False
    heard = said.copy()
    for one, own in zip(heard, drew, strict=True):
        one[(most & ~own)[where] & (one == 0)] = UNLABELLED
    return heard


def _typical_depth(heard: NDArray[np.uint8], label: int, *, at: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How deep the pixels `at` lie in a class, by the median over the people who are heard there."""
    from scipy.ndimage import distance_transform_edt

    def deep_in(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        if mask.all() or not mask.any():
            return np.full(int(at.sum()), _FAR if mask.all() else -_FAR)
        signed: NDArray[np.float64] = (distance_transform_edt(mask) - distance_transform_edt(~mask))[at]
        return signed

    deep = np.stack([np.where(one[at] == UNLABELLED, np.nan, deep_in(one == label)) for one in heard])
    return np.asarray(np.nanmedian(deep, axis=0), np.float64)


def _voted_objects(labels: NDArray[np.uint8], same: NDArray[np.int64]) -> NDArray[np.int32]:
    """Ids (*spatial) for the foreground of a consensus: of each pixel the object that most people drew there."""
    foreground = (labels != 0) & (labels != UNLABELLED)
    stack = same[:, foreground]
    votes = np.stack([np.where(one > 0, (stack == one).sum(0), 0) for one in stack])
    best = np.where(votes == votes.max(0), stack, np.iinfo(np.int64).max).min(0)
    best = np.where(votes.max(0) > 0, best, 0)
    result = np.zeros(labels.shape, np.int32)
    result[foreground] = np.unique(np.append(best, 0), return_inverse=True)[1][:-1]
    return result
