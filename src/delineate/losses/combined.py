"""The sum of cross-entropy and soft Dice: pixels and shapes at once, from one pass over the logits."""

# ruff: noqa: UP037 (taken for a product, "batch *spatial" would lose the quotes it needs)

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Integer
from torch import Tensor

from delineate.core import DataError
from delineate.losses.entropy import entropy_of
from delineate.losses.overlap import EPSILON, dice_of
from delineate.losses.tally import tally


def cross_entropy_and_dice(
    logits: Float[Tensor, "batch classes *spatial"],
    labels: Integer[Tensor, "batch *spatial"],
    *,
    weights: Sequence[float] | None = None,
    dice_weight: float = 1.0,
    epsilon: float = EPSILON,
) -> Float[Tensor, ""]:
    """`cross_entropy` + dice_weight * `soft_dice`, in the time of one of them.

    weights are the class weights of cross-entropy and leave Dice alone; everything else as in the two functions.

    >>> import torch
    >>> from delineate.losses import cross_entropy, soft_dice
    >>> logits, labels = torch.zeros(1, 2, 1, 4), torch.tensor([[[0, 0, 1, 255]]])
    >>> both = cross_entropy_and_dice(logits, labels, dice_weight=0.5)
    >>> bool(both == cross_entropy(logits, labels) + 0.5 * soft_dice(logits, labels))
    True
    """
    if not 0 <= dice_weight < float("inf"):
        raise DataError(f"dice_weight is {dice_weight}: give a number >= 0")
    sums = tally(logits, labels)
    return entropy_of(sums, weights=weights) + dice_weight * dice_of(sums, epsilon=epsilon)
