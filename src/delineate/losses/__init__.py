"""Losses: cross-entropy looks at pixels, soft Dice at shapes, their sum at both.

All take logits (batch, classes, *spatial) and labels (batch, *spatial), leave unlabelled pixels out, and are
computed in float32. To add one, write it on the sums of `tally` and give it a line in LOSSES.
"""

from collections.abc import Callable

from torch import Tensor

from delineate.losses.combined import cross_entropy_and_dice
from delineate.losses.entropy import binary_cross_entropy, cross_entropy
from delineate.losses.overlap import EPSILON, soft_dice
from delineate.losses.regression import smooth_l1
from delineate.losses.tally import Tally, tally

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "soft_dice": soft_dice,
    "cross_entropy_and_dice": cross_entropy_and_dice,
}
"""Every loss of (logits, labels) by name; tests/losses/test_every_loss.py holds each to one contract."""

__all__ = [
    "EPSILON",
    "LOSSES",
    "Tally",
    "binary_cross_entropy",
    "cross_entropy",
    "cross_entropy_and_dice",
    "smooth_l1",
    "soft_dice",
    "tally",
]
