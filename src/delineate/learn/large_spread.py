"""Strokes on a picture too large to be loaded are spread tile by tile, each tile when a crop first touches it.

What the labels of a tile become depends on its own pixels and a rim around them alone, not on the order of crops: a training
is repeated to the byte, and one that was killed goes on as if nothing had happened. Volumes stay as they are, for there a
tile would take longer than several steps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import UNLABELLED
from delineate.data.large import Box
from delineate.data.large.box import shared, widened, within
from delineate.data.large.sample import block_boxes
from delineate.data.sample import Sample, WindowedSample

TILE_PX = 256  # along each axis
RIM_PX = 32  # seen around a tile: strokes that lie there count too


@dataclass(frozen=True, eq=False)
class SpreadSample:
    """A flat WindowedSample whose labels are spread by `spread`: (a part in memory, the number of classes with strokes
    anywhere in the picture) -> the same part with its labels spread.
    """

    sample: WindowedSample
    spread: Callable[[Sample, int], Sample]
    _known: dict[tuple[int, ...], bytes] = field(default_factory=dict)  # corner of a tile -> `_packed`

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis."""
        return self.sample.spatial

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.sample.channels

    @property
    def places(self) -> tuple[NDArray[np.int32], ...]:
        """Pixels of the strokes themselves, by class."""
        return self.sample.places

    @property
    def span(self) -> tuple[float, ...]:
        """Intensities of the file that one unit is, per channel."""
        return self.sample.span

    @property
    def barely_labelled(self) -> bool:
        """Whether most pixels were unlabelled before strokes were spread."""
        return self.sample.barely_labelled

    def part(self, box: Box) -> Sample:
        """The pixels of a box, with their labels, spread, and offsets."""
        found = self.sample.part(box)
        return replace(found, labels=torch.from_numpy(self.labels(box).astype(np.float32)[None]))

    def labels(self, box: Box) -> NDArray[np.uint8]:
        """The labels of a box (*box) alone, spread."""
        labels = np.full([side.stop - side.start for side in box], UNLABELLED, np.uint8)
        for tile in block_boxes(box, self.spatial, (TILE_PX,) * len(box)):
            corner = tuple(side.start for side in tile)
            if corner not in self._known:
                self._known[corner] = self._packed(tile)
            if packed := self._known[corner]:
                both, sides = shared(box, tile), [side.stop - side.start for side in tile]
                grown = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(sides)
                labels[within(both, box)] = grown[within(both, tile)]
        return labels

    def _packed(self, tile: Box) -> bytes:
        """The labels of a tile, spread by the strokes in it and around it, as packed bytes; none where there is no stroke."""
        wide = widened(tile, RIM_PX, self.spatial)
        if bool((self.sample.labels(wide) == UNLABELLED).all()):
            return b""
        grown = self.spread(self.sample.part(wide), len(self.places)).labels[0].numpy().astype(np.uint8)
        return zlib.compress(grown[within(tile, wide)].tobytes())
