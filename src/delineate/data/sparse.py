"""Which labels say little: strokes and points, which leave most of a picture open, and boxes, which leave their objects open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from delineate.core import UNLABELLED, Case

HALF = 0.5  # of the pixels: what is labelled on less is no mask
OPEN = 2.0  # times as many open pixels around the labelled middles of objects; a box has four
AROUND = 0.9  # of what borders on labelled objects is open where they are boxes; masks border on background


def labelled_share(cases: Sequence[Case]) -> float:
    """The share of all pixels that are labelled.

    >>> labelled_share([Case("a", np.zeros((1, 4, 1)), labels=np.array([[0, 1, 255, 255]], np.uint8))])
    0.5
    """
    labels = [case.labels for case in cases if case.labels is not None]
    return sum(int((one != UNLABELLED).sum()) for one in labels) / max(1, sum(one.size for one in labels))


def barely_labelled(case: Case) -> bool:
    """Whether a case has labels, but on less than half of its pixels, as with strokes and points."""
    return case.labels is not None and labelled_share([case]) < HALF


def boxed(case: Case) -> bool:
    """Whether objects are labelled in their middles alone, with open pixels all around, as boxes are read.

    Masks with gaps, or with a thin open line around each object, are none.

    >>> labels = np.array([[0, 255, 255, 1, 255, 255, 0]], np.uint8)
    >>> boxed(Case("a", np.zeros((1, 7, 1)), labels=labels))
    True
    """
    labels = case.labels
    if labels is None or not (labels == UNLABELLED).any():
        return False
    from scipy import ndimage

    unsaid = labels == UNLABELLED
    objects = (labels > 0) & ~unsaid
    border = ndimage.binary_dilation(objects) & ~objects
    if not objects.any() or unsaid[border].sum() < AROUND * border.sum():
        return False
    piece, count = ndimage.label(objects | unsaid)
    with_objects = np.bincount(piece[objects], minlength=count + 1) > 0
    return bool((unsaid & with_objects[piece]).sum() > OPEN * objects.sum())


def sparse(case: Case) -> bool:
    """Whether the labels of a case are strokes, points or boxes rather than a mask."""
    return barely_labelled(case) or boxed(case)
