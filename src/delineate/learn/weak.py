"""Learning from strokes and points: what teaches the pixels about which nobody said anything.

Cross-entropy and Dice on the strokes alone begin well and then decay: far from every stroke a network may believe what it
likes. Three things hold it. Strokes are spread: where colours tell classes apart, over the whole image (`halfway`), elsewhere
along colours to what surely belongs to them (`spread`). Neighbours of similar colour are to share a class
(`colour_smoothness`). And the moving average of the network, asked about a mirrored crop, teaches the network that is being
trained; by and by, as it comes to know something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import UNLABELLED, Case
from delineate.data.augment import Sample, WindowedSample
from delineate.data.sparse import HALF, barely_labelled
from delineate.learn.halfway import foretold, halfway
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import samples
from delineate.learn.spread import spread
from delineate.losses import colour_smoothness, soft_dice

SURE = 0.9  # probability from which the teacher is believed; without such a bar, outlines swell
FORETOLD = (
    0.9  # share of the strokes of an image whose class other strokes' colours tell; then colours are believed
)
MIXING = 7  # keeps what is drawn for mixing apart from what is drawn for crops
DECAY = 0.01  # by how much the last model must score below an earlier one for that one to be kept
SCRAPS = 0.1  # share of the images that may have strokes, points or boxes before a training is weak


@dataclass(frozen=True)
class Weak:
    """How unlabelled pixels are taught.

    spread: whether strokes are spread to other pixels. smoothness, teacher: what these two weigh beside the loss on the strokes.
    contrast: how far the intensities of neighbours may differ that are to share a class, where an image ranges from 0
    to 1. ramp: the share of the training over which both weights grow.
    """

    spread: bool = True
    smoothness: float = 0.3
    contrast: float = 0.1
    teacher: float = 0.5
    ramp: float = 0.3


def prepared(given: Sequence[Sample | WindowedSample], weak: Weak) -> list[Sample | WindowedSample]:
    """The samples as a weak training crops them: strokes spread, and those with strokes as often as those without."""
    grown = {id(one): _spread(one) for one in given if weak.spread and one.places and isinstance(one, Sample)}
    told: list[Sample | WindowedSample] = [grown.get(id(one), one) for one in given if one.places]
    silent = [one for one in given if not one.places]
    return [*told * max(1, -(-len(silent) // max(len(told), 1))), *silent]


def _spread(sample: Sample) -> Sample:
    """The sample with each person's labels spread; crops are still centred on the strokes themselves."""
    people, image = sample.labels.numpy().astype(np.uint8), sample.image.numpy()
    if all((labels != UNLABELLED).mean() >= HALF for labels in people):
        return sample
    grown = [labels if (labels != UNLABELLED).mean() >= HALF else _grown(labels, image) for labels in people]
    return replace(sample, labels=torch.from_numpy(np.stack(grown).astype(np.float32)))


def _grown(labels: NDArray[np.uint8], image: NDArray[np.float32]) -> NDArray[np.uint8]:
    believed = foretold(labels, image) >= FORETOLD
    return halfway(labels, image) if believed else spread(labels, image)


def held_out(case: Case, *, dims: int, normalisation: Normalisation, grey: bool) -> Case:
    """A validation case as predictions are judged by it: its strokes spread as those that are learnt from; full masks stay.

    On a stroke alone nearly every model is right. The pixels that a stroke surely implies, far ones among them, tell more.
    """
    if not barely_labelled(case):
        return case
    slices = samples(
        case, dims=dims, normalisation=normalisation, grey=grey, objects=False, seed=0, silent=True
    )
    labels = np.stack([_spread(one).labels[0].numpy() for one in slices]).astype(np.uint8)
    return replace(case, labels=labels.reshape(case.spatial))


@torch.no_grad()
def taught(
    logits: Tensor,
    images: Tensor,
    labels: Tensor,
    *,
    ask: Callable[[Tensor], Tensor],
    number: int,
    seed: int,
    flip: bool = True,
) -> Tensor:
    """Labels (batch, *patch): a person's where there are any, else what teacher and pupil, mixed, are SURE of.

    logits: the pupil's, for images (batch, channels, *patch). ask: images -> the teacher's logits; it sees the crops in
    one of their mirrors, which changes with the number of the step, or without flip as they are. How the two are mixed is
    drawn anew in each step, so that neither leads (Luo et al. 2022, doi:10.1007/978-3-031-16431-6_50, who mix two decoders).
    """
    turn = [axis for bit, axis in enumerate(range(2, logits.ndim)) if flip and number >> bit & 1]
    teacher = ask(images.flip(turn)).flip(turn).float().softmax(1)
    share = float(np.random.default_rng([seed, number, MIXING]).random())
    surest = teacher.lerp(logits.float().softmax(1), share).max(1)
    pseudo = surest.indices.to(torch.uint8).masked_fill(surest.values < SURE, UNLABELLED)
    return torch.where(labels == UNLABELLED, pseudo, labels)


def unsaid(weak: Weak, logits: Tensor, images: Tensor, pseudo: Tensor, *, progress: float) -> Tensor:
    """What a batch costs beside its labelled pixels: roughness, and disagreement with the `pseudo` labels."""
    rough = weak.smoothness * colour_smoothness(logits, images, contrast=weak.contrast)
    wrong = weak.teacher * soft_dice(logits, pseudo)
    return min(1.0, progress / weak.ramp) * (rough + wrong)


def leads(history: Sequence[Mapping[str, float]]) -> bool:
    """Whether the last validation is the best so far.

    >>> leads([{"dice": 0.5}, {"dice": 0.7}]), leads([{"dice": 0.7}, {"dice": 0.5}]), leads([])
    (True, False, False)
    """
    scores = [entry["dice"] for entry in history if "dice" in entry]
    return bool(scores) and scores[-1] == max(scores) and "dice" in history[-1]


def decayed(history: Sequence[Mapping[str, float]]) -> int | None:
    """The step whose model is kept since the last one scores more than DECAY below it; None where the last one is kept.

    >>> decayed([{"step": 10, "dice": 0.7}, {"step": 20, "dice": 0.5}])
    10
    >>> decayed([{"step": 10, "dice": 0.7}, {"step": 20, "dice": 0.695}]) is None
    True
    """
    scored = [entry for entry in history if "dice" in entry]
    if not scored:
        return None
    best = max(entry["dice"] for entry in scored)
    return (
        int([e["step"] for e in scored if e["dice"] == best][-1])
        if scored[-1]["dice"] < best - DECAY
        else None
    )
