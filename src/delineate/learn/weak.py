"""Learning from strokes and points: what teaches the pixels about which nobody said anything.

Cross-entropy and Dice on the strokes alone begin well and then decay: far from every stroke a network may believe what it
likes. Two things hold it. Strokes are spread: where colours tell classes apart, over the whole image (`halfway`), elsewhere
along colours to what surely belongs to them (`spread`). And neighbours of similar colour are to share a class
(`colour_smoothness`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case
from delineate.data.sample import Sample, WindowedSample
from delineate.data.sparse import HALF, barely_labelled
from delineate.learn.halfway import foretold, halfway
from delineate.learn.large_spread import SpreadSample
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import samples
from delineate.learn.spread import spread

FORETOLD = (
    0.9  # share of the strokes of an image whose class other strokes' colours tell; then colours are believed
)
DECAY = 0.01  # by how much the last model must score below an earlier one for that one to be kept
SCRAPS = 0.1  # share of the images that may have strokes, points or boxes before a training is weak


@dataclass(frozen=True)
class Weak:
    """How unlabelled pixels are taught.

    spread: whether strokes are spread to other pixels. smoothness: what it weighs beside the loss on labelled pixels.
    contrast: how far the intensities of neighbours may differ that are to share a class, where an image ranges from 0
    to 1.
    """

    spread: bool = True
    smoothness: float = 0.3
    contrast: float = 0.1


def prepared(given: Sequence[Sample | WindowedSample], weak: Weak) -> list[Sample | WindowedSample]:
    """The samples as a weak training crops them: strokes spread, and those with strokes as often as those without."""
    grown = {id(one): _grown_from(one) for one in given if weak.spread and one.places}
    told = [grown.get(id(one), one) for one in given if one.places]
    silent = [one for one in given if not one.places]
    return [*told * max(1, -(-len(silent) // max(len(told), 1))), *silent]


def _grown_from(sample: Sample | WindowedSample) -> Sample | WindowedSample:
    """The sample with its strokes spread; where it is read window by window, as these are read, but not in volumes."""
    if isinstance(sample, Sample):
        return _spread(sample)
    return SpreadSample(sample, _spread) if sample.barely_labelled and len(sample.spatial) == 2 else sample


def _spread(sample: Sample, classes: int = 0) -> Sample:
    """The sample with each person's labels spread; crops are still centred on the strokes themselves.

    classes: of a part of a picture, how many have strokes anywhere in it. Colours are not believed where one of them has none
    here: its pixels would be taken for those of others.
    """
    people, image = sample.labels.numpy().astype(np.uint8), sample.image.numpy()
    if all((labels != UNLABELLED).mean() >= HALF for labels in people):
        return sample
    grown = [
        labels if (labels != UNLABELLED).mean() >= HALF else _grown(labels, image, classes)
        for labels in people
    ]
    return replace(sample, labels=torch.from_numpy(np.stack(grown).astype(np.float32)))


def _grown(labels: NDArray[np.uint8], image: NDArray[np.float32], classes: int = 0) -> NDArray[np.uint8]:
    stroked = np.setdiff1d(labels, [UNLABELLED])
    believed = len(stroked) >= classes and foretold(labels, image) >= FORETOLD
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
