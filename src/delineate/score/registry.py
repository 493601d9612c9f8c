"""The scores, one line each. A new score is a function (truth, predicted, *, label) and a line here.

The contract test (tests/score/test_every_score.py) then covers it by itself, and the tables show it. SCORES stand in every
table; those in MORE_SCORES cost more time or suit some structures only, and are asked for by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, methodcaller
from typing import Any, Literal

from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.overlap import Counts, dice, iou, precision, recall, specificity, volume_difference
from delineate.score.shape import boundary_iou, centre_line_dice
from delineate.score.surface import (
    Convention,
    SurfaceDistances,
    average_surface_distance,
    hausdorff,
    hausdorff95,
    surface_dice,
)


@dataclass(frozen=True)
class Score:
    """A score of one label in one image, and what must be known about it to read a table of it.

    function: called as function(truth, predicted, label=...), and with spacing=... where `in_space`.
    best: its value for identical masks. when_missed: its value where truth holds the label and the prediction does not;
    when_spurious: the other way round; when_both_empty: where neither does.
    symmetric: whether truth and prediction may be swapped. page: its page in docs/correctness.
    is_distance: whether it has the unit of the spacing. counted, asked: the same question asked of pixels that are
    counted already, or of surface distances that are measured already, in `convention`. brief: whether it stands in tables with
    a column per score.
    """

    name: str
    title: str
    function: Callable[..., float]
    best: float
    direction: Literal["higher", "lower", "to zero"]
    when_missed: float
    when_spurious: float
    when_both_empty: float
    symmetric: bool
    page: str
    in_space: bool = False
    is_distance: bool = False
    counted: Callable[[Counts], float] | None = None
    asked: Callable[[SurfaceDistances], float] | None = None
    convention: Convention = "voxels"
    brief: bool = False

    def of(
        self,
        truth: NDArray[Any],
        predicted: NDArray[Any],
        *,
        label: int,
        spacing: Sequence[float] | None = None,
    ) -> float:
        """The score of one label; `spacing` matters to scores `in_space` only.

        >>> import numpy as np
        >>> SCORES["dice"].of(np.array([1, 1, 0]), np.array([1, 1, 1]), label=1)
        0.8
        """
        if self.in_space:
            return self.function(truth, predicted, label=label, spacing=spacing)
        return self.function(truth, predicted, label=label)

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value that it can have.

        >>> SCORES["dice"].range, SCORES["hausdorff"].range
        ((0.0, 1.0), (0.0, inf))
        """
        known = [end for end in (self.best, self.when_missed, self.when_spurious) if not math.isnan(end)]
        return min(known), max(known)


_NAN, _INF = float("nan"), float("inf")

# fmt: off
_EVERY: tuple[Score, ...] = (
    Score("dice", "Dice", dice, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=0.0, when_both_empty=_NAN, symmetric=True, page="dice.md",
          counted=attrgetter("dice"), brief=True),
    Score("iou", "IoU", iou, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=0.0, when_both_empty=_NAN, symmetric=True, page="iou.md",
          counted=attrgetter("iou")),
    Score("precision", "Precision", precision, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=0.0, when_both_empty=_NAN, symmetric=False, page="precision_recall.md",
          counted=attrgetter("precision")),
    Score("recall", "Recall", recall, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=_NAN, when_both_empty=_NAN, symmetric=False, page="precision_recall.md",
          counted=attrgetter("recall")),
    Score("specificity", "Specificity", specificity, best=1.0, direction="higher",
          when_missed=1.0, when_spurious=0.0, when_both_empty=1.0, symmetric=False, page="precision_recall.md",
          counted=attrgetter("specificity")),
    Score("volume_difference", "Volume difference", volume_difference, best=0.0, direction="to zero",
          when_missed=-1.0, when_spurious=_INF, when_both_empty=_NAN, symmetric=False, page="volume_difference.md",
          counted=attrgetter("volume_difference")),
    Score("hausdorff", "Hausdorff", hausdorff, best=0.0, direction="lower",
          when_missed=_INF, when_spurious=_INF, when_both_empty=_NAN, symmetric=True, page="hausdorff.md",
          in_space=True, is_distance=True, asked=attrgetter("hausdorff"), brief=True),
    Score("hausdorff95", "Hausdorff 95 %", hausdorff95, best=0.0, direction="lower",
          when_missed=_INF, when_spurious=_INF, when_both_empty=_NAN, symmetric=True, page="hausdorff95.md",
          in_space=True, is_distance=True, asked=methodcaller("percentile", 95), brief=True),
    Score("average_surface_distance", "Average surface distance", average_surface_distance, best=0.0, direction="lower",
          when_missed=_INF, when_spurious=_INF, when_both_empty=_NAN, symmetric=True, page="average_surface_distance.md",
          in_space=True, is_distance=True, asked=attrgetter("average"), brief=True),
    Score("boundary_iou", "Boundary IoU", boundary_iou, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=0.0, when_both_empty=_NAN, symmetric=True, page="boundary_iou.md",
          in_space=True),
    Score("centre_line_dice", "Centre-line Dice", centre_line_dice, best=1.0, direction="higher",
          when_missed=0.0, when_spurious=0.0, when_both_empty=_NAN, symmetric=True, page="centre_line_dice.md"),
)
# fmt: on
MORE_SCORES: dict[str, Score] = {score.name: score for score in _EVERY[-2:]}
SCORES: dict[str, Score] = {score.name: score for score in _EVERY if score.name not in MORE_SCORES}


def surface_dice_at(tolerance: float) -> Score:
    """Surface Dice at one tolerance, in the unit of the spacing, as a score for a table.

    Raises DataError for a tolerance that is not a number >= 0.

    >>> import numpy as np
    >>> surface_dice_at(1).of(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]), label=1)
    1.0
    """
    if not 0 <= tolerance < _INF:
        raise DataError(f"the tolerance is {tolerance}: give a number >= 0 in the unit of the spacing")
    return Score(
        f"surface_dice_{tolerance:g}",
        f"Surface Dice at {tolerance:g}",
        partial(surface_dice, tolerance=tolerance),
        best=1.0,
        direction="higher",
        when_missed=0.0,
        when_spurious=0.0,
        when_both_empty=_NAN,
        symmetric=True,
        page="surface_dice.md",
        in_space=True,
        asked=methodcaller("within", tolerance),
        convention="elements",
    )


def scores_asked(*, also: Iterable[str] = (), tolerance: float | None = None) -> tuple[Score, ...]:
    """The scores of every table, then those in MORE_SCORES that are named, then surface Dice at a tolerance.

    Raises DataError for a name that is not there, and as `surface_dice_at`.

    >>> [score.name for score in scores_asked(also=["boundary_iou"], tolerance=2)][-2:]
    ['boundary_iou', 'surface_dice_2']
    """
    chosen = list(SCORES.values())
    for name in also:
        if name not in MORE_SCORES and name not in SCORES:
            raise DataError(f"there is no score {name}: choose from {', '.join(MORE_SCORES)}")
        chosen += [MORE_SCORES[name]] if name in MORE_SCORES and MORE_SCORES[name] not in chosen else []
    return (*chosen, surface_dice_at(tolerance)) if tolerance is not None else tuple(chosen)
