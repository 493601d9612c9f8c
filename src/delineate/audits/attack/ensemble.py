"""Several attacks, and for each image the one that hurts it most: what one objective spares, another finds.

Members take the same number of steps each, shrinking from long to short, with momentum, and keep the worst point that they
passed. Half of them start from noise; the later ones go on from the worst image so far, so that their gains add up.
After SEA (Croce, Singh & Hein 2024, arXiv:2306.12941), with the score itself as one more objective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from delineate.audits.attack.ball import Ball
from delineate.audits.attack.climb import Logits, climbed, lost, settling, started
from delineate.audits.attack.objectives import (
    Objective,
    cospgd,
    cross_entropy,
    jensen_shannon,
    lost_dice,
    masked_cross_entropy,
    segpgd,
)
from delineate.data.intensities import Intensities

OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": cross_entropy,
    "SegPGD": segpgd,
    "CosPGD": cospgd,
    "masked cross-entropy": masked_cross_entropy,
    "Jensen-Shannon": jensen_shannon,
    "lost Dice": lost_dice,
}
"""What the members climb, in their order; to add one is a line."""

STRIDE = 0.25  # of the plain members
PLAIN = {
    "PGD (cross-entropy), plain steps": "cross-entropy",
    "SegPGD, plain steps": "SegPGD",
    "CosPGD, plain steps": "CosPGD",
}
"""Members as published: strides of one length, no momentum; against models that were taught to withstand they do most."""

GOES_ON = ("masked cross-entropy", "Jensen-Shannon", "lost Dice")  # from the worst so far

Judge = Callable[[Tensor], float]
"""Images (n, channels, *spatial) -> how bad the answer to them is, as finally counted."""


@dataclass(frozen=True, eq=False)
class Worst:
    """images: of the worst member, as a file can hold them. harm: theirs. by: its name. each: name -> harm of each member."""

    images: Tensor
    harm: float
    by: str
    each: Mapping[str, float]


def ensemble(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    valid: Intensities,
    steps: int = 20,
    seed: int = 0,
    judge: Judge | None = None,
    held: Callable[[Tensor], Tensor] = torch.clone,
    other: Logits | None = None,
) -> Worst:
    """The worst that any member does to one image, or one stack of slices, (n, channels, *spatial) float32 intensities.

    labels: (n, *spatial). judge: what decides between members (None: 1 - Dice by `logits`). held: what a file keeps of the
    images, before they are judged; see `files.held`. other: another slope of the same model, for cross-entropy in plain steps;
    see `quick`. The images themselves are judged first, so no attack makes a score better;
    then the members, in their order.
    Raises DataError as `climbed`.
    """
    count = judge or (lambda given: float(lost(_no_grad(logits, given), labels).mean()))
    worst = Worst(images, count(images), "none", {})
    each: dict[str, float] = {}
    for number, (name, objective) in enumerate(OBJECTIVES.items()):
        goes_on = name in GOES_ON and worst.by != "none"
        found = held(
            settling(
                logits,
                images,
                labels,
                objective=objective,
                ball=ball,
                valid=valid,
                steps=steps,
                start=worst.images
                if goes_on
                else started(images, ball=ball, valid=valid, seed=seed + number),
            )
        )
        each[name] = count(found)
        if each[name] > worst.harm:
            worst = Worst(found, each[name], name, {})
    for called, name in PLAIN.items():
        found = held(
            climbed(
                other if other is not None and name == "cross-entropy" else logits,
                images,
                labels,
                objective=OBJECTIVES[name],
                ball=ball,
                valid=valid,
                strides=[STRIDE] * steps,
                start=started(images, ball=ball, valid=valid, seed=seed),
                harm=lost,
            )
        )
        each[called] = count(found)
        if each[called] > worst.harm:
            worst = Worst(found, each[called], called, {})
    return Worst(worst.images, worst.harm, worst.by, each)


def _no_grad(logits: Logits, images: Tensor) -> Tensor:
    with torch.no_grad():
        return logits(images).float()
