"""Sampling that moves with the image: which of the 2 x 2 (x 2) grids is kept is read off the features themselves.

A network that keeps every second pixel sees another grid when its input moves by one pixel, and its answer trembles.
Adaptive polyphase sampling keeps the grid whose pixels answer most strongly (Chaman & Dokmanić 2021, arXiv:2011.14214);
the way up puts the pixels back on that grid (Chaman & Dokmanić 2021, arXiv:2105.04040; learnt choices: Rojas-Gomez et al. 2022,
arXiv:2210.08001; against aliasing as well: Michaeli et al. 2023, arXiv:2303.08085). With convolutions that wrap around, an image
that moves in a circle then gives the same answer, moved.

`phases` chooses, `rolled` applies a choice and takes it back. `origins` is about rounding alone: sums are taken in an order that
depends on where a pixel lies in memory, so the network is always given the same numbers at the same places.
"""

# ruff: noqa: UP037 (taken for a product, "channels *spatial" would lose the quotes it needs)

from __future__ import annotations

import itertools
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Map = Float[Tensor, "batch channels *spatial"]
Choice = Int[Tensor, "batch dims"]

_STEPS = (
    2**20
)  # strengths are counted in whole numbers of these, whose sums in float64 are exact in any order
_ODD = (
    0x9E3779B97F4A7C15 - 2**64,
    0xBF58476D1CE4E5B9 - 2**64,
)  # of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195)


def phases(x: Map, *, factor: int = 2) -> Choice:
    """For each image the first pixel, along each axis, of the strongest of its factor x factor (x factor) grids.

    A grid is as strong as the sum over its places of the largest magnitude there. Maxima, and sums of whole numbers, do not
    depend on the order they are taken in: the choice moves with the image exactly. The sides must be multiples of `factor`.

    >>> phases(torch.tensor([[[[0.0, 0, 0, 0], [0, 5, 0, 1]]]])).tolist()
    [[1, 1]]
    """
    strength = x.detach().abs().to(torch.promote_types(x.dtype, torch.float32)).amax(1)
    batch, *sides = strength.shape
    dims = len(sides)
    most = strength.flatten(1).amax(1).clamp_min(torch.finfo(x.dtype).tiny).reshape(-1, *(1,) * dims)
    counts = (strength / most * _STEPS).double().round()
    split = counts.reshape(batch, *(n for side in sides for n in (side // factor, factor)))
    best = split.sum(tuple(range(1, 1 + 2 * dims, 2))).flatten(1).argmax(1)
    along = [best // factor ** (dims - 1 - axis) % factor for axis in range(dims)]
    return torch.stack(along, 1)


def rolled(x: Map, places: Choice, *, back: bool = False) -> Map:
    """Each image moved in a circle so that its place comes first; back: the way home.

    >>> x = torch.arange(8.0).view(2, 1, 1, 4)
    >>> rolled(x, torch.tensor([[0, 0], [0, 1]])).flatten(1).tolist()
    [[0.0, 1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 4.0]]
    """
    steps = [[-place if back else place for place in one] for one in places.tolist()]
    return cast(Tensor, _Rolled.apply(x, steps))  # type: ignore[no-untyped-call]


def wrapped(x: Map, *, before: int = 1, after: int = 1) -> Map:
    """The map with its last places once more in front, and its first ones behind, along each axis.

    >>> wrapped(torch.tensor([[[1.0, 2, 3]]])).tolist()
    [[[3.0, 1.0, 2.0, 3.0, 1.0]]]
    """
    return cast(Tensor, _Wrapped.apply(x, before, after))  # type: ignore[no-untyped-call]


class _Rolled(torch.autograd.Function):
    """`rolled`, copied once and in the layout of x, whose gradient is as cheap: torch's own takes twenty times as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: list[list[int]]) -> Tensor:
        ctx.places = places
        return _turned(x, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _turned(gradient, [[-place for place in one] for one in ctx.places]), None


def _turned(x: Tensor, places: list[list[int]]) -> Tensor:
    """Copied block by block: each axis falls into what comes first and what comes round."""
    result = torch.empty_like(x)
    for source, target, one in zip(x, result, places, strict=True):
        cuts = [place % length for place, length in zip(one, x.shape[2:], strict=True)]
        for round_ in itertools.product((False, True), repeat=len(cuts)):
            here, there = source, target
            for axis, (cut, comes_round) in enumerate(zip(cuts, round_, strict=True), start=1):
                length = source.shape[axis]
                here = here.narrow(axis, 0, cut) if comes_round else here.narrow(axis, cut, length - cut)
                there = there.narrow(axis, *((length - cut, cut) if comes_round else (0, length - cut)))
            there.copy_(here)
    return result


class _Wrapped(torch.autograd.Function):
    """`wrapped`, copied once and in the layout of x; the gradient of what was copied comes back to where it came from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, before: int, after: int) -> Tensor:
        ctx.before, ctx.after = before, after
        sides = [n + before + after for n in x.shape[2:]]
        result = torch.empty(*x.shape[:2], *sides, dtype=x.dtype, device=x.device, memory_format=layout_of(x))
        middle = result
        for axis, n in enumerate(x.shape[2:], start=2):
            middle = middle.narrow(axis, before, n)
        middle.copy_(x)
        for axis in range(2, x.ndim):
            n = x.shape[axis]
            result.narrow(axis, 0, before).copy_(result.narrow(axis, n, before))
            result.narrow(axis, before + n, after).copy_(result.narrow(axis, before, after))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        before, after = ctx.before, ctx.after
        layout, inner = layout_of(gradient), gradient.clone()
        for axis in reversed(range(2, gradient.ndim)):
            n = gradient.shape[axis] - before - after
            inner.narrow(axis, n, before).add_(inner.narrow(axis, 0, before))
            inner.narrow(axis, before, after).add_(inner.narrow(axis, before + n, after))
            inner = inner.narrow(axis, before, n)
        return inner.contiguous(memory_format=layout), None, None


def layout_of(x: Tensor) -> torch.memory_format:
    """Channels last where x lies so, else contiguous."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim, torch.contiguous_format)
    return last if x.is_contiguous(memory_format=last) else torch.contiguous_format


class WrappedConv2d(nn.Conv2d):
    """A convolution on a torus: 3-wide, what leaves on one side comes in on the other.

    >>> WrappedConv2d(1, 2, 3)(torch.zeros(1, 1, 4, 6)).shape
    torch.Size([1, 2, 4, 6])
    """

    def forward(self, input: Map) -> Map:  # noqa: A002 - torch's name
        """Features of the same size; of half the size with a stride of 2."""
        return super().forward(wrapped(input))


class WrappedConv3d(nn.Conv3d):
    """As WrappedConv2d, for volumes.

    >>> WrappedConv3d(1, 2, 3)(torch.zeros(1, 1, 4, 6, 2)).shape
    torch.Size([1, 2, 4, 6, 2])
    """

    def forward(self, input: Map) -> Map:  # noqa: A002 - torch's name
        """Features of the same size; of half the size with a stride of 2."""
        return super().forward(wrapped(input))


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


def origins(images: Map) -> list[Choice]:
    """For each image the pixel that is known by what lies around it, (1, dims): it moves with the image, to the bit.

    Each pixel gets a number that depends on its own bits, then on those of 2, 4, 8 ... pixels from it on along each axis, as
    on a torus, until one is the smallest alone. Of an image that repeats itself all of its equals are given, (n, dims).

    >>> image = torch.rand(1, 1, 6, 8)
    >>> moved = origins(image.roll((2, 3), (2, 3)))[0] - origins(image)[0]
    >>> (moved % torch.tensor([6, 8])).tolist()
    [[2, 3]]
    """
    return [_origins(image.detach()) for image in images]


def _origins(image: Float[Tensor, "channels *spatial"]) -> Choice:
    """Of one image."""
    bits = image.double().contiguous().view(torch.int64)
    weights = torch.arange(1, 2 * len(bits), 2, device=image.device).reshape(-1, *(1,) * (image.ndim - 1))
    marks = _mixed((_mixed(bits) * weights).sum(0))
    reach = 1
    while len(found := torch.nonzero(marks == marks.min())) > 1 and reach < max(marks.shape):
        for axis in range(marks.ndim):
            marks = _mixed(marks * _ODD[1] + marks.roll(-reach, axis))
        reach *= 2
    return found


def evened(x: Map, found: list[Choice], *, divisor: int) -> Map:
    """Answers to images that repeat themselves, averaged over the repeats: no grid is the right one there.

    found: what `origins` gave. divisor: pixels after which answers repeat themselves as well.

    >>> evened(torch.tensor([[[1.0, 2, 1, 2]]]), [torch.tensor([[0], [1], [2], [3]])], divisor=2).tolist()
    [[[1.5, 1.5, 1.5, 1.5]]]
    """
    answers = []
    for answer, places in zip(x, found, strict=True):
        if len(places) > 1:
            moves = (places - places[0]).tolist()
            different = {tuple(by % divisor for by in move): move for move in moves}.values()
            axes = tuple(range(1, answer.ndim))
            answer = torch.stack([answer.roll(move, axes) for move in different]).mean(0)
        answers.append(answer)
    return torch.stack(answers)


def _mixed(marks: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Other 64-bit numbers, one to one, with no order left in them; they overflow, as they should."""
    marks = (marks ^ (marks >> 30)) * _ODD[0]
    return marks ^ (marks >> 27)
