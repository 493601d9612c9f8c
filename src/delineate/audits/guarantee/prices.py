"""What a promise costs: probabilities in order, the threshold for an alpha, what is missed and what is drawn too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case
from delineate.score import least_alpha, risk_controlled_threshold

MOST_PIXELS = 1 << 16  # of a case, of foreground and of all: evenly along their sorted probabilities


@dataclass(frozen=True, eq=False)
class Ordered:
    """Probabilities of foreground in rising order: of the pixels that are foreground, and of all that are labelled.

    share: of the labelled pixels that are foreground.
    """

    name: str
    group: str
    inside: NDArray[np.float32]
    every: NDArray[np.float32]
    share: float

    def missed(self, threshold: float) -> float:
        return float(np.searchsorted(self.inside, np.float32(threshold)) / len(self.inside))

    def precision(self, threshold: float) -> float:
        drawn = 1 - np.searchsorted(self.every, np.float32(threshold)) / len(self.every)
        return min(1.0, (1 - self.missed(threshold)) * self.share / float(drawn)) if drawn else float("nan")


@dataclass(frozen=True)
class Price:
    """What an alpha costs; held: what is missed in each group that had no part in choosing, None where none can be spared."""

    threshold: float
    missed: float
    precision: float
    held: list[float] | None


def inside_of(case: Case) -> NDArray[np.bool_]:
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels")
    inside: NDArray[np.bool_] = (case.labels > 0) & (case.labels != UNLABELLED)
    return inside


def ordered(case: Case, ahead: NDArray[np.float32]) -> Ordered:
    inside, said = inside_of(case), case.labels != UNLABELLED
    share = float(inside.sum() / np.sum(said))
    return Ordered(case.name, case.group, _even(ahead[inside]), _even(ahead[said]), share)


def _even(values: NDArray[np.float32]) -> NDArray[np.float32]:
    ordered = np.sort(values)
    return ordered[:: max(1, -(-len(ordered) // MOST_PIXELS))]


def threshold_of(seen: Sequence[Ordered], alpha: float) -> float:
    ones = [np.ones(len(one.inside), np.uint8) for one in seen]
    return risk_controlled_threshold(
        ones, [one.inside for one in seen], alpha=alpha, groups=[one.group for one in seen]
    )


def by_group(seen: Sequence[Ordered], values: Sequence[float]) -> list[float]:
    """The mean of each group; nan does not count."""
    of_group: dict[str, list[float]] = {}
    for one, value in zip(seen, values, strict=True):
        if not np.isnan(value):
            of_group.setdefault(one.group, []).append(value)
    return [float(np.mean(each)) for each in of_group.values()]


def _weighted(seen: Sequence[Ordered], values: Sequence[float]) -> float:
    """The mean over groups."""
    return float(np.mean(by_group(seen, values) or [np.nan]))


def means(seen: Sequence[Ordered], threshold: float) -> tuple[float, float]:
    """Missed share and precision, means over groups."""
    return (
        _weighted(seen, [one.missed(threshold) for one in seen]),
        _weighted(seen, [one.precision(threshold) for one in seen]),
    )


def price_of(seen: Sequence[Ordered], alpha: float) -> Price:
    """The threshold for alpha; each group is judged under that of all others, or, where too few are left, under its own."""
    groups = list(dict.fromkeys(one.group for one in seen))
    threshold = threshold_of(seen, alpha)
    if alpha < least_alpha(len(groups) - 1):
        return Price(threshold, *means(seen, threshold), None)
    chosen = {group: threshold_of([one for one in seen if one.group != group], alpha) for group in groups}
    held = by_group(seen, [one.missed(chosen[one.group]) for one in seen])
    precision = _weighted(seen, [one.precision(chosen[one.group]) for one in seen])
    return Price(threshold, float(np.mean(held)), precision, held)


def standard_errors(missed: Sequence[float], alpha: float) -> float:
    """How many standard errors the mean of groups lies above alpha; nan for one group."""
    if len(missed) < 2:
        return float("nan")
    error = float(np.std(missed, ddof=1) / np.sqrt(len(missed)))
    return (float(np.mean(missed)) - alpha) / max(error, 1e-9)
