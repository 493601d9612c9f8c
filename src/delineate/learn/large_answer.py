"""A network's answer for any box of a large image: from the window that is read for it to probabilities and labels.

The window has the exact halo of the box and is scaled as the whole image is, so that an answer does not depend on the box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import ModelError, release_freed
from delineate.data.conditions import Illumination, amount_of_dye
from delineate.data.grey import as_grey
from delineate.data.large import Box, LargeImage
from delineate.data.large.box import within
from delineate.inference.stream import window_of
from delineate.learn.answer import mirrors, part_runner
from delineate.learn.learnt import Learnt
from delineate.learn.normalisation import Scale, scaled
from delineate.learn.plan import Plan


class LargeAnswer:
    """What a network answers for any box of a large image, as if it had seen all of it at once.

    scale, illumination: of the whole image, the latter where it is in colour and the model takes its dye. flips: averaged over
    mirrors. `windows` reads what `of` computes from: the two may run on different threads.
    """

    def __init__(
        self,
        learnt: Learnt,
        image: LargeImage,
        *,
        scale: Scale,
        illumination: Illumination | None,
        flips: bool,
    ) -> None:
        self.learnt, self.image, self.dims = learnt, image, learnt.plan.dims
        self._scale, self._illumination, self._flips = scale, illumination, flips
        self._run = part_runner(learnt)
        self._last_shapes: list[torch.Size] = []

    def windows(self, box: Box) -> list[Tensor]:
        """What the network sees of a box, normalised: (slices, channels, *window) for every mirror, read once for all."""
        asked = [self._window(box, turn).read for turn in self._turns()]
        span = tuple(
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*asked, strict=True)
        )
        pixels = self.image.window((*box[: -self.dims], *span))
        name = self.image.path.name
        pixels = shown(pixels, self.learnt.plan, self._illumination)
        if pixels.shape[-1] != self.learnt.plan.channels:
            raise ModelError(
                f"{name} is in colour in some places, and the model was trained on grey images: convert it to grey"
            )
        seen = torch.from_numpy(scaled(pixels, self._scale, name=name))
        seen = seen.movedim(1, 0) if seen.ndim > self.dims + 1 else seen[None]
        places: list[Any] = [(..., *within(read, span)) for read in asked]
        return [seen[place] for place in places]

    def of(self, box: Box, windows: list[Tensor]) -> Tensor:
        """Outputs (outputs, *box), averaged over the mirrors."""
        if (shapes := [window.shape for window in windows]) != self._last_shapes:
            release_freed()  # of windows of other shapes, before the engine takes memory for these
            self._last_shapes = shapes
        total: Tensor | None = None
        count = len(self.learnt.classes)
        for turn, window in zip(self._turns(), windows, strict=True):
            inside = self._window(box, turn).inside
            axes = tuple(axis + 1 for axis in turn)
            slices = []
            for one in window:
                sides = one.shape[1:]
                keep = tuple(
                    slice(n - part.stop, n - part.start) if axis + 1 in turn else part
                    for axis, (part, n) in enumerate(zip(inside, sides, strict=True))
                )
                answer = self._run(one[None].flip(axes) if axes else one[None], keep)[0]
                answer = answer.flip(turn) if turn else answer
                if turn and self.learnt.plan.objects:  # in a mirror, offsets point the other way
                    for axis in turn:
                        answer[count + axis - 1] *= -1
                slices.append(answer)
            stack = slices[0] if len(box) == self.dims else torch.stack(slices, dim=1)
            total = stack if total is None else total + stack
        if total is None:
            raise ValueError("no mirror was asked for")
        return total / len(windows) if len(windows) > 1 else total

    def _turns(self) -> list[tuple[int, ...]]:
        return mirrors(self.dims) if self._flips else [()]

    def _window(self, box: Box, turn: tuple[int, ...]) -> Any:
        mirrored = tuple(axis + 1 in turn for axis in range(self.dims))
        net = self.learnt.net
        return window_of(
            box[-self.dims :],
            self.image.spatial[-self.dims :],
            halo=net.halo,
            divisor=net.divisor,
            mirrored=mirrored,
        )


def shown(pixels: NDArray[Any], plan: Plan, lit: Illumination | None) -> NDArray[Any]:
    """A part as `answer.seen` shows the whole; lit: of the image, where it is in colour and the model takes its dye."""
    if lit is not None:
        return amount_of_dye(pixels, lit)
    return as_grey(pixels) if plan.grey or plan.takes_colour else pixels


def labels_of(likely: Tensor, *, foreground_above: float | None = None) -> NDArray[np.uint8]:
    """The most likely class of each pixel, (*spatial) uint8, of probabilities (classes, *spatial); ties: the first.

    foreground_above: as in `delineate.core.labels_of`, which gives the same. One class after the
    other is compared: that takes a byte and a float for each pixel, whatever the number of classes.

    >>> labels_of(torch.tensor([[0.2, 0.5], [0.7, 0.5], [0.1, 0.0]]))
    array([1, 0], dtype=uint8)
    """
    best = likely[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8)
    for index in range(1, len(likely)):
        better = likely[index] > best
        labels.masked_fill_(better, index)
        torch.maximum(best, likely[index], out=best)
    if foreground_above is not None:
        ahead = likely[1] if len(likely) == 2 else likely[1:].sum(0)
        added = (labels == 0) & (ahead >= foreground_above)
        labels[added] = (1 + likely[1:, added].argmax(0)).to(torch.uint8)
    return labels.numpy()
