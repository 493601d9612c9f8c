"""Adversarial training: before the network learns from a crop, the crop is changed, within limits, to what it finds hardest.

The crop gets noise, then one step along the sign of the slope of the loss, and is not cut back (N-FGSM, de Jorge et al. 2022,
arXiv:2202.01181). One step is cheap, but a network may learn to hide its slope from just that step and fall to any
other attack (catastrophic overfitting, Wong et al. 2020, arXiv:2001.03994). The noise prevents most of that; every tenth batch
several small steps are taken instead, so that hiding would not pay.

Limits are intensities of the files, but crops are normalised image by image: in an image whose percentiles lie 40 intensities
apart, 4 intensities are 0.1. So every crop carries the span that its image was divided by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from delineate.losses import cross_entropy

NOISE = 2.0  # in units of the limit, as de Jorge et al. advise; 1 keeps less Dice at full size: docs/audit/attack.md
SEVERAL, EVERY = 3, 10  # steps of the stronger attack, and at which batches it is used
SHARE = 1.0  # of the crops of a batch that are changed


def hardened(
    logits_of: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    limits: Tensor,
    seed: int,
    step: int,
    share: float = SHARE,
) -> Tensor:
    """The crops (n, channels, *spatial), normalised, with the first `share` of them perturbed against `logits_of`.

    labels: (n, *spatial) class indices, UNLABELLED where nobody said: such pixels give the attack no slope. limits: (n,
    channels), how far a pixel is pushed by the step, in units of the normalised crop; the noise before it reaches as
    far. Repeatable: a pure function of its arguments.

    >>> bright = lambda x: torch.cat([-x, x], 1)  # class 1 where it is bright
    >>> crops, truth = torch.zeros(2, 1, 32, 32), torch.ones(2, 32, 32, dtype=torch.uint8)
    >>> harder = hardened(bright, crops, truth, limits=torch.full((2, 1), 0.1), seed=0, step=1, share=0.5)
    >>> float(harder[0].mean()) < -0.05, torch.equal(harder[1], crops[1])
    (True, True)
    """
    count = max(1, round(share * len(images)))
    clean, truth = images[:count], labels[:count]
    reach = limits[:count].to(images).reshape(*limits[:count].shape, *(1,) * (images.ndim - 2))
    rng = np.random.default_rng([seed, step, 1])
    noise = torch.from_numpy(rng.uniform(-1, 1, tuple(clean.shape)).astype(np.float32)).to(images)
    if step % EVERY:
        harder = pushed(logits_of, clean + NOISE * reach * noise, truth, by=reach)
    else:
        harder = clean + reach * noise
        for _ in range(SEVERAL):
            further = pushed(logits_of, harder, truth, by=reach / 2)
            harder = clean + torch.maximum(torch.minimum(further - clean, reach), -reach)
    return torch.cat([harder, images[count:]])


def pushed(logits_of: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, *, by: Tensor) -> Tensor:
    """Images moved by `by` (broadcast) along the sign of the slope of cross-entropy."""
    images = images.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cross_entropy(logits_of(images), labels), images)
    return (images + by * slope.sign()).detach()


@contextmanager
def unremembered(net: nn.Module) -> Iterator[None]:
    """While it lasts, batch norms normalise by the batch as in training, but their running statistics stay as they are."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
