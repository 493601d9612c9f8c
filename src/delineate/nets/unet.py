"""The U-Net: a contracting path that sees context, an expanding path that restores detail, skips between them.

Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28; in 3D Çiçek et al. 2016, arXiv:1606.06650.
Differences from the paper: the convolutions are padded, so that the output has the input's size, each is
followed by batch norm, and up-sampling may be interpolation. Read `forward` first.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from delineate.nets.blocks import CONVOLUTION, Block
from delineate.nets.equivariant import evened, origins, phases, rolled, whole_blocks
from delineate.nets.joined import joined
from delineate.nets.receptive import cut, cuts_for, reach_of
from delineate.nets.sampling import DOWN, UP, Sampling
from delineate.nets.shuffle import blocks_to_channels, channels_to_blocks


class UNet(nn.Module):
    """Maps images (batch, in_channels, *spatial) to logits (batch, classes, *spatial) of the same size, any size.

    dims: 2 or 3 spatial axes. width: channels at the finest level, doubled at each of `levels` scales up to
    `widest`. down, up: a key of DOWN and of UP. skips: False cuts the skip connections (to see what they do).
    shuffle: 2 lets the finest level work on blocks of 2 x 2 (x 2) pixels, each pixel of a block a channel, and gives
    one logit per pixel all the same (pixel shuffle, Shi et al. 2016, arXiv:1609.05158): nothing of the image is lost,
    and the costly finest level has a quarter (an eighth) of the places to go to. 1: one pixel, one place.
    equivariant: an image that moves in a circle gives the same answer, moved, for every shift: each halving keeps the grid
    that the features choose, and beyond the border lies the other side; see `nets.equivariant`. That holds for images
    whose sides are multiples of `divisor`; others have their last pixels repeated first. Such a network answers for whole
    images only, not for tiles.
    Raises ValueError for a setting outside these.

    >>> net = UNet(1, 2, dims=2, width=8, levels=3, down="max", up="linear").eval()
    >>> net(torch.zeros(1, 1, 37, 50)).shape, net.divisor, net.halo
    (torch.Size([1, 2, 37, 50]), 4, 28)
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        dims: int = 2,
        width: int = 32,
        levels: int = 5,
        down: str = "max",
        up: str = "linear",
        skips: bool = True,
        widest: int = 512,
        shuffle: int = 1,
        equivariant: bool = False,
    ) -> None:
        super().__init__()
        numbers = (levels, width, in_channels, classes, shuffle, widest)
        if dims not in (2, 3) or not all(isinstance(n, (int, np.integer)) and n > 0 for n in numbers):
            raise ValueError(
                f"a U-Net of {dims} dims, {levels} levels, width {width} up to {widest}, {in_channels} channels, {classes} "
                f"classes, shuffle {shuffle} cannot be built: give 2 or 3 dims and positive whole numbers"
            )
        if down not in DOWN or up not in UP:
            raise ValueError(
                f"down is {down!r} and up {up!r}: choose from {', '.join(DOWN)} and {', '.join(UP)}"
            )
        channels = [min(width * 2**level, widest) for level in range(levels)]
        finer_and_coarser = list(itertools.pairwise(channels))
        self.dims, self.in_channels, self.classes = dims, in_channels, classes
        self.skips, self.shuffle, self.equivariant = skips, shuffle, equivariant
        block = partial(Block, dims=dims, circular=equivariant)
        self.first = block(in_channels * shuffle**dims, channels[0])
        self.downs = nn.ModuleList(
            DOWN[down](channels=fine, dims=dims, circular=equivariant) for fine, _ in finer_and_coarser
        )
        self.encoders = nn.ModuleList(block(fine, coarse) for fine, coarse in finer_and_coarser)
        self.ups = nn.ModuleList(
            UP[up](in_channels=coarse, out_channels=fine, dims=dims, circular=equivariant)
            for fine, coarse in finer_and_coarser
        )
        self.decoders = nn.ModuleList(
            block(2 * fine if skips else fine, fine) for fine, _ in finer_and_coarser
        )
        self.head = CONVOLUTION[dims](channels[0], classes * shuffle**dims, 1)

    def forward(
        self, images: Float[Tensor, "batch in_channels *spatial"]
    ) -> Float[Tensor, "batch classes *spatial"]:
        """Logits, one channel a class."""
        if self.equivariant:
            return cropped(self._anywhere(whole_blocks(images, self.divisor)), like=images)
        finer = []
        x = self.first(blocks_to_channels(images, self.shuffle))
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            finer.append(x)
            x = encoder(down(x))
        for up, decoder, skip in zip(
            reversed(self.ups), reversed(self.decoders), reversed(finer), strict=True
        ):
            x = cropped(up(x), like=skip)
            x = decoder(joined(x, skip, training=self.training) if self.skips else x)
        return cropped(channels_to_blocks(self.head(x), self.shuffle), like=images)

    def _anywhere(
        self, images: Float[Tensor, "batch in_channels *spatial"]
    ) -> Float[Tensor, "batch classes *spatial"]:
        """Logits that move with the images, whose sides are multiples of `divisor`."""
        found = [] if self.training else origins(images)
        if found:
            places = torch.stack([one[0] for one in found])
            images = rolled(images, places)
        first = phases(images, factor=self.shuffle)
        x = self.first(blocks_to_channels(rolled(images, first), self.shuffle))
        finer = []
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            chosen = phases(x)
            finer.append((x, chosen))
            x = encoder(down(rolled(x, chosen)))
        for up, decoder, (skip, chosen) in zip(
            reversed(self.ups), reversed(self.decoders), reversed(finer), strict=True
        ):
            x = rolled(up(x), chosen, back=True)
            x = decoder(joined(x, skip, training=self.training) if self.skips else x)
        x = rolled(channels_to_blocks(self.head(x), self.shuffle), first, back=True)
        return rolled(evened(x, found, divisor=self.divisor), places, back=True) if found else x

    def part(
        self, images: Float[Tensor, "batch in_channels *spatial"], keep: tuple[slice, ...]
    ) -> Float[Tensor, "batch classes *kept"]:
        """The logits of a part of the images, a slice with start and stop along each spatial axis.

        They are those of `forward`, but each level computes no more than they depend on. That saves most of what the halo of a
        tile costs, in time and in memory.

        >>> net, image = UNet(1, 2, width=4, levels=3).eval(), torch.rand(1, 1, 64, 80)
        >>> part = net.part(image, (slice(20, 40), slice(24, 56)))
        >>> torch.allclose(part, net(image)[..., 20:40, 24:56], atol=1e-5)
        True
        """
        if self.equivariant:  # every pixel has a say in which grids are kept
            return cut(self(images), torch.tensor([[side.start, side.stop] for side in keep]))
        return self.part_at(images, self.cuts(keep, tuple(images.shape[2:])))

    def part_at(
        self, images: Float[Tensor, "batch in_channels *spatial"], cuts: Int64[Tensor, "cuts axes 2"]
    ) -> Float[Tensor, "batch classes *kept"]:
        """What `part` gives; all that depends on sizes is in `cuts`, so that one graph of this holds for every part."""
        finer, at = [], iter(cuts)
        x = self.first(blocks_to_channels(images, self.shuffle))
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            finer.append(x)
            x = encoder(cut(down(x), next(at)))
        x = cut(x, next(at))
        for up, decoder, skip in zip(
            reversed(self.ups), reversed(self.decoders), reversed(finer), strict=True
        ):
            x, skip = cut(up(x), next(at)), cut(skip, next(at))
            x = decoder(torch.cat([x, skip], dim=1) if self.skips else x)
        return cut(channels_to_blocks(self.head(x), self.shuffle), next(at))

    def cuts(self, keep: tuple[slice, ...], spatial: tuple[int, ...]) -> Int64[Tensor, "cuts axes 2"]:
        """Where `part_at` cuts the maps of images of shape `spatial`, in its order: start and stop along each axis.

        First what each encoder looks at, then what is kept of the coarsest level; then two for each finer one, of what was
        enlarged and of the skip; then of the logits.
        """
        downs, ups = self._samplings
        return cuts_for(keep, spatial, downs=downs, ups=ups, shuffle=self.shuffle)

    def features(self, images: Float[Tensor, "batch in_channels *spatial"]) -> dict[str, Tensor]:
        """What each block answers, by name, in the order of computation: (batch, channels, *coarser).

        >>> {k: tuple(v.shape[1:]) for k, v in UNet(1, 2, width=4, levels=2).features(torch.rand(1, 1, 8, 8)).items()}
        {'encoder 0': (4, 8, 8), 'encoder 1': (8, 4, 4), 'decoder 0': (4, 8, 8)}
        """
        answers: dict[str, Tensor] = {}
        named = {"encoder 0": self.first}
        named |= {f"encoder {i + 1}": cast(Block, block) for i, block in enumerate(self.encoders)}
        named |= {f"decoder {i}": cast(Block, block) for i, block in reversed(list(enumerate(self.decoders)))}
        hooks = [
            block.register_forward_hook(
                lambda _block, _inputs, output, name=name: answers.update({name: output})
            )
            for name, block in named.items()
        ]
        try:
            self(images)
        finally:
            for hook in hooks:
                hook.remove()
        return answers

    @torch.no_grad()
    def shift_logits(self, by: Float[Tensor, some_classes]) -> None:
        """Add to the logits of the first classes, for good.

        >>> net, image = UNet(1, 3, width=4, levels=2).eval(), torch.rand(1, 1, 8, 8)
        >>> before = net(image)
        >>> net.shift_logits(torch.tensor([1.0, -2.0]))
        >>> (net(image) - before).mean((0, 2, 3)).round(decimals=4).tolist()
        [1.0, -2.0, 0.0]
        """
        places = self.shuffle**self.dims
        bias = cast(Tensor, self.head.bias)
        bias[: len(by) * places] += by.to(bias).repeat_interleave(places)

    @property
    def _samplings(self) -> tuple[list[Sampling], list[Sampling]]:
        """What halves and what doubles the resolution, the finest first."""
        return cast("list[Sampling]", list(self.downs)), cast("list[Sampling]", list(self.ups))

    @property
    def divisor(self) -> int:
        """A tile that starts at a multiple of this many pixels is sampled just as the whole image is."""
        return int(self.shuffle * 2 ** len(self.downs))

    @property
    def halo(self) -> int:
        """Pixels of context on each side that a tile needs to equal the whole image, a multiple of `divisor`.

        Exact for tiles that start and end at multiples of `divisor` or at the border of the image. Equivariant networks
        have no tiles: theirs is how far a pixel reaches while the grids stay the same.
        """
        downs, ups = self._samplings
        reach = self.shuffle * reach_of(downs, ups)
        reach += self.divisor if self.equivariant else 0  # the grid may start up to so much later
        halo: int = -(-reach // self.divisor) * self.divisor
        return halo


def cropped(
    fine: Float[Tensor, "batch channels *doubled"], *, like: Float[Tensor, "batch others *spatial"]
) -> Float[Tensor, "batch channels *spatial"]:
    """`fine` without the last pixels along each axis where `like` is shorter.

    The gradient of a cut is a copy, so none is made where nothing is cut off.
    """
    traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    always = traced or torch.compiler.is_exporting()  # a graph shall not remember this size
    for axis in range(2, fine.ndim):
        if always or fine.shape[axis] > like.shape[axis]:
            fine = fine.narrow(axis, 0, like.shape[axis])
    return fine
