"""From a network's answer to objects: what is foreground, split by the votes of its pixels where that was learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.inference import separated
from delineate.inference.objects import numbered, sure
from delineate.learn.learnt import Learnt
from delineate.learn.prepare import pieces

SIGMA = 0.15  # how far votes for the middle of an object are smoothed, in radii of the typical object
MARGIN = 8.0  # radii of the typical object around a tile, so that objects at its border are seen whole


def identified(
    learnt: Learnt, answer: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    """Object ids (*spatial), 0 for none, of an answer (classes [+ dims], *spatial) and its labels (*spatial).

    An object is of one class. A model that did not learn objects tells connected pieces of a class apart.
    """
    probabilities, offsets = answer[: len(learnt.classes)], answer[len(learnt.classes) :]
    smallest = learnt.plan.smallest_object_px
    if learnt.plan.dims == 2 and labels.ndim == 3:  # the size is that of an object in one slice
        smallest = 0
    if not len(offsets):
        return numbered(pieces(labels), smallest_px=smallest)
    sigma_px = SIGMA * learnt.plan.object_radius_px
    ids = np.zeros(labels.shape, np.int32)
    for label in range(1, len(learnt.classes)):
        found = separated(labels == label, offsets, sigma_px=sigma_px, smallest_px=smallest)
        found = sure(found, probabilities[label])
        ids = np.where(found > 0, found + ids.max(), ids)
    return ids


def margin_px(learnt: Learnt) -> int:
    """Pixels around a tile in which objects are looked for; 0 where none were learnt."""
    return round(MARGIN * learnt.plan.object_radius_px) if learnt.plan.objects else 0
