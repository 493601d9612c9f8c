"""Sampling that moves with the image: which of the 2 x 2 (x 2) grids is kept is read off the features themselves.

A network that keeps every second pixel sees another grid when its input moves by one pixel, and its answer trembles.
Adaptive polyphase sampling keeps the grid whose pixels answer most strongly (Chaman & Dokmanić 2021, arXiv:2011.14214);
the way up puts the pixels back on that grid (Chaman & Dokmanić 2021, arXiv:2105.04040; learnt choices: Rojas-Gomez et al. 2022,
arXiv:2210.08001; against aliasing as well: Michaeli et al. 2023, arXiv:2303.08085). With convolutions that wrap around, an image
that moves in a circle then gives the same answer, moved.

`phases` chooses, `rolled` applies a choice and takes it back. `origins` is about rounding alone: sums are taken in an order that
depends on where a pixel lies in memory, so the network is always given the same numbers at the same places.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Map = Float[Tensor, "batch channels *spatial"]
Choice = Int[Tensor, "batch dims"]

_STEPS = 2**20  # strengths are counted in whole numbers of these, whose sums in float64 are exact in any order
_ODD = 0x9E3779B97F4A7C15 - 2**64, 0xBF58476D1CE4E5B9 - 2**64  # of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195)


def phases(x: Map, *, factor: int = 2) -> Choice:
    """For each image the first pixel, along each axis, of the strongest of its factor x factor (x factor) grids.

    A grid is as strong as the sum over its places of the largest magnitude there. Maxima, and sums of whole numbers, do not
    depend on the order they are taken in: the choice moves with the image exactly. The sides must be multiples of `factor`.

    >>> phases(torch.tensor([[[[0.0, 0, 0, 0], [0, 5, 0, 1]]]])).tolist()
    [[1, 1]]
    """
    strength = x.detach().abs().amax(1)
    batch, *sides = strength.shape
    dims = len(sides)
    most = strength.flatten(1).amax(1).clamp_min(torch.finfo(x.dtype).tiny).reshape(-1, *(1,) * dims)
    counts = (strength / most * _STEPS).double().round()
    split = counts.reshape(batch, *(n for side in sides for n in (side // factor, factor)))
    best = split.sum(tuple(range(1, 1 + 2 * dims, 2))).flatten(1).argmax(1)
    along = [best // factor ** (dims - 1 - axis) % factor for axis in range(dims)]
    return torch.stack(along, 1)


def rolled(x: Map, choice: Choice, *, factor: int = 2, back: bool = False) -> Map:
    """Each image moved in a circle so that its chosen pixel comes first; back: the way home.

    choice: whole numbers from 0 to factor - 1.

    >>> x = torch.arange(8.0).view(2, 1, 1, 4)
    >>> rolled(x, torch.tensor([[0, 0], [0, 1]])).flatten(1).tolist()
    [[0.0, 1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 4.0]]
    """
    ones = (1,) * (x.ndim - 1)
    for axis in range(choice.shape[1]):
        here = choice[:, axis].reshape(-1, *ones)
        moved = x
        for by in range(1, factor):
            moved = torch.where(here == by, x.roll(by if back else -by, axis + 2), moved)
        x = moved
    return x


def wrapped(x: Map, *, before: int = 1, after: int = 1) -> Map:
    """The map with its last places once more in front, and its first ones behind, along each axis.

    >>> wrapped(torch.tensor([[[1.0, 2, 3]]])).tolist()
    [[[3.0, 1.0, 2.0, 3.0, 1.0]]]
    """
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        front = [x.narrow(axis, length - before, before)] if before else []
        x = torch.cat([*front, x, x.narrow(axis, 0, after)], axis)
    return x


class WrappedConv2d(nn.Conv2d):
    """A convolution on a torus: 3-wide, what leaves on one side comes in on the other.

    >>> WrappedConv2d(1, 2, 3)(torch.zeros(1, 1, 4, 6)).shape
    torch.Size([1, 2, 4, 6])
    """

    def forward(self, input: Map) -> Map:
        """Features of the same size; of half the size with a stride of 2."""
        return cast(Tensor, super().forward(wrapped(input)))


class WrappedConv3d(nn.Conv3d):
    """As WrappedConv2d, for volumes.

    >>> WrappedConv3d(1, 2, 3)(torch.zeros(1, 1, 4, 6, 2)).shape
    torch.Size([1, 2, 4, 6, 2])
    """

    def forward(self, input: Map) -> Map:
        """Features of the same size; of half the size with a stride of 2."""
        return cast(Tensor, super().forward(wrapped(input)))


WRAPPED: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: WrappedConv2d, 3: WrappedConv3d}


def whole_blocks(images: Map, side: int) -> Map:
    """The images with their last pixels repeated until each side is a multiple of `side`.

    >>> whole_blocks(torch.tensor([[[1.0, 2, 3]]]), 2).tolist()
    [[[1.0, 2.0, 3.0, 3.0]]]
    """
    short = [-n % side for n in images.shape[2:]]
    traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    any_size = traced or torch.compiler.is_exporting()  # a graph shall not remember this size
    if any_size or any(short):
        images = F.pad(images, [pad for n in reversed(short) for pad in (0, n)], mode="replicate")
    return images


def origins(images: Map) -> Choice:
    """A pixel of each image that is known by what lies around it, so that it moves with the image, to the bit.

    Each pixel gets a number that depends on its own bits, then on those of 2, 4, 8 ... pixels from it on along each axis, as
    on a torus, until one is the smallest alone. In an image that repeats itself there is none, and one of several is taken.

    >>> image = torch.rand(1, 1, 6, 8)
    >>> moved = origins(image.roll((2, 3), (2, 3))) - origins(image)
    >>> (moved % torch.tensor([6, 8])).tolist()
    [[2, 3]]
    """
    return torch.stack([_origin(image.detach()) for image in images])


def _origin(image: Float[Tensor, "channels *spatial"]) -> Int[Tensor, " dims"]:
    """Of one image."""
    bits = image.double().contiguous().view(torch.int64)
    weights = torch.arange(1, 2 * len(bits), 2, device=image.device).reshape(-1, *(1,) * (image.ndim - 1))
    marks = _mixed((_mixed(bits) * weights).sum(0))
    reach = 1
    while reach < max(marks.shape) and int((marks == marks.min()).sum()) > 1:
        for axis in range(marks.ndim):
            marks = _mixed(marks * _ODD[1] + marks.roll(-reach, axis))
        reach *= 2
    return torch.stack(torch.unravel_index(marks.argmin(), marks.shape))


def _mixed(marks: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Other 64-bit numbers, one to one, with no order left in them; they overflow, as they should."""
    marks = (marks ^ (marks >> 30)) * _ODD[0]
    return marks ^ (marks >> 27)


def moved(images: Map, places: Choice, *, back: bool = False) -> Map:
    """Each image moved in a circle so that its place comes first; back: the way home. places: any whole numbers.

    >>> moved(torch.arange(4.0).view(1, 1, 4), torch.tensor([[3]])).flatten().tolist()
    [3.0, 0.0, 1.0, 2.0]
    """
    axes = tuple(range(1, images.ndim - 1))
    steps = (places if back else -places).tolist()
    return torch.stack([image.roll(step, axes) for image, step in zip(images, steps, strict=True)])
