"""One acquisition condition in five severities, each an amount in physical units or pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from delineate.data.conditions.kind import Image


def _any(_: Image) -> bool:
    return True


@dataclass(frozen=True)
class Condition:
    """What may be other in an image, and how much of it severity 1 to 5 means.

    family: one of those that `train --robust` names. unit: the amount in words, "{:.3g}" where the number belongs.
    amounts: at severities 1, 2, 3, 4, 5. neutral: the amount that changes nothing, severity 0. change: (image, amount) ->
    image of the same shape and dtype. concerns: whether an image can come under it at all. whom: those that can, in words.

    >>> from delineate.data.conditions import ACQUISITION
    >>> blur = ACQUISITION["blur"]
    >>> blur.family, blur.said(3), blur.said(2.5)
    ('camera', 'sigma 2 px', 'sigma 1.5 px')
    """

    name: str
    family: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    neutral: float
    change: Callable[[Image, float], Image]
    concerns: Callable[[Image], bool] = _any
    whom: str = "all images"

    def amount(self, severity: float) -> float:
        """The amount at any severity from 0 to 5, between whole ones along a straight line."""
        return float(np.interp(severity, range(6), (self.neutral, *self.amounts)))

    def said(self, severity: float) -> str:
        """The amount in words."""
        return self.unit.format(self.amount(severity))

    def at(self, image: Image, severity: float) -> Image:
        """The image (*spatial, channels) under this condition; severity 0 leaves it as it is."""
        return image if severity == 0 else self.change(image, self.amount(severity))
