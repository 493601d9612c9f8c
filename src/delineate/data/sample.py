"""What crops are cut from: a picture in memory, or one that is read where a crop needs it; as tensors, normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One picture ready to be cropped.

    image: (channels, *spatial) float32, normalised. labels: (people, *spatial) float32 class indices, mostly of one person.
    offsets: (people * dims, *spatial) float32, from each pixel to the middle of its object in pixels, nan where there is
    none; or (0, *spatial).
    places: for each class that occurs, some of its pixels (n, dims), to centre crops on. span: per channel, how
    many intensities of the file one unit of the image is; empty: as many.
    """

    image: Tensor
    labels: Tensor
    offsets: Tensor
    places: tuple[NDArray[np.int32], ...]
    span: tuple[float, ...] = ()

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis."""
        return tuple(self.image.shape[1:])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.image)

    def part(self, box: tuple[slice, ...]) -> Sample:
        """The pixels of a box, with their labels and offsets."""
        inside = (slice(None), *box)
        return Sample(self.image[inside], self.labels[inside], self.offsets[inside], (), self.span)


class WindowedSample(Protocol):
    """A picture that is too large to be in memory: like a Sample, but its pixels are read when a crop needs them."""

    @property
    def spatial(self) -> tuple[int, ...]: ...
    @property
    def channels(self) -> int: ...
    @property
    def places(self) -> tuple[NDArray[np.int32], ...]: ...
    @property
    def span(self) -> tuple[float, ...]: ...
    @property
    def barely_labelled(self) -> bool:
        """Whether most of its pixels are unlabelled."""
        ...

    def part(self, box: tuple[slice, ...]) -> Sample:
        """The pixels of a box, with their labels and offsets."""
        ...

    def labels(self, box: tuple[slice, ...]) -> NDArray[np.uint8]:
        """The labels of a box (*box) alone."""
        ...
