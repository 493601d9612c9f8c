"""Two arrays that speak about the same pixels, and what may be compared in them.

Every score starts here: the arrays are checked, and pixels that are UNLABELLED in truth leave both masks, so
that nothing predicted there can change a score.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError

Mask = NDArray[np.bool_]

SLAB = 2**18  # pixels of large arrays that are looked at at once: what is made of them stays in the cache


def slabs(array: NDArray[Any]) -> Iterator[slice]:
    """Rows of the first axis, some at a time, SLAB pixels or a single row each.

    >>> [(at.start, at.stop) for at in slabs(np.zeros((5, 512, 256)))]
    [(0, 2), (2, 4), (4, 6)]
    """
    at_once = max(1, SLAB // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), at_once):
        yield slice(start, start + at_once)


def masks(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> tuple[Mask, Mask]:
    """Where each of the two holds `label`, as booleans (*spatial); False where truth is UNLABELLED.

    Raises DataError where the shapes differ, where an array is not of integers, or where label is UNLABELLED or no number.

    >>> masks(np.array([1, 0, 255]), np.array([1, 1, 1]), label=1)
    (array([ True, False, False]), array([ True,  True, False]))
    """
    of_truth, of_predicted, _ = masks_and_gaps(truth, predicted, label=label)
    return of_truth, of_predicted


def masks_and_gaps(
    truth: NDArray[Any], predicted: NDArray[Any], *, label: int
) -> tuple[Mask, Mask, Mask | None]:
    """What `masks` gives, and where truth is UNLABELLED; None where it is nowhere.

    >>> masks_and_gaps(np.array([1, 0]), np.array([1, 1]), label=1)
    (array([ True, False]), array([ True,  True]), None)
    """
    check_pair(truth, predicted)
    if label == UNLABELLED:
        raise DataError(
            f"label {UNLABELLED} means that nobody labelled a pixel: score a class from 0 to {UNLABELLED - 1}"
        )
    if not isinstance(label, (int, np.integer)) and label not in range(UNLABELLED):
        raise DataError(f"label is {label!r}: give the index of a class, a whole number")
    of_truth, of_predicted = truth == label, predicted == label
    if truth.max(initial=0) < UNLABELLED:  # which needs no mask
        return of_truth, of_predicted, None
    gaps = truth == UNLABELLED
    of_predicted &= ~gaps
    return of_truth, of_predicted, gaps


def check_pair(truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Raise DataError unless both are arrays of integers (or booleans) of one shape; what is masked in them would count."""
    for what, array in (("truth", truth), ("the prediction", predicted)):
        if not isinstance(array, np.ndarray) or array.ndim == 0:
            raise DataError(
                f"{what} is no array of pixels but a {type(array).__name__}: give a NumPy array (*spatial), such as "
                "np.asarray(labels)"
            )
        if isinstance(array, np.ma.MaskedArray):
            raise DataError(
                f"{what} is a masked array: fill it, such as labels.filled({UNLABELLED}) for truth that nobody labelled there"
            )
        if array.dtype.kind not in "iub":
            raise DataError(
                f"{what} is {array.dtype}: give integer class indices, such as probabilities.argmax(axis=0)"
            )
    if truth.shape != predicted.shape:
        raise DataError(
            f"truth is {' x '.join(map(str, truth.shape))} but the prediction is "
            f"{' x '.join(map(str, predicted.shape))}: crop or resample one of them"
        )


def checked_spacing(spacing: Sequence[float] | None, *, axes: int) -> tuple[float, ...]:
    """The size of a voxel along each axis, ones where None; raises DataError unless it is one positive number per axis."""
    if spacing is None:
        return (1.0,) * axes
    try:
        size = tuple(float(s) for s in spacing)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"spacing is {spacing!r}: give one positive number per axis, in array order, such as {(1.0,) * axes}"
        ) from error
    if len(size) != axes or not all(0 < s < float("inf") for s in size):
        raise DataError(
            f"spacing is {size} for {axes} spatial axes: give one positive number per axis, in array order"
        )
    return size
