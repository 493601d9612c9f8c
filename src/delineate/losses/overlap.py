"""Soft Dice: how well the outlined shapes overlap the true ones. It looks at a class as a whole."""

# ruff: noqa: UP037 (taken for a product, "batch *spatial" would lose the quotes it needs)

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from delineate.core import DataError
from delineate.losses.tally import Tally, tally

EPSILON = 1.0
"""Pixels added to both sides of the Dice fraction: what makes it defined, and gentle, for an absent class."""


def soft_dice(
    logits: Float[Tensor, "batch classes *spatial"],
    labels: Integer[Tensor, "batch *spatial"],
    *,
    epsilon: float = EPSILON,
) -> Float[Tensor, ""]:
    """1 - the mean over the classes but background of (2 Σpt + epsilon) / (Σp + Σt + epsilon): 0 (perfect) to 1.

    p is the probability of the class, t is 1 where it is true; the sums go over all labelled pixels of the batch.
    logits and labels as in `cross_entropy`. Background is left out: whatever is wrong there is wrong in another class.
    A class that no pixel has counts too: 0 if nothing is predicted as it, 1 - epsilon / (Σp + epsilon) otherwise,
    so false positives cost something, and epsilon (in pixels, > 0) says how many of them cost one half.
    No labelled pixel: 0.0, with a gradient of zeros. In float32, autocast or not. Differentiable once.
    For Dice image by image, call it image by image. Milletari, Navab & Ahmadi 2016, arXiv:1606.04797.
    Raises DataError where shapes, labels or epsilon do not fit.

    >>> even = torch.zeros(1, 2, 1, 4)  # p is 0.5 everywhere
    >>> round(float(soft_dice(even, torch.tensor([[[0, 0, 1, 1]]]))), 4)  # 1 - (2 * 1 + 1) / (2 + 2 + 1)
    0.4
    """
    return dice_of(tally(logits, labels), epsilon=epsilon)


def dice_of(sums: Tally, *, epsilon: float) -> Tensor:
    """Soft Dice from the sums of a batch."""
    if not 0 < epsilon < float("inf"):
        raise DataError(f"epsilon is {epsilon}: give a positive number of pixels, such as {EPSILON}")
    over = 2 * sums.shared[1:] + epsilon
    under = sums.predicted[1:] + sums.counts[1:] + epsilon
    return 1 - torch.mean(over / under)
