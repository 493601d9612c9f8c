"""How much of two masks coincides: Dice and intersection over union.

Both count pixels, so that spacing does not matter, and both are blind to where an error lies: a satellite
lesion that was missed altogether may cost a hundredth. `surface.py` and `objects.py` look where these cannot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.score.pair import masks


def dice(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """Overlap of one label: 2|A∩B| / (|A|+|B|), from 0 (disjoint) to 1 (identical).

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Neither holds `label`: nan (undefined, counted by the summary). Only one does: 0.0 (a miss counts).
    Raises DataError where shapes differ or values are not integers. Dice 1945, doi:10.2307/1932409.

    >>> dice(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), label=1)
    0.6666666666666666
    """
    a, b = masks(truth, predicted, label=label)
    return dice_of_counts(int(np.count_nonzero(a)), int(np.count_nonzero(b)), int(np.count_nonzero(a & b)))


def iou(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """Intersection over union of one label: |A∩B| / |A∪B|, from 0 (disjoint) to 1 (identical).

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Neither holds `label`: nan (undefined, counted by the summary). Only one does: 0.0 (a miss counts).
    Raises DataError where shapes differ or values are not integers. It ranks one pair of masks exactly as
    Dice does, IoU = Dice / (2 - Dice). Jaccard 1901, doi:10.5169/seals-266450.

    >>> iou(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), label=1)
    0.5
    """
    a, b = masks(truth, predicted, label=label)
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else float("nan")


def dice_of_counts(of_truth: int, of_predicted: int, of_both: int) -> float:
    """Dice from numbers of pixels, so that images can be pooled; nan where both numbers are 0.

    >>> dice_of_counts(2, 1, 1)
    0.6666666666666666
    """
    total = of_truth + of_predicted
    return 2 * of_both / total if total else float("nan")
