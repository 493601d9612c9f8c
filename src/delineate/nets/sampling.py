"""Ways to halve and to double the resolution; two literal tables, so that a new way is one class and one line.

Down-sampling turns n pixels into ceil(n / 2), up-sampling turns n into 2 n (the U-Net crops the last one off
where the finer level was odd). So no size has to be divisible by anything. Up-sampling also brings the channels
down to those of the finer level; it does so before it enlarges, where there are fewer pixels to work on.
circular: beyond the border lies the other side, as on a torus; the sides must then be even.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from delineate.nets.blocks import CONVOLUTION
from delineate.nets.equivariant import WRAPPED, wrapped

Coarse = Float[Tensor, "batch channels *coarse"]
Fine = Float[Tensor, "batch channels *fine"]


class Sampling(Protocol):
    """What the U-Net asks of a way to sample: a call, and the interval of input that outputs depend on."""

    def __call__(self, x: Tensor) -> Tensor:
        """Sampled features."""
        ...

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        ...


class MaxPooling(nn.Module):
    """The largest of each 2 x 2 (x 2) pixels.

    >>> MaxPooling(channels=1, dims=2)(torch.arange(9.0).view(1, 1, 3, 3))[0, 0]
    tensor([[4., 5.],
            [7., 8.]])
    """

    def __init__(self, *, channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Fine) -> Coarse:
        """Half the resolution."""
        pool = {2: F.max_pool2d, 3: F.max_pool3d}[self.dims]  # kept in the module, it could not be pickled
        return pool(x, 2, ceil_mode=True)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return 2 * start, 2 * stop


class StridedConvolution(nn.Module):
    """A learnt 3-wide convolution at every second pixel (Springenberg et al. 2014, arXiv:1412.6806).

    >>> StridedConvolution(channels=4, dims=2)(torch.zeros(1, 4, 5, 6)).shape
    torch.Size([1, 4, 3, 3])
    """

    def __init__(self, *, channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        kind, padding = (WRAPPED[dims], 0) if circular else (CONVOLUTION[dims], 1)
        self.convolution = kind(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Fine) -> Coarse:
        """Half the resolution."""
        return cast(Tensor, self.convolution(x))

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return 2 * start - 1, 2 * stop


class BlurPooling(nn.Module):
    """Maximum of each pixel and its next neighbours, then a binomial (1, 2, 1) / 4 blur at every second pixel.

    The blur keeps what aliases out of the coarse grid, so that a shifted input wobbles less.
    Zhang 2019, arXiv:1904.11486. Edges are replicated.

    >>> BlurPooling(channels=1, dims=2)(torch.ones(1, 1, 5, 4))[0, 0]
    tensor([[1., 1.],
            [1., 1.],
            [1., 1.]])
    """

    kernel: Tensor

    def __init__(self, *, channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        self.channels, self.dims, self.circular = channels, dims, circular
        kernel = binomial = torch.tensor([0.25, 0.5, 0.25])
        for _ in range(dims - 1):
            kernel = kernel[..., None] * binomial
        self.register_buffer("kernel", kernel.expand(channels, 1, *kernel.shape).clone(), persistent=False)

    def forward(self, x: Fine) -> Coarse:
        """Half the resolution."""
        pool, convolve = {2: (F.max_pool2d, F.conv2d), 3: (F.max_pool3d, F.conv3d)}[self.dims]
        if self.circular:
            padded = wrapped(pool(wrapped(x, before=0), 2, stride=1))
        else:
            highest = pool(F.pad(x, (0, 1) * self.dims, mode="replicate"), 2, stride=1)
            padded = F.pad(highest, (1, 1) * self.dims, mode="replicate")
        return convolve(padded, self.kernel.to(x.dtype), stride=2, groups=self.channels)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return 2 * start - 1, 2 * stop + 1


class Nearest(nn.Module):
    """A learnt mix of the channels, then every pixel repeated.

    >>> Nearest(in_channels=8, out_channels=4, dims=2)(torch.zeros(1, 8, 3, 5)).shape
    torch.Size([1, 4, 6, 10])
    """

    def __init__(self, *, in_channels: int, out_channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        self.mix = CONVOLUTION[dims](in_channels, out_channels, 1)

    def forward(self, x: Coarse) -> Fine:
        """Twice the resolution."""
        return F.interpolate(self.mix(x), scale_factor=2.0, mode="nearest")

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return start // 2, -(-stop // 2)


class Linear(nn.Module):
    """A learnt mix of the channels, then bilinear (trilinear) interpolation: pixel centres stay where they are.

    Beyond the edge the outermost pixel is repeated.

    >>> linear = Linear(in_channels=1, out_channels=1, dims=2)
    >>> _ = linear.mix.weight.data.fill_(1.0), linear.mix.bias.data.zero_()
    >>> linear(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """

    def __init__(self, *, in_channels: int, out_channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        self.mix = CONVOLUTION[dims](in_channels, out_channels, 1)
        self.kind, self.circular = {2: "bilinear", 3: "trilinear"}[dims], circular

    def forward(self, x: Coarse) -> Fine:
        """Twice the resolution."""
        x = self.mix(x)
        x = F.interpolate(
            wrapped(x) if self.circular else x, scale_factor=2.0, mode=self.kind, align_corners=False
        )
        for axis in range(2, x.ndim if self.circular else 2):
            x = x.movedim(axis, 0)[2:-2].movedim(0, axis)
        return x

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return (start - 1) // 2, stop // 2 + 1


class TransposedConvolution(nn.Module):
    """A learnt 2 x 2 (x 2) pattern painted for every pixel, without overlap.

    >>> TransposedConvolution(in_channels=8, out_channels=4, dims=3)(torch.zeros(1, 8, 2, 3, 4)).shape
    torch.Size([1, 4, 4, 6, 8])
    """

    def __init__(self, *, in_channels: int, out_channels: int, dims: int, circular: bool = False) -> None:
        super().__init__()
        transposed = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dims]
        self.convolution = transposed(in_channels, out_channels, 2, stride=2)

    def forward(self, x: Coarse) -> Fine:
        """Twice the resolution."""
        return cast(Tensor, self.convolution(x))

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend."""
        return start // 2, -(-stop // 2)


DOWN: dict[str, Callable[..., nn.Module]] = {
    "max": MaxPooling,
    "strided": StridedConvolution,
    "blur": BlurPooling,
}
"""Ways to halve the resolution, each called with `channels`, `dims` and `circular`."""

UP: dict[str, Callable[..., nn.Module]] = {
    "nearest": Nearest,
    "linear": Linear,
    "transposed": TransposedConvolution,
}
"""Ways to double the resolution, each called with `in_channels`, `out_channels`, `dims` and `circular`."""
