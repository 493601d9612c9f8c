"""Attacks with a purpose: one object is made to vanish, or made to appear where there is nothing, and all else stays.

An attack that ruins a mask is noticed. One that takes away a single lesion is not, and shows what a model can be talked into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from delineate.audits.attack.ball import Ball
from delineate.audits.attack.climb import Logits, settling
from delineate.core import UNLABELLED
from delineate.data.intensities import Intensities

DONE = 0.9  # share of the pixels that must have the wanted label


@dataclass(frozen=True, eq=False)
class Target:
    """What the answer shall be: labels (n, *spatial), and the pixels `where` (n, *spatial) that it is about."""

    labels: Tensor
    where: Tensor


@dataclass(frozen=True)
class Achieved:
    """share: of the target's pixels that have the wanted label. elsewhere: share of the other pixels that changed theirs."""

    share: float
    elsewhere: float

    @property
    def done(self) -> bool:
        """Whether a reader of the mask would say that it worked."""
        return self.share >= DONE


def targeted(
    logits: Logits,
    images: Tensor,
    target: Target,
    *,
    ball: Ball,
    valid: Intensities,
    steps: int = 20,
) -> Tensor:
    """Images (n, channels, *spatial) changed so that the answer becomes that of the target; as `settling` otherwise.

    The pixels of the target weigh as much as all others together.
    """

    def nearness(answer: Tensor, wanted: Tensor, progress: float) -> Tensor:
        surprise = F.cross_entropy(answer.flatten(2), wanted.flatten(1), reduction="none")
        inside = target.where.flatten(1)
        there = (surprise * inside).sum(1) / inside.sum(1).clamp(min=1)
        others = (surprise * ~inside).sum(1) / (~inside).sum(1).clamp(min=1)
        return -there - others

    def share(answer: Tensor, wanted: Tensor) -> Tensor:
        hits = (answer.argmax(1) == wanted).flatten(1)
        inside = target.where.flatten(1)
        there = (hits & inside).sum(1) / inside.sum(1).clamp(min=1)
        return there + 0.5 * (hits & ~inside).sum(1) / (~inside).sum(1).clamp(min=1)

    return settling(
        logits,
        images,
        target.labels,
        objective=nearness,
        ball=ball,
        valid=valid,
        steps=steps,
        harm=share,
    )


def achieved(before: NDArray[np.uint8], after: NDArray[np.uint8], target: Target) -> Achieved:
    """How far the answer (*spatial) of a single image went from `before` to the target."""
    wanted, where = (t.cpu().numpy().reshape(before.shape) for t in (target.labels, target.where))
    others = max(int((~where).sum()), 1)
    return Achieved(float((after == wanted)[where].mean()), float((after != before)[~where].sum() / others))


def vanishing(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Target | None:
    """One object of the predicted labels (*spatial), the one of middle size among those that truth holds too, to become
    background; None where there is none."""
    from scipy import ndimage

    pieces, _ = ndimage.label((predicted > 0) & (predicted != UNLABELLED))
    ids, sizes = np.unique(pieces[(pieces > 0) & (truth == predicted)], return_counts=True)
    if not len(ids):
        return None
    where = pieces == ids[np.argsort(sizes, kind="stable")[len(ids) // 2]]
    return _target(np.where(where, 0, predicted), where)


def appearing(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Target | None:
    """A disc (a ball in 3D) of the commonest class, as large as the middle object, where the background is widest; None
    where there is no object to be like, or no room for a disc of 2 pixels."""
    from scipy import ndimage

    pieces, count = ndimage.label(predicted > 0)
    if not count:
        return None
    dims = max(1, sum(n > 1 for n in predicted.shape))
    size = float(np.median(np.bincount(pieces.ravel())[1:]))
    radius = (size / np.pi) ** 0.5 if dims <= 2 else (size * 3 / (4 * np.pi)) ** (1 / 3)
    empty = (predicted == 0) & (truth == 0)
    inside = np.pad(empty, [(1, 1) if n > 1 else (0, 0) for n in empty.shape])
    room = ndimage.distance_transform_edt(inside)[
        tuple(slice(1, -1) if n > 1 else slice(None) for n in empty.shape)
    ]
    centre = np.unravel_index(int(room.argmax()), room.shape)
    radius = min(radius, float(room.max()) - 1)
    if radius < 2:
        return None
    axes = np.ogrid[tuple(slice(n) for n in predicted.shape)]
    where = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) <= radius**2
    label = int(np.bincount(predicted[predicted > 0]).argmax())
    return _target(np.where(where, label, predicted), where)


def _target(labels: NDArray[np.integer[Any]], where: NDArray[np.bool_]) -> Target:
    return Target(torch.from_numpy(labels.astype(np.int64))[None], torch.from_numpy(where)[None])
