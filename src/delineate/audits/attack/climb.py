"""The one loop of every attack with gradients: look at the slope, take a step, come back inside, again.

`fgsm` and `pgd` are the plain attacks as published, `settling` is ours. `climbed` is what they are made of, for any objective;
with `harm` it keeps, for each image, the worst point that it passed, which costs nothing: the logits are there anyway.
Usable alone: `logits` is any function of tensors, a torch module in evaluation mode among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from delineate.audits.attack.ball import Ball
from delineate.audits.attack.objectives import Objective, cross_entropy
from delineate.core import UNLABELLED, DataError
from delineate.data.intensities import Intensities

Logits = Callable[[Tensor], Tensor]
"""(n, channels, *spatial) float32 intensities -> (n, classes, *spatial)."""

MOMENTUM = 0.75
FIRST = 0.5  # the longest stride, as a share of eps

Harm = Callable[[Tensor, Tensor], Tensor]
"""(logits, labels) -> how bad it is, (n,)."""

Judge = Callable[[Tensor], float]
"""Images (n, channels, *spatial) -> how bad the answer to them is, as finally counted."""


def fgsm(logits: Logits, images: Tensor, labels: Tensor, *, ball: Ball, valid: Intensities) -> Tensor:
    """One step of full length along the slope of cross-entropy; returns the changed images.

    images: (n, channels, *spatial) float32, intensities within `valid`. labels: (n, *spatial) class indices, UNLABELLED
    where nobody said. Goodfellow et al. 2015, arXiv:1412.6572. Raises DataError as `climbed`.

    >>> from delineate.audits.attack import LInf
    >>> bright = lambda x: torch.cat([100 - x, x - 100], 1)  # class 1 where it is brighter than 100
    >>> image, labels = torch.tensor([[[[102.0, 90.0]]]]), torch.tensor([[[1, 0]]])
    >>> fgsm(bright, image, labels, ball=LInf(4), valid=Intensities(0, 255, whole=True))
    tensor([[[[98., 94.]]]])
    """
    return climbed(logits, images, labels, objective=cross_entropy, ball=ball, valid=valid, strides=[1.0])


def pgd(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    valid: Intensities,
    steps: int = 20,
    stride: float = 0.25,
    objective: Objective = cross_entropy,
    seed: int | None = 0,
) -> Tensor:
    """`steps` steps of `stride` times eps from a random start (seed None: from the images); returns the last point.

    With objectives of their own these are SegPGD, CosPGD and the others. Arguments as `fgsm`; Madry et al. 2018,
    arXiv:1706.06083. Raises DataError as `climbed`.
    """
    return climbed(
        logits,
        images,
        labels,
        objective=objective,
        ball=ball,
        valid=valid,
        strides=[stride] * steps,
        start=None if seed is None else started(images, ball=ball, valid=valid, seed=seed),
    )


def settling(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    ball: Ball,
    valid: Intensities,
    steps: int,
    start: Tensor | None = None,
    harm: Harm | None = None,
) -> Tensor:
    """Strides from long to short, with momentum, and of all points the worst by `harm` (None: `lost`); otherwise as `climbed`."""
    return climbed(
        logits,
        images,
        labels,
        objective=objective,
        ball=ball,
        valid=valid,
        strides=fading(steps, first=FIRST),
        start=start,
        momentum=MOMENTUM,
        harm=harm or lost,
    )


def climbed(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    ball: Ball,
    valid: Intensities,
    strides: Sequence[float],
    start: Tensor | None = None,
    momentum: float = 0.0,
    harm: Harm | None = None,
    judge: Judge | None = None,
) -> Tensor:
    """As many steps as there are strides, each a share of eps; images changed within `ball` and `valid`.

    start: the first point, or the images themselves. momentum: share of the former slope that is kept, each slope brought
    to one length before. harm: the worst point of each image is returned, not the last. judge: the same by a verdict on all
    images together, in place of `harm`: dearer, for each point is answered once more. Raises DataError where eps is not
    positive, where shapes do not fit, or where the logits have no gradient with respect to the images.
    """
    if not ball.eps > 0 or not strides:
        raise DataError(
            f"an attack of eps {ball.eps:g} in {len(strides)} steps changes nothing: give positive numbers"
        )
    point = (images if start is None else start).detach()
    heading = torch.zeros_like(images)
    worst, most = point, torch.full((len(images),), -torch.inf, device=images.device)
    for i, stride in enumerate(strides):
        point = point.detach().requires_grad_()
        answer = _answered(logits, point, labels)
        value = objective(answer, labels, i / len(strides)).sum()
        if not value.requires_grad:
            raise DataError("the model's logits have no gradient: use the black-box attack")
        (slope,) = torch.autograd.grad(value, point)
        with torch.no_grad():
            if judge is not None:
                worst, most = _worse(torch.full_like(most, judge(point.detach())), point, most, worst)
            elif harm is not None:
                worst, most = _worse(harm(answer, labels), point, most, worst)
            if momentum:
                length = slope.flatten(1).abs().mean(1).clamp(min=1e-30)
                heading = momentum * heading + slope / length.reshape(-1, *(1,) * (slope.ndim - 1))
                slope = heading
            change = ball.inside(point + ball.step(slope, size=stride) - images)
            point = (images + change).clamp(valid.low, valid.high)
    if judge is not None:
        return _worse(torch.full_like(most, judge(point.detach())), point, most, worst)[0].detach()
    if harm is None:
        return point.detach()
    with torch.no_grad():
        return _worse(harm(_answered(logits, point, labels), labels), point, most, worst)[0].detach()


def started(images: Tensor, *, ball: Ball, valid: Intensities, seed: int) -> Tensor:
    """The images with a random change within `ball` and `valid`."""
    generator = torch.Generator().manual_seed(seed)
    return (images + ball.start(images, generator=generator)).clamp(valid.low, valid.high)


def fading(steps: int, *, first: float = 1.0) -> list[float]:
    """Strides that shrink evenly to nearly nothing: long ones cross the ball, short ones settle.

    >>> fading(4)
    [1.0, 0.75, 0.5, 0.25]
    """
    return [first * (1 - i / steps) for i in range(steps)]


def lost(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - Dice, the mean over the classes but background that truth holds, (n,), ties settled by the share of wrong pixels.

    Where truth holds none of them, the share of wrong pixels alone.

    >>> lost(torch.tensor([[[9.0, 9.0], [-9.0, -9.0]]]), torch.tensor([[0, 1]])).round(decimals=2)
    tensor([1.])
    """
    known, top = labels != UNLABELLED, logits.amax(1)  # argmax would take ten times as long
    of_truth = logits.gather(1, torch.where(known, labels, 0).long()[:, None])[:, 0]
    wrong = ((of_truth < top) & known).flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
    total, held = torch.zeros_like(wrong), torch.zeros_like(wrong)
    for label in range(1, logits.shape[1]):
        true, guess = (labels == label), (logits[:, label] >= top) & known
        size, both = true.flatten(1).sum(1), (true & guess).flatten(1).sum(1)
        here = size > 0
        total += torch.where(here, 2 * both / (size + guess.flatten(1).sum(1)).clamp(min=1), 0.0)
        held += here
    return torch.where(held > 0, 1 - total / held.clamp(min=1), 0.0) + 1e-3 * wrong


def _answered(logits: Logits, point: Tensor, labels: Tensor) -> Tensor:
    answer = logits(point)
    if answer.ndim < 3 or answer.shape[0] != labels.shape[0] or answer.shape[2:] != labels.shape[1:]:
        raise DataError(
            f"logits have shape {tuple(answer.shape)} but labels {tuple(labels.shape)}: give (n, classes, *spatial) "
            "for labels (n, *spatial)"
        )
    return answer.float()


def _worse(now: Tensor, point: Tensor, most: Tensor, worst: Tensor) -> tuple[Tensor, Tensor]:
    """Per image, the worse of a point and the worst so far, and how bad that is."""
    gained = (now > most).reshape(-1, *(1,) * (point.ndim - 1))
    return torch.where(gained, point.detach(), worst), torch.maximum(now, most)
