"""Whether new images have the scale that a model learnt at: of another size of pixel, or with its axes in another order, an
image may come out as nothing but background, and nobody would know why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from delineate.data.picture import METRES
from delineate.data.problem import counted
from delineate.flow.methods import Tell

FACTOR = 2.0  # by which pixels may be larger or smaller before it is said


class Scale:
    """Says of the first image at another scale that it is, and in the end of how many."""

    def __init__(self, data: Mapping[str, Any], tell: Tell) -> None:
        """data: what a model remembers of its images, see `delineate.learn.provenance`; one that remembers nothing is silent."""
        self._learnt: tuple[float, ...] = tuple(data.get("spacing", ()))
        self._unit: str = data.get("unit", "px")
        self._tell = tell
        self.others = 0

    def see(self, name: str, spacing: Sequence[float], unit: str) -> None:
        """Look at the spacing of one image, in `unit`; what does not tell its scale is passed over.

        >>> said = []
        >>> scale = Scale({"spacing": [1.5, 1.5], "unit": "mm"}, said.append)
        >>> scale.see("a", (8.0, 1.2, 1.2), "mm")
        >>> scale.see("b", (500.0, 500.0), "µm")
        >>> said[0].partition(":")[0]
        'b has pixels of 0.5 x 0.5 mm where the model learnt from 1.5 x 1.5 mm'
        """
        if self._unit not in METRES or unit not in METRES or not self._learnt:
            return
        factor = METRES[unit] / METRES[self._unit]
        own = [side * factor for side in spacing[-len(self._learnt) :]]
        if len(own) < len(self._learnt):
            return
        apart = max(max(a / b, b / a) for a, b in zip(own, self._learnt, strict=True))
        if apart <= FACTOR:
            return
        self.others += 1
        if self.others == 1:
            self._tell(
                f"{name} has pixels of {_size(own)} {self._unit} where the model learnt from {_size(self._learnt)} {self._unit}: "
                "if little is found, bring it to that scale and order of axes"
            )

    def told(self) -> None:
        """Say how many there were, where it was more than one."""
        if self.others > 1:
            self._tell(
                f"{counted(self.others, 'image')} have another scale than the model learnt at, as was said of the first"
            )


def _size(sides: Sequence[float]) -> str:
    """The sides of a pixel in words, to three digits."""
    return " x ".join(f"{side:.3g}" for side in sides)
