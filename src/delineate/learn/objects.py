"""From a network's answer to objects: what is foreground, split by the votes of its pixels where that was learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import ModelError, tempered
from delineate.inference.objects import objects_by_class
from delineate.learn.learnt import Learnt
from delineate.learn.targets import pieces
from delineate.objects import numbered, split

LEARNT = "this model has learnt to keep objects apart: leave the watershed out"
MARGIN = 8.0  # radii of the typical object around a tile, so that objects at its border are seen whole


def identified(
    learnt: Learnt,
    answer: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    watershed: bool = False,
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 for none, of an answer (classes [+ dims], *spatial) and its labels (*spatial).

    An object is of one class. A model that did not learn objects tells connected pieces of a class apart, or, with
    `watershed`, splits them at their necks as well; ModelError where it did learn.
    """
    probabilities, offsets = answer[: len(learnt.classes)], answer[len(learnt.classes) :]
    smallest = learnt.plan.smallest_object_px
    if learnt.plan.dims == 2 and labels.ndim == 3:  # the size is that of an object in one slice
        smallest = 0
    if not len(offsets):
        return apart(labels, smallest_px=smallest, watershed=watershed)
    if watershed:
        raise ModelError(LEARNT)
    radius_px = learnt.plan.object_radius_px
    if learnt.temperature != 1:  # which objects are sure enough is judged on what the network itself said
        probabilities = tempered(probabilities, temperature=1 / learnt.temperature)
    return objects_by_class(labels, probabilities, offsets, radius_px=radius_px, smallest_px=smallest)


def apart(
    labels: NDArray[np.integer[Any]], *, smallest_px: int = 0, watershed: bool = False
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 for none, of labels (*spatial) alone: connected pieces of a class, or those split at necks.

    >>> apart(np.array([[1, 1, 0, 2, 1]]))
    array([[1, 1, 0, 3, 2]], dtype=int32)
    """
    if not watershed:
        return numbered(pieces(labels), smallest_px=smallest_px)
    ids = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels[labels > 0]):
        found = split(labels == label, smallest_px=smallest_px)
        ids = np.where(found > 0, found + ids.max(), ids)
    return ids


def margin_px(learnt: Learnt) -> int:
    """Pixels around a tile in which objects are looked for; 0 where none were learnt."""
    return round(MARGIN * learnt.plan.object_radius_px) if learnt.plan.objects else 0
