"""Priors on an outline that need no label: neighbours that look alike share a class, or simply neighbours do.

A few strokes say nothing about most pixels; these terms do. They read the logits of the whole image, and are worth
nothing by themselves: an image of one class throughout costs 0, so they go with a loss that knows the strokes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from delineate.core import DataError

Pair = tuple[float, tuple[slice, ...], tuple[slice, ...]]
"""The weight of an offset, and the two parts of a grid that lie this offset apart."""


def colour_smoothness(
    logits: Float[Tensor, "batch classes *spatial"],
    images: Float[Tensor, "batch channels *spatial"],
    *,
    contrast: float = 0.1,
    reach: int = 2,
    dilation: int = 2,
    distance_px: float = 6.0,
) -> Float[Tensor, ""]:
    """How much neighbours of similar colour differ in class: 0 (not at all) to 1. A gated, windowed CRF energy.

    Σ d(i,j) exp(-|x_i - x_j|² / (2 contrast²)) (1 - Σ_c p_ic p_jc)  /  Σ d(i,j)  over all pairs of pixels i, j of an
    image whose places differ by a multiple of `dilation`, at most `reach` of them along each axis; p are probabilities,
    x the colours (any number of channels, |.| Euclidean), d(i,j) = exp(-|i - j|² / (2 distance_px²)). Windows end at
    the border. 1 - Σ p p is the chance that two labels drawn by p_i and p_j differ, so undecided pixels cost too.
    Time and memory: (2 reach + 1)^dims / 2 passes over the image, each of which is forgotten. In float32, autocast or
    not; differentiable once, with respect to the logits. No pair: 0.0. Obukhov et al. 2019, arXiv:1906.04651.
    Raises DataError where shapes differ or a number is not positive.

    >>> sure = torch.tensor([[[9.0, 9.0, -9.0, -9.0]], [[-9.0, -9.0, 9.0, 9.0]]])[None]  # classes 0 0 1 1
    >>> image = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    >>> round(float(colour_smoothness(sure, image, dilation=1)), 3)  # changes where the colour does
    0.0
    >>> round(float(colour_smoothness(sure, torch.zeros(1, 1, 1, 4), dilation=1)), 3)  # 3 pairs of 5 differ
    0.593
    """
    if logits.shape[:1] + logits.shape[2:] != images.shape[:1] + images.shape[2:]:
        raise DataError(
            f"images have shape {tuple(images.shape)} but logits {tuple(logits.shape)}: "
            "give one image per row of logits, of the same size"
        )
    for name, value in (
        ("contrast", contrast),
        ("reach", reach),
        ("dilation", dilation),
        ("distance_px", distance_px),
    ):
        if not 0 < value < float("inf"):
            raise DataError(f"{name} is {value}: give a positive number")
    for name, steps in (("reach", reach), ("dilation", dilation)):
        if steps != int(steps):
            raise DataError(f"{name} is {steps}: give a whole number of pixels")
    settings = (contrast, int(reach), int(dilation), distance_px)
    energy: Tensor = _Energy.apply(logits, images.detach(), settings)  # type: ignore[no-untyped-call]
    return energy


def total_variation(logits: Float[Tensor, "batch classes *spatial"]) -> Float[Tensor, ""]:
    """How much adjacent pixels differ in probability, blind to colour: 0 (one class throughout) to 1.

    The mean of ½ Σ_c |p_ic - p_jc| over all pairs of pixels that are adjacent along an axis. In float32, autocast or
    not. No pair: 0.0, with a gradient of zeros. Rudin, Osher & Fatemi 1992, doi:10.1016/0167-2789(92)90242-F.

    >>> round(float(total_variation(torch.tensor([[[[9.0, 9.0, -9.0]], [[-9.0, -9.0, 9.0]]]]))), 3)  # 1 pair of 2
    0.5
    """
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    with torch.autocast(logits.device.type, enabled=False):
        likely = logits.to(dtype).softmax(1)
        total, pairs = likely.sum() * 0, 0
        for axis in range(2, likely.ndim):
            steps = likely.diff(dim=axis)
            total, pairs = total + steps.abs().sum() / 2, pairs + steps[:, 0].numel()
    return total / max(pairs, 1)


class _Energy(torch.autograd.Function):
    """From logits (batch, classes, *spatial) and colours to the energy.

    It is quadratic in the probabilities, so one walk over the offsets gives the energy and its slope: with the message
    m_i = Σ_j g_ij p_j, the energy is Σ g - ½ Σ_i p_i·m_i and its slope -m_i, each over Σ d; every pair counts once.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, images: Tensor, settings: tuple[float, int, int, float]) -> Tensor:
        """Walk over the offsets; the gradient for the logits is kept, nothing else."""
        contrast, reach, dilation, distance_px = settings
        dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
        with torch.autocast(logits.device.type, enabled=False):
            likely = logits.to(dtype, memory_format=torch.contiguous_format).softmax(1)
            colours = images.to(dtype, memory_format=torch.contiguous_format)
            message = torch.zeros_like(likely)
            total, norm = likely.new_zeros(()), 0.0
            for near, here, there in pairs(
                likely.shape[2:], reach=reach, dilation=dilation, distance_px=distance_px
            ):
                one: Any = (..., *here)
                other: Any = (..., *there)
                apart = (colours[one] - colours[other]).square_().sum(1, keepdim=True)
                gate = apart.mul_(-0.5 / contrast**2).exp_().mul_(near)
                message[one].addcmul_(gate, likely[other])
                message[other].addcmul_(gate, likely[one])
                total += gate.sum()
                norm += near * gate.numel()
            norm = norm or 1.0
            mean = (likely * message).sum(1, keepdim=True)
            ctx.save_for_backward(likely * (mean - message) / norm)
            ctx.dtype = logits.dtype
            return ((total - mean.sum() / 2) / norm).clamp(min=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """Scale what was kept."""
        (gradient,) = ctx.saved_tensors
        return (gradient * slope).to(ctx.dtype), None, None


def pairs(spatial: tuple[int, ...], *, reach: int, dilation: int, distance_px: float) -> Iterator[Pair]:
    """Every offset of the window once, never with its opposite: its weight, and the slices on both of its ends.

    >>> for pair in pairs((5,), reach=1, dilation=2, distance_px=2.0):
    ...     print(pair)
    (0.6065306597126334, (slice(0, 3, None),), (slice(2, 5, None),))
    """
    for steps in itertools.product(range(-reach, reach + 1), repeat=len(spatial)):
        offset = tuple(step * dilation for step in steps)
        if steps <= (0,) * len(spatial) or any(abs(o) >= n for o, n in zip(offset, spatial, strict=True)):
            continue
        here = tuple(slice(max(-o, 0), n - max(o, 0)) for o, n in zip(offset, spatial, strict=True))
        there = tuple(slice(max(o, 0), n - max(-o, 0)) for o, n in zip(offset, spatial, strict=True))
        yield math.exp(-0.5 * sum(o * o for o in offset) / distance_px**2), here, there
