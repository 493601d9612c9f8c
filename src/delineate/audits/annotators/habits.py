"""How each hand draws, over all images: larger or smaller, shifted, smoother, blind to small objects, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.audits.annotators.hands import Group, Hand, objects_in
from delineate.audits.annotators.style import Drawn, drawn, joined
from delineate.core import UNLABELLED
from delineate.score import intervals
from delineate.score.interval import Interval, ratio_interval


@dataclass(frozen=True, eq=False)
class Habit:
    """How one hand draws, over all images, beside the consensus; shares and pixels with their intervals.

    larger_px: the median over objects, which a merged or torn one does not spoil; moved_px and wiggles_px: means.
    """

    name: str
    images: int
    larger_px: float
    larger_interval: Interval | None
    missed: float
    small_missed: float
    small_interval: Interval | None
    extra: float
    moved_px: tuple[float, float]
    wiggles_px: float
    pictures: tuple[Drawn | None, ...]


def habits_of(
    group: Group, hands: Sequence[Hand], *, small_px: float | None
) -> tuple[list[Habit], list[float]]:
    """How everybody draws, and the edges of the quarters of object size.

    small_px: below it objects count as small; None: the smaller quarter of those in the consensus.
    """
    pictures: dict[str, list[Drawn | None]] = {hand.name: [] for hand in hands}
    for i, consensus in enumerate(group.consensus):
        here = {hand.name: hand for hand in hands if hand.labels[i] is not None}
        unsaid = consensus.labels == UNLABELLED
        reference = np.where(unsaid, 0, objects_in(consensus.labels, consensus.objects))
        shapes, silent = {}, {}
        for name, hand in here.items():
            labels, ids = hand.labels[i], hand.objects[i]
            if labels is not None:
                mine = ids if ids is not None else (labels > 0) & (labels != UNLABELLED)
                silent[name] = unsaid | (labels == UNLABELLED)
                shapes[name] = np.where(silent[name], mine.dtype.type(0), mine)
        seen = drawn(reference, shapes, silent={name: own for name, own in silent.items() if own.any()})
        for name, own in pictures.items():
            own.append(seen.get(name))
    sizes = np.concatenate([[], *(one.sizes for one in _longest(pictures))])
    small = small_px or (float(np.percentile(sizes, 25)) if len(sizes) else 0.0)
    edges = [float(x) for x in np.percentile(sizes, (0, 25, 50, 75, 100))] if len(sizes) else []
    return [_habit(name, own, small, group.groups) for name, own in pictures.items()], edges


def _longest(pictures: Mapping[str, Sequence[Drawn | None]]) -> list[Drawn]:
    """Of every image the drawing of most objects, for the sizes in its consensus."""
    found = [[one for one in several if one] for several in zip(*pictures.values(), strict=True)]
    return [max(several, key=lambda one: len(one.sizes)) for several in found if several]


def _habit(name: str, pictures: Sequence[Drawn | None], small_px: float, groups: Sequence[str]) -> Habit:
    known = [(one, own) for one, own in zip(pictures, groups, strict=True) if one is not None]
    everything, names = joined([one for one, _ in known]), [own for _, own in known]
    of_each = np.repeat(names, [len(one.sizes) for one, _ in known])
    small = [one.sizes <= small_px for one, _ in known]
    missed = [float(one.missed[at].sum()) for (one, _), at in zip(known, small, strict=True)]
    return Habit(
        name,
        len(known),
        known_median(everything.larger_px),
        intervals(everything.larger_px.tolist(), of_each.tolist()).median,
        _share(float(everything.missed.sum()), len(everything.missed)),
        _share(sum(missed), sum(int(at.sum()) for at in small)),
        ratio_interval(missed, [float(at.sum()) for at in small], names),
        _share(everything.extra, len(everything.sizes)),
        (known_mean(everything.moved_px[:, 0]), known_mean(everything.moved_px[:, 1])),
        known_mean(everything.wiggles_px),
        tuple(pictures),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def known_median(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def known_mean(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
