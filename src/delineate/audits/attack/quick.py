"""Gradients as cheaply as they come: what a network of ours is attacked through.

Weights are frozen, batch norms folded into the convolutions, activations channels last and, where the processor has it,
bfloat16: the attack needs the sign of the slope, not its digits. What an attack achieved is counted elsewhere, in float32.

The percentiles or the mean that an image is normalised by are measured again at each step, but not differentiated through:
their slope sits in the two pixels that happen to lie at the percentile, and leads nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.audits.attack.frozen import Hastened, answering, prepared
from delineate.audits.subject import Subject
from delineate.learn import UNetMethod
from delineate.learn.engine import REFERENCE, engine_of
from delineate.learn.learnt import memory_layout
from delineate.learn.machine import native_bfloat16
from delineate.learn.normalisation import scale_of
from delineate.learn.portable import seen
from delineate.nets import folded

ALIKE = 0.98  # share of the pixels to which a copy has to give the same label


def quick(
    subject: Subject, *, low: bool | None = None, like: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """Intensities (n, channels, *spatial) float32 -> logits (n, classes, *spatial) float32, differentiable.

    low: bfloat16; None: where the processor has it. like: images whose brightness is measured once, to hold for all (None: it
    is measured again at each call); nothing to a model that is not ours. A torch module that is not ours is copied, unless
    its copy gives other labels or none. Raises ModelError where there are no gradients.
    """
    dtype = torch.bfloat16 if (native_bfloat16() if low is None else low) else torch.float32
    if subject.method is None or subject.method.learnt is None:
        return _of_module(subject, dtype)
    learnt = subject.method.learnt
    layout, normalisation, count = (
        memory_layout(learnt.plan.dims),
        learnt.plan.normalisation,
        len(learnt.classes),
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net: Any = folded(learnt.net).to(device=device, dtype=dtype)
    net.head = answering(net.head, count * net.shuffle**net.dims)
    net = prepared(net.to(memory_format=layout))

    def logits(images: Tensor) -> Tensor:
        images = seen(images, learnt.plan)
        measured = images if like is None else seen(like, learnt.plan)
        whole = np.moveaxis(
            measured.detach().cpu().numpy(), 1, -1
        )  # one case: its slices are scaled together
        scale = scale_of(whole, normalisation)
        spread = (1, -1, *(1,) * (images.ndim - 2))
        span = torch.tensor([1 / span if span > 0 else 0.0 for span in scale.span]).reshape(spread)
        shown = (images - torch.tensor(scale.low).reshape(spread).to(images)) * span.to(images)
        shown = shown.clamp(-1, 3) if scale.clipped else shown
        answer: Tensor = net(shown.to(device, dtype).contiguous(memory_format=layout))
        return answer.float().to(images.device)

    return logits


def _of_module(subject: Subject, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """`subject.logits` through a hastened copy of its module, where that gives the same labels for the first images."""
    exact = _on_its_device(subject, subject.differentiable())
    chosen: list[Callable[[Tensor], Tensor]] = []

    def choice(images: Tensor) -> Callable[[Tensor], Tensor]:
        if subject.through is None or subject.network is None:
            return exact
        try:  # anybody's code: it may resist being copied, or another type of number
            fast = _on_its_device(subject, subject.through(Hastened(subject.network, dtype)))
            with torch.no_grad():
                same = fast(images).argmax(1) == exact(images).argmax(1)
        except Exception:
            return exact
        return fast if float(same.float().mean()) >= ALIKE else exact

    def logits(images: Tensor) -> Tensor:
        if not chosen:
            chosen.append(choice(images))
        return chosen[0](images)

    return logits


def _on_its_device(subject: Subject, answer: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """An answer for tensors of the CPU, wherever the network of the subject computes."""
    weight = None if subject.network is None else next(subject.network.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    return lambda images: answer(images.to(device)).to(images.device)


def counted_by(subject: Subject) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """What an attack is finally counted by: `predict`, end to end; of our models in float32.

    Raises ModelError where the subject is a folder of predictions.
    """
    if subject.method is None or subject.method.learnt is None:
        return subject.asked()
    learnt = subject.method.learnt
    exact = UNetMethod.of(replace(learnt, engine=engine_of(learnt, REFERENCE)))
    return exact.predict
