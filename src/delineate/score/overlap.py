"""How much of two masks coincides: Dice, intersection over union, and what kind of error there is more of.

All count pixels, so that spacing does not matter, and all are blind to where an error lies: a satellite
lesion that was missed altogether may cost a hundredth. `surface.py` and `objects.py` look where these cannot.
Pixels are counted once (`counted`), and many questions are asked of the counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.score.pair import SLAB, check_pair, masks_and_gaps, slabs

_NAN = float("nan")


@dataclass(frozen=True)
class Counts:
    """Numbers of labelled pixels that are of one label in truth, in the prediction, and in both; and of all of them.

    Every question is answered as the function of its name says.

    >>> Counts(truth=2, predicted=1, both=1, labelled=3).dice
    0.6666666666666666
    """

    truth: int
    predicted: int
    both: int
    labelled: int

    @property
    def dice(self) -> float:
        """2|A∩B| / (|A|+|B|)."""
        total = self.truth + self.predicted
        return 2 * self.both / total if total else _NAN

    @property
    def iou(self) -> float:
        """|A∩B| / |A∪B|."""
        union = self.truth + self.predicted - self.both
        return self.both / union if union else _NAN

    @property
    def precision(self) -> float:
        """|A∩B| / |B|; 0.0 where B is empty and A is not."""
        if self.predicted:
            return self.both / self.predicted
        return 0.0 if self.truth else _NAN

    @property
    def recall(self) -> float:
        """|A∩B| / |A|."""
        return self.both / self.truth if self.truth else _NAN

    @property
    def specificity(self) -> float:
        """Of the pixels that are not in A, the share that is not in B."""
        others = self.labelled - self.truth
        return 1 - (self.predicted - self.both) / others if others else _NAN

    @property
    def volume_difference(self) -> float:
        """(|B| - |A|) / |A|."""
        if self.truth:
            return (self.predicted - self.truth) / self.truth
        return float("inf") if self.predicted else _NAN


def counted(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> Counts:
    """Count the pixels of one label in two integer arrays of one shape (*spatial), UNLABELLED ones in neither.

    Raises DataError where shapes differ or values are not integers.

    >>> counted(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]), label=1)
    Counts(truth=2, predicted=1, both=1, labelled=3)
    """
    check_pair(truth, predicted)
    if truth.size > SLAB and len(truth) > 1:
        return pooled(counted(truth[at], predicted[at], label=label) for at in slabs(truth))
    a, b, gaps = masks_and_gaps(truth, predicted, label=label)
    of_truth, of_predicted, of_both = (int(np.count_nonzero(mask)) for mask in (a, b, a & b))
    unlabelled = 0 if gaps is None else int(np.count_nonzero(gaps))
    return Counts(of_truth, of_predicted, of_both, labelled=a.size - unlabelled)


def pooled(counts: Iterable[Counts]) -> Counts:
    """The pixels of many images together.

    >>> pooled([Counts(2, 1, 1, 3), Counts(0, 1, 0, 9)])
    Counts(truth=2, predicted=2, both=1, labelled=12)
    """
    each = list(counts)
    return Counts(
        sum(c.truth for c in each),
        sum(c.predicted for c in each),
        sum(c.both for c in each),
        sum(c.labelled for c in each),
    )


def dice(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """Overlap of one label: 2|A∩B| / (|A|+|B|), from 0 (disjoint) to 1 (identical).

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Neither holds `label`: nan (undefined, counted by the summary). Only one does: 0.0 (a miss counts).
    Raises DataError where shapes differ or values are not integers. Dice 1945, doi:10.2307/1932409.

    >>> dice(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), label=1)
    0.6666666666666666
    """
    return counted(truth, predicted, label=label).dice


def mean_dice(truth: NDArray[Any], predicted: NDArray[Any], *, classes: int) -> float:
    """The mean `dice` of labels 1 to classes - 1, all but background; nan where none of them is in either image.

    >>> mean_dice(np.array([[0, 1, 1, 2]]), np.array([[0, 0, 1, 2]]), classes=4)  # 0.667 and 1; the last is in neither
    0.833...
    """
    values = np.array([dice(truth, predicted, label=label) for label in range(1, classes)])
    return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else _NAN


def iou(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """Intersection over union of one label: |A∩B| / |A∪B|, from 0 (disjoint) to 1 (identical).

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Neither holds `label`: nan (undefined, counted by the summary). Only one does: 0.0 (a miss counts).
    Raises DataError where shapes differ or values are not integers. It ranks one pair of masks exactly as
    Dice does, IoU = Dice / (2 - Dice). Jaccard 1901, doi:10.5169/seals-266450.

    >>> iou(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]), label=1)
    0.5
    """
    return counted(truth, predicted, label=label).iou


def precision(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """How much of what was predicted is there: |A∩B| / |B|, from 0 to 1, which is best; B is the prediction.

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Neither holds `label`: nan (undefined, counted by the summary). Only truth does, and nothing was predicted: 0.0, for a
    miss must not raise a mean; only the prediction does: 0.0. Raises DataError as `dice`. Also called positive
    predictive value. Van Rijsbergen 1979, Information Retrieval, chapter 7.

    >>> precision(np.array([[0, 1, 1]]), np.array([[1, 1, 1]]), label=1)
    0.6666666666666666
    """
    return counted(truth, predicted, label=label).precision


def recall(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """How much of what is there was predicted: |A∩B| / |A|, from 0 to 1, which is best; A is truth.

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Truth does not hold `label`: nan, for there is nothing to find (what was predicted all the same shows in
    `precision`). Only truth does: 0.0. Raises DataError as `dice`. Also called sensitivity.

    >>> recall(np.array([[0, 1, 1]]), np.array([[1, 1, 0]]), label=1)
    0.5
    """
    return counted(truth, predicted, label=label).recall


def specificity(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """How much of what is something else was left alone: TN / (TN + FP), from 0 to 1, which is best.

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count.
    Where truth holds `label` in every labelled pixel: nan. A miss does not lower it, and in a large image of small
    objects it is close to 1 whatever happens: read it for images that hold none. Raises DataError as `dice`.
    Yerushalmy 1947, doi:10.2307/4586294.

    >>> specificity(np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]]), label=1)
    0.5
    """
    return counted(truth, predicted, label=label).specificity


def volume_difference(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """How much too large the prediction is, as a share of truth: (|B| - |A|) / |A|; 0 is best, below 0 is too small.

    Both are integer arrays of one shape (*spatial). Pixels that are UNLABELLED in truth do not count. An area in 2D.
    Neither holds `label`: nan (undefined, counted by the summary). Only truth does: -1.0; only the prediction does: inf.
    It tells of size alone: a mask of the right size in the wrong place has 0. Raises DataError as `dice`.
    Heimann et al. 2009, doi:10.1109/TMI.2009.2013851.

    >>> volume_difference(np.array([[0, 1, 1]]), np.array([[1, 0, 0]]), label=1)
    -0.5
    """
    return counted(truth, predicted, label=label).volume_difference
