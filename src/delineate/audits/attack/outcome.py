"""What a mask is worth under attack: Dice, IoU, pixels and objects, of one image and of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case
from delineate.score import components, counted


@dataclass(frozen=True)
class Outcome:
    """dice, iou: mean over the classes but background that truth or prediction hold, nan where neither does. accuracy: share
    of the labelled pixels that are right. missed: objects of truth of which less than half is found, among `objects`."""

    dice: float
    iou: float
    accuracy: float
    missed: int
    objects: int

    @property
    def harm(self) -> float:
        """1 - Dice, ties settled by wrong pixels; without any Dice, the share of wrong pixels."""
        wrong = 1 - self.accuracy
        return wrong if math.isnan(self.dice) else 1 - self.dice + 1e-3 * wrong


def outcome(case: Case, predicted: NDArray[Any]) -> Outcome:
    """How labels (*spatial) predicted for a labelled case do; unlabelled pixels count for nothing.

    >>> truth = np.array([[1, 1, 0, 1]], np.uint8)
    >>> outcome(Case("a", np.zeros((1, 4, 1)), labels=truth), np.array([[1, 1, 0, 0]]))
    Outcome(dice=0.8, iou=0.6666666666666666, accuracy=0.75, missed=1, objects=2)
    """
    truth = case.labels if case.labels is not None else np.full(case.spatial, UNLABELLED, np.uint8)
    predicted = predicted.astype(np.uint8)
    known = truth != UNLABELLED
    present = [int(label) for label in np.union1d(truth[known], predicted[known]) if label]
    counts = [counted(truth, predicted, label=label) for label in present]
    ids = components((truth > 0) & known) if case.objects is None else np.where(known, case.objects, 0)
    inside = ids > 0
    index = np.unique(ids[inside], return_inverse=True)[1].ravel()
    pixels = np.bincount(index)
    found = np.bincount(index, weights=(predicted == truth)[inside], minlength=len(pixels))
    return Outcome(
        dice=float(np.mean([c.dice for c in counts])) if counts else math.nan,
        iou=float(np.mean([c.iou for c in counts])) if counts else math.nan,
        accuracy=float((predicted == truth)[known].mean()) if known.any() else math.nan,
        missed=int((found < 0.5 * pixels).sum()),
        objects=len(pixels),
    )


def pooled(outcomes: Sequence[Outcome]) -> Outcome:
    """Means over images, and objects of all; nan where no image has the number.

    >>> pooled([Outcome(0.5, 0.4, 1.0, 1, 2), Outcome(math.nan, math.nan, 0.5, 0, 0)])
    Outcome(dice=0.5, iou=0.4, accuracy=0.75, missed=1, objects=2)
    """

    def mean(values: list[float]) -> float:
        defined = [value for value in values if not math.isnan(value)]
        return float(np.mean(defined)) if defined else math.nan

    return Outcome(
        mean([o.dice for o in outcomes]),
        mean([o.iou for o in outcomes]),
        mean([o.accuracy for o in outcomes]),
        sum(o.missed for o in outcomes),
        sum(o.objects for o in outcomes),
    )


def row(name: str, outcomes: Sequence[Outcome]) -> tuple[str | int | float, ...]:
    """A line of a table: name, Dice, IoU, pixel accuracy, objects missed."""
    all_of_them = pooled(outcomes)
    return (
        name,
        all_of_them.dice,
        all_of_them.iou,
        all_of_them.accuracy,
        f"{all_of_them.missed} of {all_of_them.objects}",
    )


HEADER = ("attack", "Dice", "IoU", "pixels right", "objects missed")
