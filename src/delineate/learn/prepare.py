"""From a case to what crops are cut from: normalised channels, everybody's labels, offsets to the middles of objects.

What cannot be learnt from is refused before. Images too large to be loaded are in `large_samples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data.grey import as_grey
from delineate.data.sample import Sample
from delineate.learn.normalisation import Normalisation, with_scale
from delineate.learn.targets import labelled_objects, object_ids, offsets_to_middle

_PLACES = 2000  # pixels of a class remembered per picture, to centre crops on


def samples(
    case: Case,
    *,
    dims: int,
    normalisation: Normalisation,
    grey: bool,
    objects: bool,
    seed: int,
    others: Sequence[Case] = (),
    silent: bool = False,
) -> list[Sample]:
    """What crops are cut from: the case itself, or each of its slices where `dims` is 2 and the case is 3D.

    others: the same image as other people labelled it. silent: keep what has no label at all; without, such a slice is left
    out, and such a case is a DataError. Raises DataError for NaN or infinite pixels.

    >>> case = Case("stack", np.zeros((3, 8, 8, 1)), labels=np.ones((3, 8, 8), np.uint8))
    >>> slices = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0)
    >>> len(slices), slices[0].image.shape, slices[0].offsets.shape
    (3, torch.Size([1, 8, 8]), torch.Size([2, 8, 8]))
    """
    people = [(one.labels, object_ids(one)) for one in (case, *others) if one.labels is not None]
    if not people and not silent:
        raise DataError(f"{case.name} has no labels: give it a mask or leave it out")
    people = people or [(np.full(case.spatial, UNLABELLED, np.uint8), None)]
    shown = as_grey(case.image) if grey else case.image
    image, scale = with_scale(shown, normalisation, name=case.name)
    slices: list[Any] = [slice(None)]
    if dims == 2 and len(case.spatial) == 3:
        slices = list(range(case.spatial[0]))
    result = []
    for number, index in enumerate(slices):
        drawn = [
            (labels[index], None if ids is None else ids[index])
            for labels, ids in people
            if silent or (labels[index] != UNLABELLED).any()
        ]
        if not drawn:
            continue
        shape = drawn[0][0].shape
        middles = [offsets_to_middle(labelled_objects(labels, ids)) for labels, ids in drawn if objects]
        result.append(
            Sample(
                image=torch.from_numpy(np.ascontiguousarray(image[:, index])),
                labels=torch.from_numpy(np.stack([labels for labels, _ in drawn]).astype(np.float32)),
                offsets=torch.from_numpy(np.concatenate(middles or [np.zeros((0, *shape), np.float32)])),
                places=tuple(spots for labels, _ in drawn for spots in places(labels, seed=seed + number)),
                span=scale.span,
            )
        )
    return result


def places(labels: NDArray[np.uint8], *, seed: int) -> tuple[NDArray[np.int32], ...]:
    """For each class that occurs, up to a few thousand of its pixels (n, dims); unlabelled ones are of no class.

    >>> places(np.array([[0, 0, 1, 255]], np.uint8), seed=0)[1]
    array([[0, 2]], dtype=int32)
    """
    rng = np.random.default_rng(seed)
    result = []
    for label in np.unique(labels):
        if label != UNLABELLED:
            pixels = np.flatnonzero(labels == label)
            if len(pixels) > _PLACES:
                pixels = rng.choice(pixels, _PLACES, replace=False)
            result.append(np.stack(np.unravel_index(pixels, labels.shape), axis=-1).astype(np.int32))
    return tuple(result)


def check_learnable(cases: Sequence[Case], classes: ClassTable) -> None:
    """Raise DataError where there is nothing to learn from, or where labels do not fit the classes.

    >>> case = Case("a", np.zeros((2, 2, 1)), labels=np.zeros((2, 2), np.uint8))
    >>> check_learnable([case], ClassTable.numbered(2))
    Traceback (most recent call last):
    delineate.core.errors.DataError: no training mask holds class_1: label some of it, or leave that class out
    """
    if not cases:
        raise DataError("there is no labelled image to learn from: give at least one image with a mask")
    seen: set[int] = set()
    for case in cases:
        if case.labels is None:
            raise DataError(f"{case.name} has no labels: give it a mask or leave it out")
        seen |= set(np.unique(case.labels).tolist())
        if not np.isfinite(case.image).all():
            raise DataError(
                f"{case.name} has pixels that are NaN or infinite: replace them, for example by the median"
            )
    seen.discard(UNLABELLED)
    if not seen:
        raise DataError("all masks are unlabelled everywhere: label some pixels of each class")
    if beyond := [label for label in seen if label >= len(classes)]:
        raise DataError(
            f"masks hold label {max(beyond)} but there are {len(classes)} classes: name all classes or correct the masks"
        )
    if missing := [name for i, name in enumerate(classes.names) if i not in seen]:
        raise DataError(
            f"no training mask holds {' or '.join(missing)}: label some of it, or leave that class out"
        )
