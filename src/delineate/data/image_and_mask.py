"""One image and its mask: whether they fit, what the mask says in classes and object ids, and the case that they make.

Data sets, several people's labels and masks to be scored are read through this alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError
from delineate.data.convention import Convention, object_ids
from delineate.data.faults import fit_problem
from delineate.data.formats import read_mask
from delineate.data.matching import Entry
from delineate.data.picture import Picture


def label_path(entry: Entry) -> Path:
    """The label file of an entry that has one."""
    if entry.labels is None:
        raise DataError(f"image {entry.name} has no mask: label it first")
    return entry.labels


def drawn_labels(
    entry: Entry, picture: Picture, mask: Picture, *, convention: Convention, called: str
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None, int]:
    """What the mask of an entry says of its image, with its ids, as `labels_and_objects`. called: the mask, in messages.

    Raises DataError where image and mask do not fit, and as `labels_and_objects`.
    """
    path = label_path(entry)
    fit = fit_problem(picture, mask, image_name=entry.images[0].name, mask_name=called, where=str(path))
    if fit:
        raise fit.error
    ids = read_mask(entry.objects) if entry.objects else None
    return labels_and_objects(mask, ids, convention=convention, where=called)


def labels_and_objects(
    mask: Picture, ids: Picture | None, *, convention: Convention, where: str
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None, int]:
    """Labels and object ids of one image, and the number of pixels on which they contradict each other.

    ids: a mask of object ids beside the labels, or None where `convention` finds ids in the mask or there are
    none. The ids that are returned are 0 wherever the labels are background or unlabelled. Raises DataError
    for a value without a meaning, and where the two files differ in size.

    >>> from delineate.core import ClassTable
    >>> mask = Picture(np.array([[0, 1, 1]]), (1.0, 1.0), "px", None, ".png", ())
    >>> ids = Picture(np.array([[7, 7, 0]]), (1.0, 1.0), "px", None, ".png", ())
    >>> numbers = Convention(ClassTable.numbered(2), {0: 0, 1: 1})
    >>> labels_and_objects(mask, ids, convention=numbers, where="a.png")[1:]
    (array([[0, 7, 0]], dtype=int32), 2)
    """
    labels, objects = convention.read(mask, where=where)
    if ids is None:
        return labels, objects, 0
    problem = fit_problem(mask, ids, image_name=where, mask_name="with object ids", where=where)
    if problem:
        raise problem.error
    found = object_ids(ids, where=where)
    object_here, label_here = found > 0, (labels != 0) & (labels != UNLABELLED)
    apart = int(((object_here != label_here) & (labels != UNLABELLED)).sum())
    return labels, np.where(label_here, found, 0).astype(np.int32), apart


def case_of(
    entry: Entry,
    picture: Picture,
    *,
    labels: NDArray[np.uint8],
    objects: NDArray[np.int32] | None,
    group: str,
) -> Case:
    """An entry, read, as a case."""
    return Case(
        entry.name,
        picture.array,
        labels=labels,
        objects=objects,
        spacing=picture.spacing,
        unit=picture.unit,
        affine=picture.affine,
        group=group,
    )
