"""How far two hands agree on the same images: Dice, Hausdorff distance, objects, and kappa."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.audits.annotators.hands import Hand, objects_in
from delineate.core import UNLABELLED, Case, ClassTable
from delineate.score import dice, hausdorff, match_objects, pool_objects


@dataclass(frozen=True, eq=False)
class Agreement:
    """Of two hands. dice: (n,) of each image, mean over the classes, nan where either drew nothing of it. hausdorff: (n,) of
    the worst class, in the unit of the spacing, inf where one missed a class. disagreement: share 1 - F1 of objects without
    a partner, pooled over images. kappa: Cohen's, over all pixels."""

    dice: NDArray[np.float64]
    hausdorff: NDArray[np.float64]
    disagreement: float
    kappa: float

    @property
    def mean_dice(self) -> float:
        """Over the images that both drew; nan without any."""
        return float(np.nanmean(self.dice)) if not np.isnan(self.dice).all() else math.nan

    @property
    def median_hausdorff(self) -> float:
        """Median over images, infinite ones included; nan without any."""
        known = self.hausdorff[~np.isnan(self.hausdorff)]
        return float(np.percentile(known, 50, method="higher")) if len(known) else math.nan


def agreement(one: Hand, other: Hand, images: Sequence[Case], *, classes: ClassTable) -> Agreement:
    """How far they agree; pixels that either left UNLABELLED count for nothing."""
    overlap, worst, objects = np.full(len(images), np.nan), np.full(len(images), np.nan), []
    together = np.zeros((len(classes), len(classes)), np.int64)
    for i, case in enumerate(images):
        a, b = one.labels[i], other.labels[i]
        if a is None or b is None:
            continue
        unsaid = (a == UNLABELLED) | (b == UNLABELLED)
        a = np.where(unsaid, np.uint8(UNLABELLED), a)
        labels = range(1, len(classes))
        overlap[i] = _mean([dice(a, b, label=label) for label in labels])
        distances = [hausdorff(a, b, label=label, spacing=case.spacing) for label in labels]
        worst[i] = max((d for d in distances if not math.isnan(d)), default=math.nan)
        together += _confusion(a[~unsaid], b[~unsaid], len(classes))
        ids = one.objects[i], other.objects[i]
        if any(known is None for known in ids):  # one of them told no objects apart: pieces on both sides
            ids = None, None
        objects.append(match_objects(objects_in(a, ids[0]), objects_in(b, ids[1]), unlabelled=unsaid))
    pooled = pool_objects(objects)
    return Agreement(overlap, worst, 1 - pooled.f1, kappa(together))


def kappa(together: NDArray[np.int64]) -> float:
    """Cohen's kappa of a table (classes, classes) of how often two people chose which: agreement beyond chance, at most 1.

    nan where there is nothing to agree on, that is no pixel or one class only. Cohen 1960, doi:10.1177/001316446002000104.

    >>> round(kappa(np.array([[20, 5], [10, 15]])), 3)  # 0.7 agreed, 0.5 by chance
    0.4
    """
    total = together.sum()
    if not total:
        return math.nan
    agreed = float(np.trace(together) / total)
    chance = float((together.sum(0) / total) @ (together.sum(1) / total))
    return (agreed - chance) / (1 - chance) if chance < 1 else math.nan


def _confusion(a: NDArray[np.uint8], b: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    pairs = np.bincount(a.astype(np.int64) * 256 + b, minlength=1 << 16)
    return pairs.reshape(256, 256)[:count, :count]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
