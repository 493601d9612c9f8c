"""What every loss here is made of: four sums per class over the labelled pixels, and how they slope.

    entropies   -log p of the true class, summed over the pixels of that class
    predicted   p of the class, summed over all labelled pixels
    shared      p of the class, summed over the pixels of that class
    counts      how many pixels the class has

Cross-entropy and soft Dice are one line each on these sums, so torch differentiates that line itself; only the
way from the logits to the sums is written by hand, in `Sums`. It goes over the logits piece by piece, once
forward and once backward, and keeps one number per pixel between the two. Two classes have a shorter way, since
only the difference of their logits matters. The equations are derived in docs/losses.md.
"""

# ruff: noqa: UP037 (taken for a product, "batch *spatial" would lose the quotes it needs)

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

from delineate.core import DataError
from delineate.losses.pieces import matrix, narrowed, one_hot, pieces, store

PER_LN2 = 1 / math.log(2)  # torch's exp2 is more than twice as fast as its exp on CPUs


class Tally(NamedTuple):
    """Sums per class over the labelled pixels of a batch, each (classes,); float64 for float64 logits, else float32."""

    entropies: Tensor
    predicted: Tensor
    shared: Tensor
    counts: Tensor


def tally(
    logits: Float[Tensor, "batch classes *spatial"], labels: Integer[Tensor, "batch *spatial"]
) -> Tally:
    """The sums over a batch; differentiable once with respect to `logits`.

    logits: any floating dtype and memory format, 2 classes or more, finite on unlabelled pixels too. labels: class
    indices, or UNLABELLED.
    Computed in float32 (float64 for float64 logits), autocast or not. Raises DataError where shapes, dtypes or
    labels do not fit.

    >>> tally(torch.zeros(1, 2, 1, 3), torch.tensor([[[0, 1, 255]]])).predicted
    tensor([1., 1.])
    """
    if logits.ndim < 3 or not logits.is_floating_point():
        raise DataError(
            f"logits are {logits.dtype} of shape {tuple(logits.shape)}: give floats (batch, classes, *spatial)"
        )
    classes = logits.shape[1]
    if classes < 2:
        raise DataError(
            "logits have a single channel: give one for each class, background included, "
            "or use binary_cross_entropy for a single map"
        )
    if labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise DataError(
            f"labels have shape {tuple(labels.shape)} but logits {tuple(logits.shape)}: "
            "give labels (batch, *spatial) of the same batch and size"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"labels are {labels.dtype}: give class indices as uint8 or int64")
    narrow = narrowed(labels.detach(), classes=classes)
    if narrow is None:
        raise DataError(
            f"labels hold a value that is neither a class (0 to {classes - 1}) nor 255 for unlabelled: "
            "convert them first"
        )
    sums: Tensor = Sums.apply(logits.flatten(2), narrow.flatten(1))  # type: ignore[no-untyped-call]
    return Tally(*sums.unbind())


class Sums(torch.autograd.Function):
    """From logits (batch, classes, pixels) and labels (batch, pixels) to the rows of a Tally, (4, classes)."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, labels: Tensor) -> Tensor:
        """Sum up, piece by piece."""
        batch, classes, pixels = flat.shape
        dtype = torch.float64 if flat.dtype == torch.float64 else torch.float32
        kept = torch.empty(batch, pixels, dtype=dtype, device=flat.device)
        sums = torch.zeros(4, classes, dtype=dtype, device=flat.device)
        measure = _two_classes if classes == 2 else _many_classes
        with torch.autocast(flat.device.type, enabled=False):
            for piece in pieces(flat):
                hot = one_hot(labels, piece, classes=classes, dtype=dtype)
                part, keep = measure(matrix(flat, piece, dtype), hot)
                sums += part
                kept[piece] = keep.view(kept[piece].shape)
        ctx.save_for_backward(flat, labels, kept)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        """Slope of the loss along the logits, from its `slopes` along the sums; not differentiable again."""
        flat, labels, kept = ctx.saved_tensors
        slope = torch.empty_like(flat)
        classes = flat.shape[1]
        with torch.autocast(flat.device.type, enabled=False):
            for piece in pieces(flat):
                keep = kept[piece].reshape(-1)
                if classes == 2:
                    rows = _two_slopes(keep, slopes)
                else:
                    hot = one_hot(labels, piece, classes=classes, dtype=kept.dtype)
                    rows = _many_slopes(matrix(flat, piece, kept.dtype), hot, keep, slopes)
                store(rows, slope, piece)
        return slope, None


def _two_classes(logits: Tensor, hot: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (4, 2), and per pixel p₁ - t: how far the probability of class 1 is off."""
    sign = hot[0] - hot[1]  # 1, -1, and 0 where unlabelled
    lead = (logits[1] - logits[0]).mul_(sign)  # by how much the wrong class leads
    entropies = hot @ softplus(lead)
    wrong = lead.sigmoid_()  # probability of the wrong class
    lost = hot @ wrong
    counts = hot.sum(1)
    shared = counts - lost
    return torch.stack([entropies, shared + lost.flip(0), shared, counts]), wrong.mul_(sign)


def _two_slopes(off: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (2, pixels) from p₁ - t, which is positive on class 0, negative on class 1, 0 where unlabelled."""
    (entropy_0, entropy_1), (predicted_0, predicted_1), (shared_0, shared_1), _ = slopes.tolist()
    overlap_0 = (
        predicted_1 - predicted_0 - shared_0
    )  # slope along the probability of the wrong class, on class 0
    overlap_1 = predicted_0 - predicted_1 - shared_1  # and on class 1
    rows = torch.empty(2, len(off), dtype=off.dtype, device=off.device)
    on_0, on_1 = off.clamp(min=0), off.clamp(max=0)
    slope = torch.mul(on_0, entropy_0 + overlap_0, out=rows[1])
    slope.addcmul_(on_0, on_0, value=-overlap_0)
    slope.add_(on_1, alpha=entropy_1 + overlap_1)
    slope.addcmul_(on_1, on_1, value=overlap_1)
    torch.neg(slope, out=rows[0])
    return rows


def _many_classes(logits: Tensor, hot: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (4, classes), and per pixel the logarithm of the sum of exponentials."""
    top = logits.amax(0)
    shifted = logits - top
    true = (shifted * hot).sum(0)
    powers = shifted.mul_(PER_LN2).exp2_()
    total = powers.sum(0)
    predicted = powers @ (hot.sum(0) / total)
    log_total = total.log_()
    entropy = log_total - true
    entropies, shared, counts = torch.stack([entropy, (-entropy).exp_(), torch.ones_like(entropy)]) @ hot.T
    return torch.stack([entropies, predicted, shared, counts]), log_total.add_(top)


def _many_slopes(logits: Tensor, hot: Tensor, log_total: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (classes, pixels): the Jacobian of softmax, p_c (1[c = k] - p_k), applied to the slopes along p."""
    along_entropy, along_predicted, along_shared, _ = slopes
    p = (logits - log_total).mul_(PER_LN2).exp2_()
    true = (p * hot).sum(0)
    labelled = hot.sum(0)
    entropy = along_entropy @ hot
    shared = (along_shared @ hot).mul_(true)
    rows: Tensor = p * (entropy - shared - labelled * (along_predicted @ p))
    rows.addcmul_(p.mul_(labelled), along_predicted[:, None])
    rows.addcmul_(hot, shared - entropy)
    return rows
