"""Pixel shuffle: a block of pixels as channels of one place, and back (Shi et al. 2016, arXiv:1609.05158)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from delineate.nets.equivariant import whole_blocks


def blocks_to_channels(
    images: Float[Tensor, "batch channels *spatial"], factor: int
) -> Float[Tensor, "batch more_channels *coarse"]:
    """Each block of factor x factor (x factor) pixels as channels of one place; edges repeated to whole blocks.

    >>> blocks_to_channels(torch.arange(6.0).view(1, 1, 2, 3), 2).flatten().tolist()
    [0.0, 2.0, 1.0, 2.0, 3.0, 5.0, 4.0, 5.0]
    """
    if factor == 1:
        return images
    images = whole_blocks(images, factor)
    batch, channels, *sides = images.shape
    dims, coarse = len(sides), [n // factor for n in sides]
    split = images.reshape(batch, channels, *(n for side in coarse for n in (side, factor)))
    places, within = range(2, 2 + 2 * dims, 2), range(3, 3 + 2 * dims, 2)
    layout = torch.channels_last if dims == 2 else torch.channels_last_3d
    shuffled = split.permute(0, 1, *within, *places).reshape(batch, channels * factor**dims, *coarse)
    return shuffled.contiguous(memory_format=layout)


def channels_to_blocks(
    x: Float[Tensor, "batch more_channels *coarse"], factor: int
) -> Float[Tensor, "batch channels *spatial"]:
    """The way back: channels of a place become its block of pixels.

    >>> image = torch.rand(1, 2, 4, 6, 8)
    >>> torch.equal(channels_to_blocks(blocks_to_channels(image, 2), 2), image)
    True
    """
    if factor == 1:
        return x
    batch, channels, *coarse = x.shape
    dims = len(coarse)
    channels //= factor**dims
    split = x.reshape(batch, channels, *(factor,) * dims, *coarse)
    order = [axis for place in range(2, 2 + dims) for axis in (place + dims, place)]
    return split.permute(0, 1, *order).reshape(batch, channels, *(n * factor for n in coarse))
