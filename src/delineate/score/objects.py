"""Were the single objects found? What follows once true and predicted objects are matched, for one image or many.

Counts of found, missed and spurious objects are pooled over images before they are divided: an image with one nucleus
does not weigh as much as one with a hundred. `matching.py` makes an ObjectScores from two arrays of ids.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.partition import Partition, pool_partitions

FOUND_IOU = 0.5
AP_AT = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Unmatched:
    """An object without a partner: its id, its size and the centre of its pixels.

    pixels: number of pixels. size: area or volume, in spacing units squared or cubed.
    centroid: in pixels, array order. covered: the share of its pixels that lie in any object of the other side: 0.0
    where it was missed completely.
    """

    id: int
    pixels: int
    size: float
    centroid: tuple[float, ...]
    covered: float = 0.0


@dataclass(frozen=True, eq=False)
class Side:
    """All objects of one side: sizes (n,) in spacing units squared or cubed; matched (n,), whether each has a partner;
    covered (n,), the share of its pixels that lie in any object of the other side."""

    sizes: NDArray[np.float64]
    matched: NDArray[np.bool_]
    covered: NDArray[np.float64]


@dataclass(frozen=True)
class SizeClass:
    """Objects of sizes from `low` to below `high`: how many true ones there are, are found, and are touched at all; how
    many were predicted, and are right. recall, precision: their ratios, nan where there are none."""

    low: float
    high: float
    true: int
    found: int
    touched: int
    predicted: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the true objects that were found."""
        return _ratio(self.found, self.true)

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are right."""
        return _ratio(self.right, self.predicted)


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Found, missed and spurious objects of one image or, pooled, of many, and what follows from them.

    found_iou: (n,) IoU of each matched pair, at least 0.5. true, predicted: all objects of either side. merges: predicted
    objects that hold more than half of each of two or more true ones; splits: true objects that hold more than
    half of each of two or more predicted ones. partition: agreement on which pixels belong together. Every ratio
    is nan where neither side holds an object. PQ: Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963; merges and splits:
    Caicedo et al. 2019, doi:10.1002/cyto.a.23863.
    """

    found_iou: NDArray[np.float64]
    true: Side
    predicted: Side
    merges: int
    splits: int
    partition: Partition
    missed: tuple[Unmatched, ...] = ()
    spurious: tuple[Unmatched, ...] = ()

    @property
    def tp(self) -> int:
        """Number of objects found."""
        return len(self.found_iou)

    @property
    def fp(self) -> int:
        """Number of predicted objects that match none."""
        return len(self.predicted.sizes) - self.tp

    @property
    def fn(self) -> int:
        """Number of true objects that no predicted one matches."""
        return len(self.true.sizes) - self.tp

    @property
    def untouched(self) -> int:
        """Number of true objects missed completely: no predicted object has a pixel of them."""
        return int(np.count_nonzero(self.true.covered == 0))

    @property
    def ap50(self) -> float:
        """TP / (TP + FP + FN): what the Data Science Bowl and StarDist call average precision at 0.5."""
        return self.ap(0.5)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN): Dice, of objects. Recognition quality (RQ) where panoptic quality is split in two."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def sq(self) -> float:
        """Segmentation quality: mean IoU of the objects found; nan where none was."""
        return _ratio(float(self.found_iou.sum()), self.tp)

    @property
    def pq(self) -> float:
        """Panoptic quality: F1 times the mean IoU of the objects found."""
        return _ratio(2 * float(self.found_iou.sum()), 2 * self.tp + self.fp + self.fn)

    def ap(self, iou: float) -> float:
        """TP / (TP + FP + FN) where an object counts as found from this IoU on, 0.5 or more.

        Raises DataError for an IoU below 0.5, where an object can have several partners, or above 1.
        """
        if not FOUND_IOU <= iou <= 1:
            raise DataError(
                f"objects are matched from an IoU of {FOUND_IOU} on: give one from there to 1, not {iou}"
            )
        found = int(np.count_nonzero(self.found_iou >= iou))
        return _ratio(found, len(self.true.sizes) + len(self.predicted.sizes) - found)

    def by_size(self, edges: Sequence[float] | None = None) -> tuple[SizeClass, ...]:
        """The objects in classes of size; a pair may lie in two of them, for its sides need not be equally large.

        edges: rising sizes at which one class ends and the next begins, in spacing units squared or cubed; where None, the
        quartiles of the true objects. Empty where there are no objects. Raises DataError for edges that do not rise.
        """
        if not len(self.true.sizes) and not len(self.predicted.sizes):
            return ()
        if edges is None:
            known = self.true.sizes if len(self.true.sizes) else self.predicted.sizes
            quartiles = np.unique(np.percentile(known, (25, 50, 75), method="higher"))
            edges = [float(edge) for edge in quartiles if edge > known.min()]  # below the least there is none
        check_rising(edges)
        ends = (0.0, *edges, float("inf"))
        return tuple(self._sized(low, high) for low, high in itertools.pairwise(ends))

    def _sized(self, low: float, high: float) -> SizeClass:
        true, predicted = ((side.sizes >= low) & (side.sizes < high) for side in (self.true, self.predicted))
        return SizeClass(
            low,
            high,
            true=int(true.sum()),
            found=int(self.true.matched[true].sum()),
            touched=int((self.true.covered[true] > 0).sum()),
            predicted=int(predicted.sum()),
            right=int(self.predicted.matched[predicted].sum()),
        )


@dataclass(frozen=True)
class ObjectScore:
    """A score of the objects of one image, and what must be known to compare two methods by it.

    of: asks the question of an ObjectScores; its answer is nan where neither side holds an object (counts are 0 there).
    """

    name: str
    title: str
    direction: Literal["higher", "lower"]
    of: Callable[[ObjectScores], float]


OBJECT_SCORES: dict[str, ObjectScore] = {
    score.name: score
    for score in (
        ObjectScore("ap50", "AP@0.5", "higher", attrgetter("ap50")),
        ObjectScore("f1", "F1", "higher", attrgetter("f1")),
        ObjectScore("pq", "Panoptic quality", "higher", attrgetter("pq")),
        ObjectScore("missed", "Missed", "lower", attrgetter("fn")),
        ObjectScore("spurious", "Spurious", "lower", attrgetter("fp")),
    )
}


def check_rising(edges: Sequence[float]) -> None:
    """Raise DataError unless the edges of size classes are finite and rise, from above 0."""
    if not all(map(math.isfinite, edges)):
        raise DataError("sizes must be finite: leave out the last one, for the last class has no upper end")
    if any(later <= earlier for earlier, later in itertools.pairwise((0.0, *edges))):
        raise DataError(
            f"sizes must rise from one class to the next, from above 0: not {', '.join(f'{edge:g}' for edge in edges)}"
        )


def pool_objects(scores: Iterable[ObjectScores]) -> ObjectScores:
    """The objects of many images together; the lists of unmatched ones stay with their images.

    >>> from delineate.score import match_objects
    >>> one = match_objects(np.array([1, 1, 0]), np.array([1, 1, 0]))
    >>> none = match_objects(np.array([1, 1, 0]), np.array([0, 0, 0]))
    >>> pool_objects([one, none, none]).ap50
    0.3333333333333333
    """
    every = list(scores)
    return ObjectScores(
        found_iou=_joined([s.found_iou for s in every]),
        true=_both([s.true for s in every]),
        predicted=_both([s.predicted for s in every]),
        merges=sum(s.merges for s in every),
        splits=sum(s.splits for s in every),
        partition=pool_partitions(s.partition for s in every),
    )


def _both(sides: Sequence[Side]) -> Side:
    return Side(
        _joined([s.sizes for s in sides]),
        _joined([s.matched for s in sides]).astype(bool),
        _joined([s.covered for s in sides]),
    )


def _joined(arrays: Sequence[NDArray[np.float64] | NDArray[np.bool_]]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *arrays])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
