"""Losses: cross-entropy looks at pixels, soft Dice at shapes, their sum at both.

All take logits (batch, classes, *spatial) and labels (batch, *spatial), leave unlabelled pixels out, and are
computed in float32. To add one, write it on the sums of `tally` and give it a line in LOSSES. Beside them stand the
priors, which read logits and the images but no label: what to expect of an outline where nobody said anything.
"""

from collections.abc import Callable

from torch import Tensor

from delineate.losses.combined import cross_entropy_and_dice
from delineate.losses.entropy import binary_cross_entropy, cross_entropy
from delineate.losses.overlap import EPSILON, soft_dice
from delineate.losses.regression import smooth_l1
from delineate.losses.smoothness import colour_smoothness, total_variation
from delineate.losses.tally import Tally, tally

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "soft_dice": soft_dice,
    "cross_entropy_and_dice": cross_entropy_and_dice,
}
"""Every loss of (logits, labels) by name; tests/losses/test_every_loss.py holds each to one contract."""

PRIORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "colour_smoothness": colour_smoothness,
    "total_variation": lambda logits, _: total_variation(logits),
}
"""Every prior of (logits, images) by name; tests/losses/test_every_prior.py holds each to one contract."""

__all__ = [
    "EPSILON",
    "LOSSES",
    "PRIORS",
    "Tally",
    "binary_cross_entropy",
    "colour_smoothness",
    "cross_entropy",
    "cross_entropy_and_dice",
    "smooth_l1",
    "soft_dice",
    "tally",
    "total_variation",
]
