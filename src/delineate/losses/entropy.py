"""Cross-entropy: how surprised the network is by each pixel's label. It looks at pixels, one by one."""

# ruff: noqa: UP037 (taken for a product, "batch *spatial" would lose the quotes it needs)

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from delineate.core import DataError
from delineate.losses.tally import Tally, tally


def cross_entropy(
    logits: Float[Tensor, "batch classes *spatial"],
    labels: Integer[Tensor, "batch *spatial"],
    *,
    weights: Sequence[float] | None = None,
) -> Float[Tensor, ""]:
    """Mean of -log(probability of the true class) over the labelled pixels: 0 (perfect) and up.

    logits: finite floats, before softmax, 2 classes or more; one that is infinite or nan, on an unlabelled pixel too, may
    make the loss nan. labels: class indices, uint8 or int64, UNLABELLED (255) where nobody said. weights: one number >= 0
    per class; a weighted mean then, so that weights that are all equal change nothing. No labelled pixel (or only of weight 0):
    0.0, with a gradient of zeros.
    Computed in float32, autocast or not; the gradient has the dtype of the logits. Differentiable once.
    Raises DataError where shapes, labels or weights do not fit.

    >>> logits = torch.tensor([[[0.0, 2.0]], [[0.0, -2.0]]])[None]  # 50 % and 98 % class 0
    >>> round(float(cross_entropy(logits, torch.tensor([[[0, 0]]]))), 4)  # (ln 2 + ln(1 + exp(-4))) / 2
    0.3556
    """
    return entropy_of(tally(logits, labels), weights=weights)


def entropy_of(sums: Tally, *, weights: Sequence[float] | None) -> Tensor:
    """Cross-entropy from the sums of a batch."""
    entropies, counts = sums.entropies, sums.counts
    if weights is not None:
        if len(weights) != len(counts) or not all(0 <= weight < float("inf") for weight in weights):
            raise DataError(
                f"class weights are {list(weights)} for {len(counts)} classes: give one number >= 0 per class"
            )
        each = torch.tensor([float(weight) for weight in weights], dtype=counts.dtype, device=counts.device)
        entropies, counts = entropies * each, counts * each
    total = counts.sum()
    return entropies.sum() / (total + (total == 0))


def binary_cross_entropy(
    logits: Float[Tensor, "batch *spatial"],
    targets: Float[Tensor, "batch *spatial"],
    *,
    positive_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Cross-entropy of a map whose pixels are more or less true: object borders, distances to them.

    logits: before the sigmoid. targets: from 0 to 1; nan where nobody said, which contributes nothing.
    positive_weight multiplies what the true share of a pixel costs, for maps that are mostly 0.
    -mean(positive_weight * t * log(sigmoid(x)) + (1 - t) * log(1 - sigmoid(x))) over the pixels that are not nan;
    none: 0.0, with a gradient of zeros. In float32, autocast or not.
    Raises DataError where shapes differ, a target is outside 0 to 1, or the weight is not a positive number.

    >>> round(float(binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, float("nan")]]))), 4)  # ln 2
    0.6931
    """
    if logits.shape != targets.shape:
        raise DataError(
            f"targets have shape {tuple(targets.shape)} but logits {tuple(logits.shape)}: give one target per logit"
        )
    if not 0 < positive_weight < float("inf"):
        raise DataError(f"positive_weight is {positive_weight}: give a positive number")
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    known = ~targets.isnan()
    true = targets.to(dtype).masked_fill(~known, 0)
    if bool(((true < 0) | (true > 1)).any()):
        raise DataError("targets go outside 0 to 1: scale them, and put nan where nobody said")
    with torch.autocast(logits.device.type, enabled=False):
        costs = binary_cross_entropy_with_logits(
            logits.to(dtype).masked_fill(~known, 0),
            true,
            weight=known.to(dtype),
            pos_weight=torch.tensor(positive_weight, dtype=dtype, device=logits.device),
            reduction="sum",
        )
    return costs / known.sum().clamp(min=1)
