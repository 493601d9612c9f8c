"""The ways to learn from weak labels that `bench/weak.py` compares: parts left out, and controls put in the place of parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partialmethod
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
from delineate.learn.weak import Weak
from delineate.losses import colour_smoothness, cross_entropy_and_dice, soft_dice, total_variation
from delineate.nets import UNet
from delineate.nets.shuffle import blocks_to_channels, channels_to_blocks

SURE = 0.9  # probability from which a teacher is believed; without such a bar, outlines swell
MIXING = 7  # keeps what is drawn for mixing apart from what is drawn for crops


@dataclass(frozen=True)
class Taught(Weak):
    """Weak labels with a second opinion where nobody said anything: what it weighs, and the share of the training over which
    that and smoothness grow."""

    teacher: float = 0.5
    ramp: float = 0.3


WAYS: dict[str, Weak | None] = {
    "full": None,
    "partial": None,
    "weak": Weak(),
    "only-spread": Weak(smoothness=0),
    "only-smooth": Weak(spread=False, smoothness=1),
    "smoother": Weak(smoothness=1),
    "open-edges": Weak(),
    "only-blind": Weak(spread=False, smoothness=1),
    "only-entropy": Weak(spread=False, smoothness=1),
    "taught": Taught(),
    "only-taught": Taught(spread=False, smoothness=0),
    "smooth-taught": Taught(spread=False),
    "spread-taught": Taught(smoothness=0),
    "no-ramp": Taught(ramp=0),
    "no-mixing": Taught(),
    "only-decoders": Taught(spread=False, smoothness=0),
    "decoders": Taught(),
}


def blind(logits: Tensor, _: Tensor, **__: float) -> Tensor:
    """Smoothness that sees no colour."""
    return total_variation(logits)


def entropy(logits: Tensor, _: Tensor, **__: float) -> Tensor:
    """How unsure each pixel is, 0 to 1, whatever its neighbours are."""
    likely = logits.float().log_softmax(1)
    return -(likely.exp() * likely).sum(1).mean() / math.log(logits.shape[1])


LOSS = Training._loss


def remembered(run: Training, logits: Tensor, crops: Batch) -> Tensor:
    """The loss on labelled pixels; these are kept for `by_teacher` and `by_decoders`, which come next."""
    run.crop_labels = run._fabric.to_device(crops.labels)
    return LOSS(run, logits, crops)


def by_teacher(run: Training, weak: Taught, logits: Tensor, images: Tensor, *, mixed: bool = True) -> Tensor:
    """Roughness, and disagreement with what the moving average of the network, mixed with the network, is sure of.

    The average sees the crops in one of their mirrors, which changes with the number of the step, or where the plan forbids
    mirrors as they are. How the two are mixed is drawn anew in each step, so that neither leads; not `mixed`, the average is
    believed alone.
    """
    with torch.no_grad():
        number, flip = run._record.steps, run.plan.augmentation.flip
        turn = [axis for bit, axis in enumerate(range(2, logits.ndim)) if flip and number >> bit & 1]
        teacher = asked(run, images.flip(turn)).flip(turn).float().softmax(1)
        other = logits if mixed else asked(run, images)
        share = float(np.random.default_rng([run.seed, number, MIXING]).random())
        surest = teacher.lerp(other.float().softmax(1), share).max(1)
        pseudo = surest.indices.to(torch.uint8).masked_fill(surest.values < SURE, UNLABELLED)
        labels = run.crop_labels
        pseudo = torch.where(labels == UNLABELLED, pseudo, labels)
    return grown(run, weak) * (
        weak.smoothness * colour_smoothness(logits, images, contrast=weak.contrast)
        + weak.teacher * soft_dice(logits, pseudo)
    )


def grown(run: Training, weak: Taught) -> float:
    """The share of their full weights that teacher and smoothness have by now."""
    progress = run._progress(run._record.steps, run._record.seconds)
    return min(1.0, progress / weak.ramp) if weak.ramp else 1.0


def asked(run: Training, images: Tensor) -> Tensor:
    """What the averaged network says: logits (batch, classes, *patch)."""
    run._average.eval()
    with run._fabric.autocast():
        answer: Tensor = run._average(images)
    return answer[:, : len(run.classes)]


GROWN = weak_labels._grown


def open_edges(labels: NDArray[np.uint8], image: NDArray[np.float32], classes: int) -> NDArray[np.uint8]:
    """Spread labels without the pixels next to another class, of which strokes and spreading are least sure."""
    grown = GROWN(labels, image, classes)
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


def by_decoders(run: Training, weak: Taught, logits: Tensor, images: Tensor) -> Tensor:
    """What teaches the second decoder, and both where nobody said anything: the two of them mixed, drawn anew each step."""
    net, labels = run._net.module, run.crop_labels
    drawn = float(np.random.default_rng([run.seed, run._record.steps]).random())
    mixed = logits.detach().float().softmax(1).lerp(net.other.detach().float().softmax(1), drawn).argmax(1)
    pseudo = torch.where(labels == UNLABELLED, mixed.to(torch.uint8), labels)
    apart = (soft_dice(logits, pseudo) + soft_dice(net.other, pseudo)) / 2
    smooth = (
        colour_smoothness(logits, images, contrast=weak.contrast) if weak.smoothness else logits.new_zeros(())
    )
    told = cross_entropy_and_dice(net.other, labels)
    return told + grown(run, weak) * (weak.teacher * apart + weak.smoothness * smooth)


TEACHER = {"training.Training._loss": remembered, "training.Training._roughness": by_teacher}
DECODERS = {
    "training.Training._loss": remembered,
    "training.Training._roughness": by_decoders,
    "learnt.UNet": TwoDecoders,
}
INSTEAD: dict[str, dict[str, Callable[..., Any]]] = {
    "only-blind": {"training.colour_smoothness": blind},
    "only-entropy": {"training.colour_smoothness": entropy},
    "open-edges": {"weak._grown": open_edges},
    **dict.fromkeys(("taught", "only-taught", "smooth-taught", "spread-taught", "no-ramp"), TEACHER),
    "no-mixing": TEACHER | {"training.Training._roughness": partialmethod(by_teacher, mixed=False)},
    **dict.fromkeys(("only-decoders", "decoders"), DECODERS),
}


@contextmanager
def instead(way: str) -> Iterator[None]:
    """Within it, trainings have what this way puts in the place of parts."""
    with ExitStack() as stack:
        for place, other in INSTEAD.get(way, {}).items():
            stack.enter_context(mock.patch(f"delineate.learn.{place}", other))
        yield
