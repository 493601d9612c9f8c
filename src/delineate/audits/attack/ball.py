"""How far an image may be changed, and how one moves within that limit: a start, a step along a slope, the way back inside.

All tensors are (n, channels, *spatial) float32 in the intensities of the file. A limit holds for each image by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Ball(Protocol):
    """A limit around an image. eps: its size, in intensities."""

    @property
    def eps(self) -> float: ...

    def start(self, like: Tensor, *, generator: torch.Generator) -> Tensor:
        """A random change within the limit."""
        ...

    def step(self, slope: Tensor, *, size: float) -> Tensor:
        """The change that climbs most along `slope`; size: as a share of eps."""
        ...

    def inside(self, change: Tensor) -> Tensor:
        """The nearest change within the limit."""
        ...

    def size(self, change: Tensor) -> Tensor:
        """How large each change is, (n,), in the units of eps."""
        ...


@dataclass(frozen=True)
class LInf:
    """No pixel changes by more than eps.

    >>> LInf(4.0).inside(torch.tensor([[[-9.0, 3.0]]])).tolist()
    [[[-4.0, 3.0]]]
    """

    eps: float

    def start(self, like: Tensor, *, generator: torch.Generator) -> Tensor:
        """Each pixel evenly from -eps to eps."""
        return (2 * torch.rand(like.shape, generator=generator).to(like) - 1) * self.eps

    def step(self, slope: Tensor, *, size: float) -> Tensor:
        """The sign of the slope, everywhere as long."""
        return slope.sign() * (size * self.eps)

    def inside(self, change: Tensor) -> Tensor:
        """Each pixel cut to -eps to eps."""
        return change.clamp(-self.eps, self.eps)

    def size(self, change: Tensor) -> Tensor:
        """The largest change of a pixel."""
        return change.flatten(1).abs().amax(1)


@dataclass(frozen=True)
class L2:
    """The changes of all pixels together have a root mean square of at most eps, so that eps means the same at any size.

    The usual radius, the square root of the sum of squares, is eps times the square root of the number of values. This ball
    holds the LInf ball of the same eps, and more: it may spend all of its change where that hurts most.

    >>> L2(1.0).inside(torch.tensor([[[6.0, 0.0, 0.0, 0.0]]])).tolist()
    [[[2.0, 0.0, 0.0, 0.0]]]
    """

    eps: float

    def start(self, like: Tensor, *, generator: torch.Generator) -> Tensor:
        """Even in direction and in volume, as far as floats tell: in so many dimensions nearly all lies at the rim."""
        change = torch.randn(like.shape, generator=generator).to(like)
        return change * (self.eps / _spread(self.size(change), change))

    def step(self, slope: Tensor, *, size: float) -> Tensor:
        """Along the slope, in proportion to it."""
        return slope * (size * self.eps / _spread(self.size(slope), slope))

    def inside(self, change: Tensor) -> Tensor:
        """Shortened where it is too long."""
        return change * (self.eps / _spread(self.size(change), change)).clamp(max=1)

    def size(self, change: Tensor) -> Tensor:
        """The root mean square."""
        return change.flatten(1).square().mean(1).sqrt()


def _spread(sizes: Tensor, like: Tensor) -> Tensor:
    """(n,) as (n, 1, ...), never 0."""
    return sizes.clamp(min=1e-30).reshape(-1, *(1,) * (like.ndim - 1))
