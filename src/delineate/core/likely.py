"""What is made of a model's probabilities: softer or sharper ones, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError

SMALLEST = 1e-30  # a probability that float32 has rounded to 0 is taken as this


def tempered(likely: NDArray[np.floating[Any]], *, temperature: float) -> NDArray[np.float32]:
    """Probabilities (classes, *spatial) as if the logits had been divided by `temperature` before the softmax.

    Above 1 they become softer, below 1 sharper; the most likely class stays the same. p^(1/T) / Σ p^(1/T), over the
    classes. Raises DataError where the temperature is not above 0.

    >>> tempered(np.array([[0.9], [0.1]], np.float32), temperature=2.0).round(3)
    array([[0.75],
           [0.25]], dtype=float32)
    """
    if not temperature > 0:
        raise DataError(f"the temperature is {temperature}: give a number above 0")
    if temperature == 1:
        return np.asarray(likely, np.float32)
    logs = np.log(np.maximum(likely, SMALLEST, dtype=np.float32)) / np.float32(temperature)
    raised = np.exp(logs - logs.max(0))
    return np.asarray(raised / raised.sum(0), np.float32)


def labels_of(
    likely: NDArray[np.floating[Any]], *, foreground_above: float | None = None
) -> NDArray[np.uint8]:
    """Labels (*spatial) uint8 of probabilities (classes, *spatial): the most likely class of each pixel.

    foreground_above: where background is most likely, a pixel is still foreground if the probability of all classes but
    background together reaches this, and gets the most likely of these classes. None: nothing is added.

    >>> likely = np.array([[0.2, 0.6, 0.9], [0.8, 0.4, 0.1]], np.float32)
    >>> labels_of(likely), labels_of(likely, foreground_above=0.3)
    (array([1, 0, 0], dtype=uint8), array([1, 1, 0], dtype=uint8))
    """
    labels: NDArray[np.uint8] = likely.argmax(0).astype(np.uint8)
    if foreground_above is None:
        return labels
    added = (labels == 0) & (foreground(likely) >= np.float32(foreground_above))
    labels[added] = 1 + likely[1:, added].argmax(0)
    return labels


def foreground(likely: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The probability (*spatial) of all classes but background together, of probabilities (classes, *spatial).

    >>> foreground(np.array([[0.25], [0.5], [0.25]], np.float32))
    array([0.75], dtype=float32)
    """
    return np.asarray(likely[1] if len(likely) == 2 else likely[1:].sum(0), np.float32)
