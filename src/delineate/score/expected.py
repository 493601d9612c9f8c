"""How good a segmentation probably is, where nobody knows the truth: the Dice that its own probabilities lead to expect."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray


def expected_dice(likely: NDArray[np.floating[Any]], *, present: Collection[int] = ()) -> float:
    """Mean Dice over the classes but background that the most likely class of each pixel is to be expected to have.

    likely: (classes, *spatial), from 0 to 1, summing to 1 over the classes. For each class with predicted pixels P and
    probabilities p it is 2 sum(p over P) / (sum(p) + |P|), the quotient of what is to be expected above and below. A class
    that is predicted nowhere does not count, or as 0 where it is known to be `present`. nan where none counts. As true as the
    probabilities: a network that is too sure expects too much of itself, so fit a temperature first.
    Li et al. 2022, doi:10.1007/978-3-031-16449-1_66.

    >>> expected_dice(np.array([[0.0, 0.2, 0.9], [1.0, 0.8, 0.1]]))  # 2 (1.0 + 0.8) / (1.9 + 2)
    0.923...
    """
    chosen, values = likely.argmax(0), []
    for label in range(1, len(likely)):
        predicted = chosen == label
        if size := int(predicted.sum()):
            total, found = (
                float(some.sum(dtype=np.float64)) for some in (likely[label], likely[label][predicted])
            )
            values.append(2 * found / (total + size))
        elif label in present:
            values.append(0.0)
    return float(np.mean(values)) if values else float("nan")
