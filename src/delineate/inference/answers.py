"""What the numbers are that a foreign network answers with, logits or probabilities.

Nothing tells, so it is seen once, by answers to black, white and noise, and does not change from image to image: a dim image
alone may get logits that lie between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from delineate.core import ModelError

Outputs = Literal["logits", "probabilities"]
OUTPUTS: tuple[Outputs, ...] = ("logits", "probabilities")

BEYOND = 0.3  # by how much bicubic interpolation may carry a probability beyond 0 and 1


def shown(black: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Black, white (1) and noise in between, of the shape, type and device of `black`."""
    noise = torch.rand(black.shape, generator=torch.Generator().manual_seed(0)).to(black)
    return black, torch.ones_like(black), noise


def outputs_of(answers: Sequence[Tensor]) -> Outputs:
    """What answers (n, classes or 1, *spatial) to such images are: probabilities only where all of them look it."""
    return "probabilities" if all(map(look_like_probabilities, answers)) else "logits"


def look_like_probabilities(scores: Tensor) -> bool:
    """Whether scores (n, classes or 1, *spatial) lie between 0 and 1 and sum to 1, or are a single channel of such.

    Bicubic interpolation of probabilities goes beyond 0 and 1 by a quarter where it is wildest.
    """
    known = scores.detach()
    within = bool((known >= -BEYOND).all()) and bool((known <= 1 + BEYOND).all())
    if not within or known.shape[1] == 1:
        return within
    return torch.allclose(known.sum(1), torch.ones(()).to(known), atol=1e-2)


def check_outputs(scores: Tensor, outputs: Outputs | None, name: str, *, remedy: str) -> None:
    """Raise ModelError where probabilities were seen, and scores (n, classes or 1, *spatial) are none."""
    if outputs == "probabilities" and not look_like_probabilities(scores):
        raise ModelError(
            f"{name} was taken to give probabilities, as it does for black, white and noise, but answers with "
            f"{float(scores.min()):.3g} to {float(scores.max()):.3g} here: {remedy}"
        )


def as_probabilities(scores: Tensor, outputs: Outputs) -> Tensor:
    """Probabilities of at least two classes (n, classes, *spatial) from scores (n, classes or 1, *spatial).

    What interpolation carried beyond 0 and 1 is cut off.

    >>> as_probabilities(torch.tensor([[[0.25, 1.1]]]), "probabilities").tolist()
    [[[0.75, 0.0], [0.25, 1.0]]]
    """
    single = scores.shape[1] == 1
    if outputs == "logits" and not single:
        return scores.softmax(1)
    likely = scores.sigmoid() if outputs == "logits" else scores.clamp(0, 1)
    return torch.cat([1 - likely, likely], dim=1) if single else likely / likely.sum(1, keepdim=True)
