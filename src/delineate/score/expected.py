"""How good a segmentation probably is, where nobody knows the truth: the Dice that its own probabilities lead to expect."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTHING = 1.0  # pixel of a label to be expected below which it is taken to be absent


def expected_dice(likely: NDArray[np.floating[Any]]) -> float:
    """Mean Dice over the classes but background that the most likely class of each pixel is to be expected to have.

    likely: (classes, *spatial), from 0 to 1, summing to 1 over the classes. For each class with predicted pixels P and
    probabilities p it is 2 sum(p over P) / (sum(p) + |P|), the quotient of what is to be expected above and below; classes
    that are neither predicted nor likely somewhere (less than one pixel in sum) do not count. nan where none counts. As true
    as the probabilities: a network that is too sure expects too much of itself, so fit a temperature first.
    Li et al. 2022, doi:10.1007/978-3-031-16449-1_66.

    >>> expected_dice(np.array([[0.0, 0.2, 0.9], [1.0, 0.8, 0.1]]))  # 2 (1.0 + 0.8) / (1.9 + 2)
    0.923...
    """
    chosen, values = likely.argmax(0), []
    for label in range(1, len(likely)):
        predicted = chosen == label
        total, size = float(likely[label].sum(dtype=np.float64)), int(predicted.sum())
        if size or total >= NOTHING:
            found = float(likely[label][predicted].sum(dtype=np.float64))
            values.append(2 * found / (total + size))
    return float(np.mean(values)) if values else float("nan")
