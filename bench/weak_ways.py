"""The ways to learn from weak labels that `bench/weak.py` compares: parts left out, and controls put in the place of parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter
from torch import Tensor, nn
from torch.nn.functional import dropout2d

from delineate.core import UNLABELLED
from delineate.data.augment import Batch
from delineate.learn import Training
from delineate.learn import weak as weak_labels
from delineate.learn.weak import Weak, taught
from delineate.losses import colour_smoothness, cross_entropy_and_dice, soft_dice, total_variation
from delineate.nets import UNet
from delineate.nets.shuffle import blocks_to_channels, channels_to_blocks

WAYS: dict[str, Weak | None] = {
    "full": None,
    "partial": None,
    "weak": Weak(),
    "only-spread": Weak(smoothness=0, teacher=0),
    "only-smooth": Weak(spread=False, teacher=0, smoothness=1),
    "only-taught": Weak(spread=False, smoothness=0),
    "no-spread": Weak(spread=False),
    "no-smooth": Weak(smoothness=0),
    "no-teacher": Weak(teacher=0),
    "smoother": Weak(smoothness=1),
    "no-ramp": Weak(ramp=1e-9),
    "no-mixing": Weak(),
    "open-edges": Weak(),
    "only-blind": Weak(spread=False, teacher=0, smoothness=1),
    "only-entropy": Weak(spread=False, teacher=0, smoothness=1),
    "only-decoders": Weak(spread=False, smoothness=0),
    "decoders": Weak(),
}


def blind(logits: Tensor, _: Tensor, **__: float) -> Tensor:
    """Smoothness that sees no colour."""
    return total_variation(logits)


def entropy(logits: Tensor, _: Tensor, **__: float) -> Tensor:
    """How unsure each pixel is, 0 to 1, whatever its neighbours are."""
    likely = logits.float().log_softmax(1)
    return -(likely.exp() * likely).sum(1).mean() / math.log(logits.shape[1])


def unmixed(
    _: Tensor, images: Tensor, labels: Tensor, *, ask: Callable[[Tensor], Tensor], **rest: Any
) -> Tensor:
    """Pseudo-labels of the teacher alone."""
    with torch.no_grad():
        return taught(ask(images), images, labels, ask=ask, **rest)


GROWN = weak_labels._grown


def open_edges(labels: NDArray[np.uint8], image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spread labels without the pixels next to another class, of which strokes and spreading are least sure."""
    grown = GROWN(labels, image)
    low, high = minimum_filter(grown, 3), maximum_filter(np.where(grown == UNLABELLED, 0, grown), 3)
    return np.where((labels == UNLABELLED) & (low != high), UNLABELLED, grown)


class TwoDecoders(UNet):
    """A U-Net whose maps, half of their channels dropped, also go through a second decoder while it is trained.

    Luo et al. 2022, doi:10.1007/978-3-031-16431-6_50. `other`: the logits of the second decoder for the last batch.
    """

    def __init__(self, in_channels: int, classes: int, **settings: Any) -> None:
        super().__init__(in_channels, classes, **settings)
        twin = UNet(in_channels, classes, **settings)
        self.other_ups, self.other_decoders, self.other_head = twin.ups, twin.decoders, twin.head
        self.other: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the first decoder."""
        if not self.training:
            return super().forward(images)
        maps = [self.first(blocks_to_channels(images, self.shuffle))]
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            maps.append(encoder(down(maps[-1])))
        self.other = self.up(
            [dropout2d(each) for each in maps], self.other_ups, self.other_decoders, self.other_head
        )
        return self.up(maps, self.ups, self.decoders, self.head)

    def up(self, maps: list[Tensor], ups: nn.ModuleList, decoders: nn.ModuleList, head: nn.Module) -> Tensor:
        """The expanding path."""
        x = maps[-1]
        for up, decoder, skip in zip(reversed(ups), reversed(decoders), reversed(maps[:-1]), strict=True):
            x = decoder(torch.cat([up(x), skip], dim=1))
        return channels_to_blocks(head(x), self.shuffle)


def between_decoders(
    run: Training, weak: Weak, logits: Tensor, images: Tensor, crops: Batch, *, progress: float
) -> Tensor:
    """What teaches the second decoder, and both where nobody said anything: the two of them mixed, drawn anew each step."""
    net, labels = run._net.module, crops.labels.to(logits.device)
    drawn = float(np.random.default_rng([run.seed, run._record.steps]).random())
    mixed = logits.detach().float().softmax(1).lerp(net.other.detach().float().softmax(1), drawn).argmax(1)
    pseudo = torch.where(labels == UNLABELLED, mixed.to(torch.uint8), labels)
    apart = (soft_dice(logits, pseudo) + soft_dice(net.other, pseudo)) / 2
    smooth = (
        colour_smoothness(logits, images, contrast=weak.contrast) if weak.smoothness else logits.new_zeros(())
    )
    grown = min(1.0, progress / weak.ramp)
    told = cross_entropy_and_dice(net.other, labels)
    return told + grown * (weak.teacher * apart + weak.smoothness * smooth)


INSTEAD: dict[str, dict[str, Callable[..., Any]]] = {
    "only-blind": {"weak.colour_smoothness": blind},
    "only-entropy": {"weak.colour_smoothness": entropy},
    "no-mixing": {"training.taught": unmixed},
    "open-edges": {"weak._grown": open_edges},
    "only-decoders": {"learnt.UNet": TwoDecoders, "training.Training._unsaid": between_decoders},
    "decoders": {"learnt.UNet": TwoDecoders, "training.Training._unsaid": between_decoders},
}


@contextmanager
def instead(way: str) -> Iterator[None]:
    """Within it, trainings have what this way puts in the place of parts."""
    with ExitStack() as stack:
        for place, other in INSTEAD.get(way, {}).items():
            stack.enter_context(mock.patch(f"delineate.learn.{place}", other))
        yield
