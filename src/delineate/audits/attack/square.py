"""An attack without gradients, for whatever only answers (ONNX files): squares of changed brightness are kept if they hurt.

Andriushchenko et al. 2020, arXiv:1912.00049: all pixels sit at the rim of the ball; in each query one random square (a cube in
3D) of them jumps to a random side of it, and squares shrink as queries are spent. It is weaker than a climb, and serves as a
check of it: if it does more harm, the gradients were hidden, not harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError
from delineate.data.conditions.kind import like
from delineate.data.intensities import Intensities

SHARE = 0.2  # of the pixels in the first square
HALVED_AT = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of the queries; the share of pixels halves at each


def square(
    predict: Callable[[NDArray[Any]], NDArray[np.float32]],
    image: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    *,
    eps: float,
    valid: Intensities,
    queries: int = 300,
    seed: int = 0,
) -> NDArray[Any]:
    """The image (*spatial, channels), no pixel changed by more than eps intensities, that `predict` did worst on.

    predict: image -> probabilities (classes, *spatial). labels: (*spatial), UNLABELLED where nobody said. What is lowered is
    the soft Dice of the classes but background. The image keeps its dtype; where it holds integers, changes are whole.
    Raises DataError where eps, or what is left of it in whole intensities, is not positive.

    >>> bright = lambda x: np.stack([x[..., 0] <= 100, x[..., 0] > 100]).astype(np.float32)
    >>> picture = np.array([[[98], [102]]], np.uint8)
    >>> found = square(bright, picture, np.array([[0, 1]]), eps=4, valid=Intensities(0, 255, whole=True), queries=30)
    >>> found[..., 0].tolist()
    [[102, 98]]
    """
    size = float(np.floor(eps)) if valid.whole else eps
    if not size > 0:
        raise DataError(
            f"an attack of {eps:g} intensities changes no pixel of such a file: give a larger eps"
        )
    rng = np.random.default_rng(seed)
    spatial, channels = image.shape[:-1], image.shape[-1]
    clean = image.astype(np.float64)

    def as_file(change: NDArray[np.float64]) -> NDArray[Any]:
        return like(image, np.clip(clean + change, valid.low, valid.high))

    stripes = rng.choice([-size, size], (*(1,) * (len(spatial) - 1), spatial[-1], channels))
    change = np.broadcast_to(stripes, image.shape).copy()
    best, harm = image, soft_loss(predict(image), labels)
    current = soft_loss(predict(as_file(change)), labels)
    if current > harm:
        best, harm = as_file(change), current
    for query in range(queries):
        share = SHARE / 2 ** sum(query >= at * queries for at in HALVED_AT)
        sides = [max(1, min(round(n * share ** (1 / len(spatial))), n)) for n in spatial]
        corner = [int(rng.integers(0, n - side + 1)) for n, side in zip(spatial, sides, strict=True)]
        window = tuple(slice(a, a + side) for a, side in zip(corner, sides, strict=True))
        trial = change.copy()
        trial[window] = rng.choice([-size, size], channels)
        now = soft_loss(predict(as_file(trial)), labels)
        if now >= current:
            change, current = trial, now
            if now > harm:
                best, harm = as_file(trial), now
    return best


def soft_loss(probabilities: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> float:
    """1 - soft Dice, the mean over the classes but background that are labelled; the mean false share where none is.

    >>> soft_loss(np.array([[0.0, 0.5], [1.0, 0.5]], np.float32), np.array([1, 255]))
    0.0
    """
    known = labels != UNLABELLED
    losses = []
    for label in range(1, len(probabilities)):
        true, likely = labels == label, probabilities[label] * known
        if true.any():
            losses.append(1 - 2 * float(likely[true].sum()) / float(likely.sum() + true.sum()))
    if losses:
        return float(np.mean(losses))
    return float((1 - probabilities[0])[known].mean()) if known.any() else 0.0
