"""Learning from strokes and points: what teaches the pixels about which nobody said anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from delineate.core import UNLABELLED
from delineate.losses import colour_smoothness, cross_entropy_and_dice, soft_dice, total_variation


@dataclass(frozen=True)
class Weak:
    """How much each of the teachers of unlabelled pixels weighs."""

    smoothness: float = 1.0
    contrast: float = 0.1
    variation: float = 0.0
    teacher: float = 0.5
    mixing: bool = True
    entropy: float = 0.0
    sure: float = 0.0
    ramp: float = 0.3
    cross: bool = False


def unsaid(settings: Weak, logits: Tensor, images: Tensor, labels: Tensor, taught: Tensor | None, *, progress: float, share: float) -> Tensor:
    """What the unlabelled pixels of a batch cost."""
    ramp = min(1.0, progress / settings.ramp) if settings.ramp else 1.0
    loss = logits.sum() * 0
    if settings.smoothness:
        loss = loss + settings.smoothness * ramp * colour_smoothness(logits, images, contrast=settings.contrast)
    if settings.variation:
        loss = loss + settings.variation * ramp * total_variation(logits)
    if settings.entropy:
        loss = loss + settings.entropy * ramp * colour_smoothness(logits, images, contrast=1e3, reach=1,dilation=1,distance_px=1)
    if taught is not None and settings.teacher:
        with torch.no_grad():
            likely = taught.float().softmax(1)
            if settings.mixing:
                likely = likely.lerp(logits.float().softmax(1), share)
            best = likely.max(1)
            pseudo = best.indices.to(torch.uint8)
            pseudo[best.values < settings.sure] = UNLABELLED
            pseudo = torch.where(labels == UNLABELLED, pseudo, labels)
        of = cross_entropy_and_dice if settings.cross else soft_dice
        loss = loss + settings.teacher * ramp * of(logits, pseudo)
    return loss
