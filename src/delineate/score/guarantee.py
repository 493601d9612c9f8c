"""A threshold with a promise: of the foreground of a new image, on average no more than a chosen share is missed.

Conformal risk control turns cases with truth into a threshold on the probability of foreground, for any model, good or
bad, without a word about how its probabilities come about. The promise is an average over new cases (or groups) that are
drawn as those with truth were (exchangeable); it says nothing about one image, and nothing about another stain or
scanner. Angelopoulos et al. 2022, arXiv:2208.02814.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError


def missed_foreground(truth: NDArray[Any], likely: NDArray[np.floating[Any]], *, threshold: float) -> float:
    """The share of the foreground of an image whose probability is below `threshold`, from 0 to 1.

    truth: (*spatial) class indices, foreground any but 0; UNLABELLED pixels do not count. likely: (*spatial), the
    probability of foreground. Without foreground nan: there is nothing to miss.

    >>> missed_foreground(np.array([1, 1, 1, 0]), np.array([0.9, 0.6, 0.2, 0.1]), threshold=0.5)
    0.3333333333333333
    """
    inside = likely[_there(truth, likely)]
    return float((inside < np.float64(threshold)).mean()) if inside.size else float("nan")


def least_alpha(groups: int) -> float:
    """The smallest share that so many groups can promise: 1 / (groups + 1).

    >>> least_alpha(19)
    0.05
    """
    return 1 / (groups + 1)


def check_alpha(alpha: float, *, groups: int) -> None:
    """Raise DataError where so many groups, cases or patients with foreground, cannot promise alpha.

    >>> check_alpha(0.1, groups=9)
    >>> check_alpha(0.1, groups=8)
    Traceback (most recent call last):
    delineate.core.errors.DataError: 8 cases (or groups) with foreground cannot promise 0.1: give 9 or more, or an alpha of
    0.112 or more
    """
    if not 0 < alpha < 1:
        raise DataError(
            f"alpha is {alpha:g}: give the share that may be missed, between 0 and 1, such as 0.1"
        )
    if alpha < least_alpha(groups) * (1 - 1e-12):
        held = "1 case (or group)" if groups == 1 else f"{groups} cases (or groups)"
        raise DataError(
            f"{held} with foreground cannot promise {alpha:g}: give {math.ceil(1 / alpha - 1 - 1e-9)} or "
            f"more, or an alpha of {math.ceil(1000 * least_alpha(groups) - 1e-9) / 1000:.3g} or more"
        )


def risk_controlled_threshold(
    truth: Sequence[NDArray[Any]],
    likely: Sequence[NDArray[np.floating[Any]]],
    *,
    alpha: float,
    groups: Sequence[str] | None = None,
) -> float:
    """The highest threshold that keeps the expected share of missed foreground at or below `alpha`.

    truth, likely: as in `missed_foreground`, image by image. groups: patient or slide of each image (None: each is its
    own); the risk of a group is the mean over its images. With L_i(t) the risk of group i of n at threshold t,

        max { t : (L_1(t) + ... + L_n(t) + 1) / (n + 1) <= alpha }

    whose risk for the next exchangeable group is at most alpha on average: the 1 stands for that group at its worst. Images
    without foreground are left out, and the promise is about images with some. The threshold is exact, one of the
    probabilities that occur; a pixel is foreground where its probability is at least the threshold.
    Raises DataError where alpha is not between 0 and 1, and for fewer groups than 1 / alpha - 1.

    >>> truth = [np.array([1, 1, 0, 0])] * 4
    >>> likely = [np.array([0.9, p, 0.3, 0.1]) for p in (0.8, 0.7, 0.6, 0.5)]
    >>> risk_controlled_threshold(truth, likely, alpha=0.4)  # (0.5 + 0.5 + 0 + 0 + 1) / 5
    0.7
    """
    names = [str(i) for i in range(len(truth))] if groups is None else list(groups)
    inside = [answer[_there(labels, answer)] for labels, answer in zip(truth, likely, strict=True)]
    held = [(values, name) for values, name in zip(inside, names, strict=True) if values.size]
    sizes: dict[str, int] = {}
    for _, name in held:
        sizes[name] = sizes.get(name, 0) + 1
    count = len(sizes)
    check_alpha(alpha, groups=count)
    values = np.concatenate([values for values, _ in held])
    weights = np.concatenate([np.full(values.size, 1 / (sizes[name] * values.size)) for values, name in held])
    order = np.argsort(values, kind="stable")
    values, below = values[order], np.cumsum(weights[order]) - weights[order]
    first = np.concatenate(
        [[True], values[1:] > values[:-1]]
    )  # below its first occurrence lies what is missed
    allowed = alpha * (count + 1) - 1
    fits = first & (below <= allowed + 1e-9)
    return float(values[fits][-1])


def _there(truth: NDArray[Any], likely: NDArray[Any]) -> NDArray[np.bool_]:
    if truth.shape != likely.shape:
        raise DataError(
            f"truth is {' x '.join(map(str, truth.shape))} but the probabilities are "
            f"{' x '.join(map(str, likely.shape))}: give that of foreground, of the image that truth belongs to"
        )
    there: NDArray[np.bool_] = (truth > 0) & (truth != UNLABELLED)
    return there
