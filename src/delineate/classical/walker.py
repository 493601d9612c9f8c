"""Random walker: a walk that starts at an unlabelled pixel, and avoids edges, reaches which scribble first?

It is the bridge between the old ways and learning from few labels: `walked` fills an image from its own scribbles, so
that a few strokes become a whole mask. As a method it needs seeds in images that nobody scribbled on: they are the
pixels whose brightness is, by the labels learnt from, surely of one class.
Grady 2006, doi:10.1109/TPAMI.2006.233.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from delineate.classical.look import SIGMAS_PX, Grey, Look, looks
from delineate.classical.taught import Taught, check_finite, known, mean_defined, overlap, spread
from delineate.classical.threshold import otsu_threshold
from delineate.core import UNLABELLED, Case, DataError

BINS = 32
MOST_PX, WALKED_PX = 4e6, 0.25e6


@dataclass(frozen=True)
class Walk:
    """What `RandomWalker.fit` settles.

    aligned: brightness is measured with each image's own Otsu threshold at one half. posterior: for each of BINS
    brightnesses, darkest first, the probability of each class, row after row. sure: from which probability on a pixel
    is a seed. beta: how strongly edges are avoided.
    """

    look: Look
    aligned: bool
    posterior: tuple[float, ...]
    sure: float
    beta: float

    def __post_init__(self) -> None:
        if len(self.posterior) % BINS or not self.posterior or min(self.posterior) < 0:
            raise ValueError(f"posterior of {len(self.posterior)} numbers")
        if not 0 < self.sure <= 1 or not 0 <= self.beta < 1e9:
            raise ValueError(f"sure {self.sure}, beta {self.beta}")

    def prior(self, grey: Grey) -> NDArray[np.float64]:
        """Probabilities (*spatial, classes) by the brightness of a picture (*spatial) from 0 to 1 alone."""
        found: NDArray[np.float64] = np.array(self.posterior).reshape(BINS, -1)[_bins(grey, self.aligned)]
        return found


class RandomWalker(Taught[Walk]):
    """Seeds where brightness leaves no doubt, walks from everywhere else. Any number of classes.

    `fit` learns how bright each class is (cases and classes weigh alike), then chooses look, sureness and beta by mean
    Dice. Images are compared after scaling each to its own range. A constant image is background. Where only one class
    has seeds, walks lead nowhere: each pixel takes the class that its brightness speaks for.

    >>> from delineate.data.samples import coins
    >>> train, held_out = coins()
    >>> RandomWalker().fit(train[:2]).predict(held_out[1].image).shape
    (2, 85, 137)
    """

    name = "random-walker"
    record: ClassVar[type] = Walk
    most_classes = 254

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().look.in_channels

    def choose(self, cases: Sequence[Case]) -> Walk:
        """Look by brightness alone, then sureness and beta by walks on a few cases."""
        chosen, few = spread(cases, most_px=MOST_PX), spread(cases, most_px=WALKED_PX)
        best, settings = -1.0, None
        for look, aligned in itertools.product(looks(chosen, sigmas_px=SIGMAS_PX[:3]), (True, False)):
            greys = [look.grey(case.image) for case in chosen]
            tried = Walk(look, aligned, self._posterior(chosen, greys, aligned), 0.95, 100.0)
            found = mean_defined(
                overlap(known(case), tried.prior(grey).argmax(-1) == label, label=label)
                for case, grey in zip(chosen, greys, strict=True)
                for label in range(1, len(self.classes))
            )
            if found > best:
                best, settings = found, tried
        if settings is None:
            raise DataError("there is no look to try: give images with at least one channel")
        plain, kept, best = settings, settings, -1.0
        for sure, beta in itertools.product((0.95, 0.8), (100.0, 1000.0)):
            tried = replace(plain, sure=sure, beta=beta)
            answers = [self.likely(case.image, tried).argmax(0) for case in few]
            found = mean_defined(
                overlap(known(case), answer == label, label=label)
                for case, answer in zip(few, answers, strict=True)
                for label in range(1, len(self.classes))
            )
            if found > best:
                best, kept = found, tried
        return kept

    def likely(self, image: NDArray[Any], settings: Walk) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) that a walk from each pixel reaches a seed of each class first."""
        grey = settings.look.grey(image)
        classes = len(self.classes)
        if np.ptp(grey) == 0:
            return np.stack([np.full(grey.shape, label == 0, np.float32) for label in range(classes)])
        prior = settings.prior(grey)
        seeds = np.where(prior.max(-1) >= settings.sure, prior.argmax(-1), UNLABELLED).astype(np.uint8)
        if len(np.unique(seeds[seeds != UNLABELLED])) < 2:
            return np.ascontiguousarray(np.moveaxis(prior, -1, 0), np.float32)
        return walked(grey[..., None], seeds, classes=classes, beta=settings.beta)

    def _posterior(self, cases: Sequence[Case], greys: Sequence[Grey], aligned: bool) -> tuple[float, ...]:
        counts = np.full((BINS, len(self.classes)), 1e-4)
        for case, grey in zip(cases, greys, strict=True):
            labels = known(case)
            at = labels != UNLABELLED
            seen = np.zeros_like(counts)
            np.add.at(seen, (_bins(grey, aligned)[at], labels[at]), 1.0)
            counts += seen / seen.sum()
        beyond = np.pad(counts, ((1, 1), (0, 0)), mode="edge")
        smooth = beyond[:-2] + beyond[1:-1] + beyond[2:]
        table = smooth / smooth.sum(1, keepdims=True)
        return tuple(float(round(value, 6)) for value in table.ravel())


def walked(
    image: NDArray[Any], labels: NDArray[np.uint8], *, classes: int | None = None, beta: float = 100.0
) -> NDArray[np.float32]:
    """Probabilities (classes, *spatial) that a walk from each pixel reaches a labelled pixel of each class first.

    image: (*spatial, channels). labels: (*spatial), UNLABELLED where nobody said; labelled pixels stay what they are.
    classes: one more than the highest label where None. beta: the higher, the more an edge keeps a walk from crossing.
    One class alone is everywhere. Raises DataError where nothing is labelled, or shapes differ, or pixels are NaN.

    >>> image = np.array([[0, 0, 0, 9, 9, 9]])[..., None]
    >>> scribbles = np.array([[0, 255, 255, 255, 255, 1]], np.uint8)
    >>> walked(image, scribbles).argmax(0)
    array([[0, 0, 0, 1, 1, 1]])
    """
    from skimage.segmentation import random_walker

    walks: Any = random_walker
    if image.shape[:-1] != labels.shape:
        raise DataError(f"the image is {image.shape[:-1]} but its labels are {labels.shape}: give one shape")
    check_finite(image, name="the image")
    seen = np.unique(labels[labels != UNLABELLED])
    if not seen.size:
        raise DataError("no pixel is labelled, so a walk has nowhere to go: scribble on every class")
    count = int(seen.max()) + 1 if classes is None else classes
    probabilities = np.zeros((count, *labels.shape), np.float32)
    if len(seen) == 1:
        probabilities[seen[0]] = 1
        return probabilities
    unknown = labels == UNLABELLED
    if unknown.any():
        numbers = np.where(unknown, 0, np.searchsorted(seen, labels) + 1).astype(np.int32)
        values = image.astype(np.float64)
        values /= max(float(np.ptp(values)), 1e-12)
        with warnings.catch_warnings():  # about solvers that would be faster, and seeds that no walk leaves
            warnings.simplefilter("ignore", UserWarning)
            reached = walks(
                values, numbers, beta=beta, mode="cg_j", tol=1e-3, channel_axis=-1, return_full_prob=True
            )
        probabilities[seen] = np.clip(reached, 0, 1)
        probabilities /= np.maximum(probabilities.sum(0), 1e-6)
    for label in seen:
        probabilities[:, labels == label] = 0
        probabilities[label, labels == label] = 1
    return probabilities


def _bins(grey: Grey, aligned: bool) -> NDArray[np.intp]:
    if aligned and np.ptp(grey):
        middle = min(max(otsu_threshold(grey), 1e-3), 1 - 1e-3)
        grey = np.interp(grey, (0, middle, 1), (0, 0.5, 1)).astype(np.float32)
    return np.minimum((grey * BINS).astype(np.intp), BINS - 1)
