"""Two convolutions at one scale: the brick of which the U-Net is built.

Every module here says with `needs` which input interval an output interval depends on, along one axis. The
U-Net chains these answers to its exact halo: how much context a tile must carry so that cutting an image into
tiles changes nothing.
"""

from __future__ import annotations

import copy

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from delineate.nets.convolution import Convolution2d
from delineate.nets.equivariant import WRAPPED

CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: Convolution2d, 3: nn.Conv3d}
BATCH_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Block(nn.Sequential):
    """Twice: 3-wide convolution, batch norm, ReLU. Keeps the spatial size; zeros beyond the border.

    circular: beyond the border lies the other side, as on a torus.

    The convolutions carry no bias, for batch norm (Ioffe & Szegedy 2015, arXiv:1502.03167) adds its own.

    >>> import torch
    >>> Block(3, 8, dims=2)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 8, 5, 7])
    """

    def __init__(self, in_channels: int, out_channels: int, *, dims: int, circular: bool = False) -> None:
        convolution, norm = (WRAPPED if circular else CONVOLUTION)[dims], BATCH_NORM[dims]
        padding = 0 if circular else 1
        super().__init__(
            convolution(in_channels, out_channels, 3, padding=padding, bias=False),
            norm(out_channels),
            nn.ReLU(inplace=True),
            convolution(out_channels, out_channels, 3, padding=padding, bias=False),
            norm(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(
        self, x: Float[Tensor, "batch in_channels *spatial"]
    ) -> Float[Tensor, "batch out_channels *spatial"]:
        """Features of the same size."""
        for layer in self:
            x = layer(x)
        return x

    @staticmethod
    def needs(start: int, stop: int) -> tuple[int, int]:
        """Input interval on which outputs start..stop (half open) depend.

        >>> Block.needs(0, 8)
        (-2, 10)
        """
        return start - 2, stop + 2


def folded(net: nn.Module) -> nn.Module:
    """A copy of `net` in evaluation mode whose batch norms are folded into the convolutions before them.

    The copy gives the same output within float rounding, with fewer passes over memory. `net` is unchanged.

    >>> folded(Block(3, 8, dims=2))[1]
    Identity()
    """
    result = copy.deepcopy(net).eval()
    for module in result.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                first, second = module[i], module[i + 1]
                if isinstance(first, (nn.Conv2d, nn.Conv3d)) and isinstance(
                    second, (nn.BatchNorm2d, nn.BatchNorm3d)
                ):
                    module[i] = fuse_conv_bn_eval(first, second)
                    module[i + 1] = nn.Identity()
    return result
