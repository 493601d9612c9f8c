"""What an attack climbs: each objective maps logits (n, classes, *spatial) and labels (n, *spatial) to one value an image (n,).

They differ in which pixels they care for. Cross-entropy goes on hurting pixels that are wrong already; the others turn to
those that are still right, which is what Dice counts. Unlabelled pixels have no slope. All are computed in float32.
`progress` goes from 0 (first step) to 1 (last).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from delineate.core import UNLABELLED

Objective = Callable[[Tensor, Tensor, float], Tensor]


class _Pixels(NamedTuple):
    """Per pixel (n, pixels): minus log probability of the true class; whether it is known; whether it is right; and the
    probabilities (n, classes, pixels) with the true class (n, pixels), 0 where nobody said."""

    surprise: Tensor
    known: Tensor
    right: Tensor
    log_likely: Tensor
    true: Tensor


SHARP = 4.0  # of 2, 4 and 8 that which does most to a model that was taught to withstand


def cross_entropy(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Mean over the labelled pixels: that of FGSM (Goodfellow et al. 2015, arXiv:1412.6572) and PGD (Madry et al. 2018,
    arXiv:1706.06083).

    >>> cross_entropy(torch.zeros(1, 2, 3), torch.tensor([[0, 1, 255]]), 0.0)  # ln 2
    tensor([0.6931])
    """
    truth = labels.flatten(1).long()
    surprise = F.cross_entropy(logits.float().flatten(2), truth, ignore_index=UNLABELLED, reduction="none")
    return surprise.sum(1) / (truth != UNLABELLED).sum(1).clamp(min=1)


def segpgd(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Pixels that are right weigh 1 - p, wrong ones p, where p rises from 0 to a half (Gu et al. 2022, arXiv:2207.12391)."""
    pixels = _pixels(logits, labels)
    wrong_weigh = progress / 2
    weights = torch.where(pixels.right, 1 - wrong_weigh, wrong_weigh)
    return _mean(pixels.surprise * weights, pixels.known)


def cospgd(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Each pixel weighs as the cosine between its probabilities and the truth (Agnihotri et al. 2024, arXiv:2302.02213)."""
    pixels = _pixels(logits, labels)
    likely = pixels.log_likely.detach().exp()
    of_true = likely.gather(1, pixels.true[:, None])[:, 0]
    return _mean(pixels.surprise * (of_true / likely.norm(dim=1)), pixels.known)


def masked_cross_entropy(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Only pixels that are still right count (Croce, Singh & Hein 2024, arXiv:2306.12941)."""
    pixels = _pixels(logits, labels)
    return _mean(pixels.surprise * pixels.right, pixels.known)


def jensen_shannon(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """Divergence from the truth, whose slope fades for pixels that are surely wrong (the same paper).

    With p the probability of the true class it is (ln(2 / (1 + p)) + p ln(2 p / (1 + p)) + (1 - p) ln 2) / 2.

    >>> jensen_shannon(torch.zeros(1, 2, 1), torch.tensor([[1]]), 0.0)  # p = 0.5
    tensor([0.2158])
    """
    pixels = _pixels(logits, labels)
    likely = torch.exp(-pixels.surprise)
    two = torch.log(2 / (1 + likely))
    divergence = (two + likely * (two - pixels.surprise) + (1 - likely) * 0.6931471805599453) / 2
    return _mean(divergence, pixels.known)


def lost_dice(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """1 - soft Dice, the mean over the classes but background that truth or prediction hold: the score itself, nearly.

    >>> lost_dice(torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]]), torch.tensor([[0, 1]]), 0.0).round(decimals=4).abs()
    tensor([0.])
    """
    pixels = _pixels(logits, labels)
    likely = pixels.log_likely.exp() * pixels.known[:, None]
    true = F.one_hot(pixels.true, logits.shape[1]).movedim(-1, 1) * pixels.known[:, None]
    both, total, truth = (likely * true).sum(2), (likely + true).sum(2), true.sum(2)
    held = (truth > 0)[:, 1:]
    each = ((2 * both + 1) / (total + 1))[:, 1:]
    weights = torch.where(held, 1.0, 0.1)  # of a class that is not there, false alarms count a little
    return 1 - (each * weights).sum(1) / weights.sum(1)


def sharp_lost_dice(logits: Tensor, labels: Tensor, progress: float) -> Tensor:
    """`lost_dice` of logits times SHARP: nearly counts pixels, so that those change first that are about to change their class.

    >>> logits, labels = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]]), torch.tensor([[0, 1]])
    >>> bool(sharp_lost_dice(logits, labels, 0.0) < lost_dice(logits, labels, 0.0))  # all pixels are right
    True
    """
    return lost_dice(logits * SHARP, labels, progress)


def _pixels(logits: Tensor, labels: Tensor) -> _Pixels:
    flat, truth = logits.float().flatten(2), labels.flatten(1)
    known = truth != UNLABELLED
    true = torch.where(known, truth, 0).long()
    log_likely = F.log_softmax(flat, 1)
    surprise = -log_likely.gather(1, true[:, None])[:, 0]
    right = -surprise.detach() >= log_likely.detach().amax(1)  # argmax would take ten times as long
    return _Pixels(surprise, known, right, log_likely, true)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum(1) / known.sum(1).clamp(min=1)
