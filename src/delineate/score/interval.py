"""How far a mean might have come out otherwise, had other cases been drawn: bootstrap intervals.

Whole groups (patients, slides) are drawn again with replacement, for the cases of one group resemble each other and are
no independent witnesses. Efron & Tibshirani 1993, doi:10.1201/9780429246593; clusters, Davison & Hinkley 1997,
doi:10.1017/CBO9780511802843, section 3.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
_AT_ONCE = 200
Interval = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """Where the mean, and the median, of all such cases lies with 95 %: (low, high), each; None where nothing can be drawn."""

    mean: Interval | None
    median: Interval | None


def intervals(values: Sequence[float], groups: Sequence[str], *, resamples: int = RESAMPLES) -> Intervals:
    """95 % bootstrap intervals of mean and median over groups, the same for the same values and groups.

    values: one per case; nan is undefined and left out, inf enters the median and not the mean, as in `summarise`.
    groups: the group of each case. With fewer than two groups that hold a defined value (or, for the mean, a finite
    one) there is no interval. They tell of the choice of cases only, not of wrong labels or of other hospitals. Percentiles
    of the resampled, which of few groups n resemble each other too much: that of the mean is widened by
    t(n - 1) / 1.96 * sqrt(n / (n - 1)), 2.7 times for three groups and by 4 % for 45 (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789); that of the median is too narrow with fewer than about ten.

    >>> low, high = intervals([0.9, 0.8, 0.7, 0.9, 0.8, 0.7], ["a", "b", "c", "d", "e", "f"]).mean
    >>> round(low, 3), round(high, 3)
    (0.704, 0.896)
    >>> intervals([0.9, 0.8, 0.7], ["a", "a", "a"])  # one patient says nothing about others
    Intervals(mean=None, median=None)
    """
    all_values = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(all_values)
    shown, names = all_values[defined], np.asarray(groups)[defined]
    finite = np.isfinite(shown)
    if len(np.unique(names)) < 2:
        return Intervals(None, None)
    order = np.argsort(shown, kind="stable")
    means, medians = [], []
    for times in _drawn(names, resamples):
        counts = times[:, finite].sum(1)
        sums = times[:, finite] @ shown[finite]
        means.append(sums[counts > 0] / counts[counts > 0])
        medians.append(_medians(times[:, order], shown[order]))
    return Intervals(
        mean=_widened(_middle(np.concatenate(means)), shown[finite].mean(), len(np.unique(names[finite])))
        if len(np.unique(names[finite])) > 1
        else None,
        median=_middle(np.concatenate(medians)),
    )


def difference_interval(
    values: Sequence[float], inside: Sequence[bool], groups: Sequence[str]
) -> Interval | None:
    """95 % interval of the mean of the cases `inside` less the mean of all others, by Student's t over groups.

    values, groups: as `intervals`; only finite values enter. A group's cases count together on either side, and where it has
    cases on both, against each other. None where fewer than two groups have a finite value on either side. Each side has
    its own variance, as Welch has it (1947, doi:10.1093/biomet/34.1-2.28), and t the degrees of freedom of the side with fewer
    groups, for Welch's own number of them leaves intervals of two or three groups beside many too narrow.

    >>> values = [0.9, 0.8, 0.9, 0.8, 0.5, 0.6, 0.5, 0.6]
    >>> low, high = difference_interval(values, [True] * 4 + [False] * 4, "abcdefgh")
    >>> round(low, 2), round(high, 2)
    (0.17, 0.43)
    """
    known, inner = np.asarray(values, dtype=np.float64), np.asarray(inside, dtype=bool)
    finite = np.isfinite(known)
    members, member = np.unique(np.asarray(list(groups)), return_inverse=True)
    means, parts, counts = [], [], []
    for side in (finite & inner, finite & ~inner):
        counts.append(len(np.unique(member[side])))
        if counts[-1] < 2:
            return None
        means.append(float(known[side].mean()))
        off = np.bincount(member[side], known[side] - means[-1], minlength=len(members)) / side.sum()
        parts.append(off * math.sqrt(counts[-1] / (counts[-1] - 1)))
    difference = means[0] - means[1]
    half = _student(min(counts) - 1) * math.sqrt(float(((parts[0] - parts[1]) ** 2).sum()))
    return difference - half, difference + half


def ratio_interval(
    parts: Sequence[float], wholes: Sequence[float], groups: Sequence[str], *, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % percentile bootstrap interval of a pooled ratio, such as objects found of all objects: sum of parts by sum of wholes.

    parts, wholes: one of each per case. groups: as `intervals`. None where fewer than two groups have a whole.

    >>> low, high = ratio_interval([9, 8, 1, 9], [10, 10, 10, 10], "abcd")
    >>> round(low, 2), round(high, 2)
    (0.3, 0.9)
    """
    part, whole = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    names = np.asarray(list(groups))
    if len(np.unique(names[whole > 0])) < 2:
        return None
    ratios = []
    for times in _drawn(names, resamples):
        total = times @ whole
        ratios.append((times @ part)[total > 0] / total[total > 0])
    return _middle(np.concatenate(ratios))


def _drawn(groups: NDArray[np.str_], resamples: int) -> Iterator[NDArray[np.int64]]:
    """How often each case is in each resample (resamples, cases), some at a time; always the same ones."""
    members, member = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(0)
    for start in range(0, resamples, _AT_ONCE):
        size = min(_AT_ONCE, resamples - start)
        yield rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=size)[:, member]


def _medians(times: NDArray[np.int64], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each resample; times: (resamples, cases) how often each of the ordered values is in it."""
    reached = times.cumsum(1)
    total = reached[:, -1:]
    low = ordered[(reached > (total - 1) // 2).argmax(1)]
    high = ordered[(reached > total // 2).argmax(1)]
    both: NDArray[np.float64] = np.where(low == high, low, (low + high) / 2)
    return both


def _middle(values: NDArray[np.float64]) -> Interval:
    """The middle 95 %, of values that occur, for infinite ones cannot be interpolated."""
    low, high = np.percentile(values, (2.5, 97.5), method="inverted_cdf")
    return float(low), float(high)


def _widened(interval: Interval, middle: float, groups: int) -> Interval:
    """As far from the middle as Student's t would have it of so few groups."""
    times = _student(groups - 1) / _student(math.inf) * math.sqrt(groups / (groups - 1))
    low, high = (float(middle + times * (end - middle)) for end in interval)
    return low, high


def _student(freedom: float) -> float:
    """The half-width of the middle 95 % of Student's t."""
    from scipy.stats import norm, t

    return float(norm.ppf(0.975) if math.isinf(freedom) else t.ppf(0.975, freedom))
