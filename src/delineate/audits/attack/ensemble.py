"""Several attacks, and for each image the one that hurts it most: what one objective spares, another finds.

Members take the same number of steps each, shrinking from long to short, with momentum, and keep the worst point that they
passed. Most of them start from noise; the last ones go on from the worst image so far, so that their gains add up, and judge
each point as it is finally counted.
After SEA (Croce, Singh & Hein 2024, arXiv:2306.12941), with the score itself as one more objective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from delineate.audits.attack.ball import Ball
from delineate.audits.attack.climb import FIRST, MOMENTUM, Judge, Logits, climbed, fading, lost, started
from delineate.audits.attack.objectives import (
    Objective,
    cospgd,
    cross_entropy,
    jensen_shannon,
    lost_dice,
    masked_cross_entropy,
    segpgd,
    sharp_lost_dice,
)
from delineate.data.intensities import Intensities

OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": cross_entropy,
    "SegPGD": segpgd,
    "CosPGD": cospgd,
    "masked cross-entropy": masked_cross_entropy,
    "Jensen-Shannon": jensen_shannon,
    "lost Dice": lost_dice,
    "sharp lost Dice": sharp_lost_dice,
}
"""What an attack may climb; to add one is a line."""

STRIDE = 0.25  # of the plain members, as a share of eps
SHORT = 0.2  # the longest stride where long ones lead away from what was found


@dataclass(frozen=True)
class Member:
    """What a member climbs (a name in OBJECTIVES), and how.

    first: its longest stride, as a share of eps. plain: as published, strides of one length and no momentum. exact: along the
    more exact of two slopes. goes_on: from the worst so far, not from noise, and each point that it passes is judged, not
    its worst by logits alone.
    """

    objective: str
    first: float = FIRST
    plain: bool = False
    exact: bool = False
    goes_on: bool = False


MEMBERS: dict[str, Member] = {
    **{name: Member(name) for name in ("cross-entropy", "SegPGD", "CosPGD")},
    "PGD (cross-entropy), plain steps": Member("cross-entropy", plain=True, exact=True),
    "SegPGD, plain steps": Member("SegPGD", plain=True),
    "CosPGD, plain steps": Member("CosPGD", plain=True),
    "masked cross-entropy": Member("masked cross-entropy", exact=True, goes_on=True),
    "Jensen-Shannon": Member("Jensen-Shannon", first=SHORT, exact=True, goes_on=True),
    "lost Dice": Member("lost Dice", exact=True, goes_on=True),
    "lost Dice, short strides": Member("lost Dice", first=SHORT, exact=True, goes_on=True),
    "cross-entropy from the worst": Member("cross-entropy", plain=True, exact=True, goes_on=True),
    "sharp lost Dice": Member("sharp lost Dice", plain=True, exact=True, goes_on=True),
}
"""All in their order. Plain steps and short ones do most against models that were taught to withstand."""

NamedJudge = Callable[[str, Tensor], float]
"""(name of a member, or CLEAN; images) -> how bad the answer to them is, as finally counted."""

CLEAN = "clean"


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
    judge: NamedJudge | None = None,
    held: Callable[[Tensor], Tensor] = torch.clone,
    exact: Logits | None = None,
) -> Worst:
    """The worst that any member does to one image, or one stack of slices, (n, channels, *spatial) float32 intensities.

    labels: (n, *spatial). judge: what decides between members (None: 1 - Dice by `logits`). held: what a file keeps of the
    images, before they are judged; see `files.held`. exact: a more exact slope of the same model (see `quick`), for the
    members that want one. The images themselves are judged first, so no attack makes a score better; then the members, in
    their order, what each found last.
    Raises DataError as `climbed`.
    """
    count = judge or (lambda _name, given: float(lost(_no_grad(logits, given), labels).mean()))

    def judging(name: str) -> Judge:
        return lambda point: count(name, held(point))

    worst, each = Worst(images, count(CLEAN, images), "none", {}), {}
    for number, (name, member) in enumerate(MEMBERS.items()):
        noise = started(images, ball=ball, valid=valid, seed=seed if member.plain else seed + number)
        found = held(
            climbed(
                exact if exact and member.exact else logits,
                images,
                labels,
                objective=OBJECTIVES[member.objective],
                ball=ball,
                valid=valid,
                strides=[STRIDE] * steps if member.plain else fading(steps, first=member.first),
                momentum=0.0 if member.plain else MOMENTUM,
                start=worst.images if member.goes_on and worst.by != "none" else noise,
                harm=lost,
                judge=judging(name) if member.goes_on else None,
            )
        )
        each[name] = count(name, found)
        if each[name] > worst.harm:
            worst = Worst(found, each[name], name, {})
    return Worst(worst.images, worst.harm, worst.by, each)


def _no_grad(logits: Logits, images: Tensor) -> Tensor:
    with torch.no_grad():
        return logits(images).float()
