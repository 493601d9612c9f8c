"""What a segmentation method is to the rest of Delineate, be it a threshold or a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from delineate.core.case import Case


@runtime_checkable
class Method(Protocol):
    """Learns from cases, predicts on images.

    `fit` learns from cases that carry labels and returns the method itself; fitted twice on the same cases it
    is the same method. `predict` takes an image (*spatial, channels), does not change it, and returns float32
    probabilities (classes, *spatial) that sum to 1 over the classes. Before `fit` it raises NotFittedError.
    """

    def fit(self, cases: Sequence[Case]) -> Self:
        """Learn from `cases`."""
        ...

    def predict(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) for an image (*spatial, channels)."""
        ...
