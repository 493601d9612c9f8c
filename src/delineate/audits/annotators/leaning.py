"""Whose hand has the model learnt? With whom it sides where that person stands alone against most others.

Dice with each person does not tell: a model that errs at random loses most where it was closest. The pixels in which one
person differs from what most of the others say are that person's hand and nothing else; a model that learnt from everybody
sides with nobody there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.audits.annotators.hands import Group, Hand
from delineate.core import UNLABELLED
from delineate.score import intervals
from delineate.score.interval import Interval

_HARDLY_EVER = 0.02  # of the pixels of whoever stands alone most: too few to tell a hand by


@dataclass(frozen=True)
class Leaning:
    """Towards one person. sides: the share of the pixels in which they stand alone, where the model says what they say.
    lean: that share less the mean of the same share for the others, with its interval. Both are nan for who hardly ever
    stands alone."""

    person: str
    sides: float
    lean: float
    interval: Interval | None


def leanings(group: Group, model: Hand) -> tuple[Leaning, ...]:
    """Of the model towards each person, the strongest first."""
    counts = np.array([_counted(group, model, person) for person in group.people], np.float64)
    alone, sided = counts[..., 0], counts[..., 1]  # (people, images)
    pixels = alone.sum(1)
    known = (pixels > 0) & (pixels >= _HARDLY_EVER * pixels.max(initial=0))
    share = sided.sum(1) / np.maximum(pixels, 1)
    # each image's part in a ratio of sums, to first order, so that its mean is the ratio and its spread that of the ratio
    parts = (
        share[:, None] + (sided - share[:, None] * alone) / np.maximum(pixels / alone.shape[1], 1)[:, None]
    )
    found = []
    for i, person in enumerate(group.people):
        others = known & (np.arange(len(known)) != i)
        if not known[i] or not others.any():
            found.append(Leaning(person.name, float("nan"), float("nan"), None))
            continue
        more = parts[i] - parts[others].mean(0)
        interval = intervals(more.tolist(), group.groups).mean
        found.append(Leaning(person.name, float(share[i]), float(share[i] - share[others].mean()), interval))
    return tuple(sorted(found, key=lambda one: -np.nan_to_num(one.lean, nan=-np.inf)))


def _counted(group: Group, model: Hand, person: Hand) -> list[tuple[int, int]]:
    """Of each image, the pixels in which a person stands alone, and those of them where the model says what they say."""
    counts = []
    for i, (own, predicted) in enumerate(zip(person.labels, model.labels, strict=True)):
        others = [
            labels
            for other in group.people
            if other is not person and (labels := other.labels[i]) is not None
        ]
        if own is None or predicted is None or not others:
            counts.append((0, 0))
            continue
        alone = _apart(own, np.stack(others))
        counts.append((int(alone.sum()), int((predicted == own)[alone].sum())))
    return counts


def _apart(own: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where one person says another class than more than half of the others who say something."""
    people = (others != UNLABELLED).sum(0)
    against = np.zeros(own.shape, bool)
    for label in np.unique(others):
        if label != UNLABELLED:
            against |= (2 * (others == label).sum(0) > people) & (own != label)
    against &= own != UNLABELLED
    return against
