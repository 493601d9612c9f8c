"""The scores, one line each. A new score is a function (truth, predicted, *, label) and a line here.

The contract test (tests/score/test_every_score.py) then covers it by itself, and the tables show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from delineate.score.overlap import dice, iou
from delineate.score.surface import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff,
    hausdorff95,
)


@dataclass(frozen=True)
class Score:
    """A score of one label in one image, and what must be known about it to read a table of it.

    function: called as function(truth, predicted, label=...), and with spacing=... where `is_distance`. asked: for
    distances, the same question asked of distances that are measured already.
    best: its value for identical masks. when_missed: its value where only one side holds the label.
    when_both_empty: its value where neither does. symmetric: whether truth and prediction may be swapped.
    page: its page in docs/correctness.
    """

    name: str
    title: str
    function: Callable[..., float]
    best: float
    direction: Literal["higher", "lower"]
    when_missed: float
    when_both_empty: float
    symmetric: bool
    page: str
    asked: Callable[[SurfaceDistances], float] | None = None

    @property
    def is_distance(self) -> bool:
        """Whether it has the unit of the spacing."""
        return self.asked is not None

    def of(
        self,
        truth: NDArray[Any],
        predicted: NDArray[Any],
        *,
        label: int,
        spacing: Sequence[float] | None = None,
    ) -> float:
        """The score of one label; `spacing` matters to distances only.

        >>> import numpy as np
        >>> SCORES["dice"].of(np.array([1, 1, 0]), np.array([1, 1, 1]), label=1)
        0.8
        """
        if self.is_distance:
            return self.function(truth, predicted, label=label, spacing=spacing)
        return self.function(truth, predicted, label=label)


_NAN, _INF = float("nan"), float("inf")

# fmt: off
SCORES: dict[str, Score] = {
    "dice": Score("dice", "Dice", dice, best=1.0, direction="higher", when_missed=0.0, when_both_empty=_NAN,
                  symmetric=True, page="dice.md"),
    "iou": Score("iou", "IoU", iou, best=1.0, direction="higher", when_missed=0.0, when_both_empty=_NAN,
                 symmetric=True, page="iou.md"),
    "hausdorff": Score("hausdorff", "Hausdorff", hausdorff, best=0.0, direction="lower", when_missed=_INF,
                       when_both_empty=_NAN, symmetric=True, page="hausdorff.md",
                       asked=lambda measured: measured.hausdorff),
    "hausdorff95": Score("hausdorff95", "Hausdorff 95 %", hausdorff95, best=0.0, direction="lower",
                         when_missed=_INF, when_both_empty=_NAN, symmetric=True, page="hausdorff95.md",
                         asked=lambda measured: measured.percentile(95)),
    "average_surface_distance": Score("average_surface_distance", "Average surface distance",
                                      average_surface_distance, best=0.0, direction="lower", when_missed=_INF,
                                      when_both_empty=_NAN, symmetric=True, page="average_surface_distance.md",
                                      asked=lambda measured: measured.average),
}
# fmt: on
