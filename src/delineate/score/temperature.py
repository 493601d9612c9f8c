"""One number that makes a model's probabilities come true more often: the temperature of its softmax.

A network that was trained to the end is usually too sure. Dividing all its logits by one number, fitted on cases that it
has not learnt from, changes no label and mends most of that. Guo et al. 2017, arXiv:1706.04599.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError
from delineate.core.likely import SMALLEST

COLDEST, HOTTEST = 0.05, 20.0
MOST_PIXELS = 65536  # of an image, evenly chosen, that the temperature is fitted on


@dataclass(frozen=True)
class Temperature:
    """A temperature, and the mean negative log-likelihood of the true class without it (1.0) and with it."""

    temperature: float
    nll_before: float
    nll_after: float


def fitted_temperature(
    truth: Sequence[NDArray[Any]], likely: Sequence[NDArray[np.floating[Any]]]
) -> Temperature:
    """The temperature T under which the true labels are most likely, for probabilities of temperature 1.

    truth: images (*spatial) of class indices; UNLABELLED pixels do not count. likely: (classes, *spatial) each. Minimises
    the mean of -log softmax(log p / T)[true class] over at most 65,536 pixels of each image, every n-th; it has one
    minimum, for it is convex in 1/T. Where that lies outside 0.05 to 20, the nearer end is given.
    Raises DataError where no pixel is labelled, or truth and probabilities do not fit.

    >>> truth = np.array([[1, 1, 1, 0]])  # 3 of 4 come true where 0.9 was promised
    >>> likely = np.array([[[0.1] * 4], [[0.9] * 4]])
    >>> found = fitted_temperature([truth], [likely])
    >>> round(found.temperature, 2)  # sqrt(0.9) to sqrt(0.1) is as 0.75 to 0.25
    2.0
    >>> round(found.nll_before, 3), round(found.nll_after, 3)
    (0.655, 0.562)
    """
    from scipy.optimize import minimize_scalar

    pixels = _pixels(truth, likely)
    found = minimize_scalar(
        lambda log: _nll(*pixels, inverse=math.exp(log)),
        bounds=(-math.log(HOTTEST), -math.log(COLDEST)),
        method="bounded",
    )
    inverse = math.exp(float(found.x))
    before, after = _nll(*pixels, inverse=1.0), _nll(*pixels, inverse=inverse)
    return Temperature(1 / inverse, before, after) if after < before else Temperature(1.0, before, before)


def judged_temperature(
    truth: Sequence[NDArray[Any]], likely: Sequence[NDArray[np.floating[Any]]], *, temperature: float
) -> Temperature:
    """What a temperature that is given does to probabilities of temperature 1; truth and likely as in `fitted_temperature`.

    >>> truth, likely = np.array([[1, 1, 1, 0]]), np.array([[[0.1] * 4], [[0.9] * 4]])
    >>> round(judged_temperature([truth], [likely], temperature=2.0).nll_after, 3)
    0.562
    """
    pixels = _pixels(truth, likely)
    return Temperature(temperature, _nll(*pixels, inverse=1.0), _nll(*pixels, inverse=1 / temperature))


def _nll(logs: NDArray[np.float32], chosen: NDArray[np.intp], *, inverse: float) -> float:
    scaled = logs * np.float32(inverse)
    highest = scaled.max(0)
    total = np.log(np.exp(scaled - highest).sum(0)) + highest
    return float((total - np.take_along_axis(scaled, chosen, 0)[0]).mean(dtype=np.float64))


def _pixels(
    truth: Sequence[NDArray[Any]], likely: Sequence[NDArray[np.floating[Any]]]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """log p (classes, pixels), and the true class of each pixel, (1, pixels)."""
    logs, chosen = [], []
    for labels, answer in zip(truth, likely, strict=True):
        if labels.shape != answer.shape[1:]:
            raise DataError(
                f"truth is {' x '.join(map(str, labels.shape))} but the probabilities are "
                f"{' x '.join(map(str, answer.shape))}: give (classes, *spatial) of the same image"
            )
        at = np.flatnonzero((labels != UNLABELLED) & (labels < len(answer)))
        at = at[:: max(1, len(at) // MOST_PIXELS)]
        logs.append(np.log(np.maximum(answer.reshape(len(answer), -1)[:, at], SMALLEST, dtype=np.float32)))
        chosen.append(labels.reshape(-1)[at].astype(np.intp))
    if not sum(map(len, chosen)):
        raise DataError("no pixel is labelled, and a temperature is fitted on truth: give cases with masks")
    return np.concatenate(logs, axis=1), np.concatenate(chosen)[None]
