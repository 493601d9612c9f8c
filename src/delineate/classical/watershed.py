"""Watershed: a threshold says what is foreground, hills of distance or brightness say what is one object.

Markers are h-maxima of a smoothed landscape; basins are flooded from them. The labels choose the landscape, the
smoothing and h by how many objects come out right: with too little smoothing noise makes a marker of its own, and with
too much two nuclei share one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.classical.look import Grey
from delineate.classical.taught import Taught, known, one_hot, spread
from delineate.classical.threshold import Otsu, Threshold
from delineate.core import UNLABELLED, Case
from delineate.objects.hills import flooded, joined, numbered
from delineate.objects.watershed import rim_distance

Ids = NDArray[np.int32]
Landscape = Literal["distance", "brightness", "gradient"]
LANDSCAPES: tuple[Landscape, ...] = ("distance", "brightness", "gradient")
SIGMAS_PX, RISES = (1.0, 0.0, 2.0, 4.0), (0.25, 0.1, 0.5, 0.05, 1.0)
MOST_PX = 1.2e6


@dataclass(frozen=True)
class Basins:
    """What `Watershed.fit` settles.

    threshold: what is foreground. landscape: distance to the rim; brightness; or gradient: markers by distance, then
    flooding of the gradient, so that the rim may leave the threshold. sigma_px: smoothing of the landscape. rise: h,
    how far a marker must rise over its saddle, in the logarithm of the distance or in spreads of the brightness.
    smallest_px: smaller objects are none. spacing: of the cases, relative; empty where axes are alike.
    """

    threshold: Threshold
    landscape: str
    sigma_px: float
    rise: float
    smallest_px: int
    spacing: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.landscape not in LANDSCAPES or not 0 <= self.sigma_px < 1e6 or self.rise < 0:
            raise ValueError(f"landscape {self.landscape}, sigma_px {self.sigma_px}, rise {self.rise}")
        if self.smallest_px < 0 or not all(step > 0 for step in self.spacing):
            raise ValueError(f"smallest_px {self.smallest_px}, spacing {self.spacing}")


class Watershed(Taught[Basins]):
    """Foreground by Otsu's threshold, cut into objects by marker-controlled watershed.

    Two classes; `outline` gives the objects. Vincent & Soille 1991, doi:10.1109/34.87344; `fit` keeps the landscape, the
    smoothing and h with the highest AP@0.5 over the labelled cases, whose objects are their ids, or without ids the
    connected pieces of their labels. Scribbles show no whole object, so they choose the threshold alone.

    >>> from delineate.data.samples import coins
    >>> train, held_out = coins()
    >>> watershed = Watershed().fit(train)
    >>> probabilities, ids = watershed.outline(held_out[1].image)
    >>> ids.shape, probabilities.shape
    ((85, 137), (2, 85, 137))
    """

    name = "watershed"
    record: ClassVar[type] = Basins

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().threshold.look.in_channels

    def choose(self, cases: Sequence[Case]) -> Basins:
        """Threshold first, then markers."""
        threshold = Otsu(self.classes).fit(cases).fitted()
        plain = Basins(threshold, "distance", SIGMAS_PX[0], RISES[0], 0, relative_spacing(cases))
        whole = [case for case in cases if (known(case) != UNLABELLED).mean() > 0.5]
        if not whole:
            return plain
        chosen = spread(whole, most_px=MOST_PX)
        truths = [_truth(case) for case in chosen]
        grounds = [_Ground(case.image, plain) for case in chosen]
        best, settings = -1.0, plain
        for landscape, sigma_px in itertools.product(("distance", "brightness"), SIGMAS_PX):
            tried = replace(plain, landscape=landscape, sigma_px=sigma_px)
            answers = [list(ground.ids(tried)) for ground in grounds]
            for at, rise in enumerate(RISES):
                found = _found([answer[at] for answer in answers], truths)
                if found > best:
                    best, settings = found, replace(tried, rise=rise)
        for smallest_px in _sizes(truths):
            tried = replace(settings, smallest_px=smallest_px)
            found = _found([ground.of(tried) for ground in grounds], truths)
            if found > best:
                best, settings = found, tried
        if settings.landscape == "distance":
            tried = replace(settings, landscape="gradient")
            if _found([ground.of(tried) for ground in grounds], truths) > best:
                settings = tried
        return settings

    def likely(self, image: NDArray[Any], settings: Basins) -> NDArray[np.float32]:
        """Probabilities of 0 and 1; what belongs to no object is background."""
        return one_hot((_Ground(image, settings).of(settings) > 0).astype(np.uint8), 2)

    def outline(self, image: NDArray[Any]) -> tuple[NDArray[np.float32], Ids]:
        """Probabilities (classes, *spatial) and object ids (*spatial), 0 for none; raises as `predict` does."""
        settings = self.fitted()
        image = self.checked(image)
        ids = _Ground(image, settings).of(settings)
        return one_hot((ids > 0).astype(np.uint8), 2), ids


class _Ground:
    """One image, its foreground and its landscapes, to be cut in several ways."""

    def __init__(self, image: NDArray[Any], settings: Basins) -> None:
        grey = settings.threshold.look.grey(image)
        self.foreground = Otsu().within(grey, settings.threshold)
        self.bright: Grey = grey if settings.threshold.bright else 1 - grey
        alike = len(settings.spacing) != grey.ndim
        self.spacing = (1.0,) * grey.ndim if alike else settings.spacing

    def of(self, settings: Basins) -> Ids:
        """Object ids (*spatial) by these settings."""
        if not self.foreground.any():
            return np.zeros(self.foreground.shape, np.int32)
        if settings.landscape == "gradient":
            return self._by_gradient(settings)
        heights = self._heights(settings)
        basins, number = flooded(heights, self.foreground)
        ids = joined(basins, heights, number, least=settings.rise)[basins]
        return numbered(ids, smallest_px=settings.smallest_px)

    def ids(self, settings: Basins) -> Iterator[Ids]:
        """Object ids for each of RISES; flooded once."""
        heights = self._heights(settings)
        basins, number = flooded(heights, self.foreground)
        for rise in RISES:
            yield joined(basins, heights, number, least=rise)[basins] if number else basins

    def _heights(self, settings: Basins) -> NDArray[np.floating[Any]]:
        from scipy.ndimage import gaussian_filter

        if settings.landscape == "brightness":
            smooth = gaussian_filter(self.bright, self._sigmas(settings.sigma_px))
            inside = smooth[self.foreground]
            return np.asarray(smooth / (inside.std() or 1.0) if inside.size else smooth)
        depths = rim_distance(self.foreground, spacing=self.spacing, sigma_px=settings.sigma_px)
        return np.log(np.maximum(depths, 1e-6))

    def _by_gradient(self, settings: Basins) -> Ids:
        """Markers: what is deep inside an object by distance, and what is far outside; the gradient lies between."""
        from scipy import ndimage
        from skimage.segmentation import watershed

        flood: Any = watershed
        ids = self.of(replace(settings, landscape="distance"))
        depths = rim_distance(self.foreground, spacing=self.spacing, sigma_px=0.0)
        deepest = np.zeros(ids.max() + 1, np.float32)
        np.maximum.at(deepest, ids, depths)
        outside = rim_distance(~self.foreground, spacing=self.spacing, sigma_px=0.0)
        markers = np.where((ids > 0) & (depths > 0.4 * deepest[ids]), ids + 1, 0)
        reach = 0.3 * float(np.median(deepest[1:])) if len(deepest) > 1 else 1.0
        markers[outside > max(reach, 1.0)] = 1
        steep = ndimage.gaussian_gradient_magnitude(self.bright, self._sigmas(1.0))
        basins = flood(steep, markers)
        return numbered(np.maximum(basins - 1, 0), smallest_px=settings.smallest_px)

    def _sigmas(self, sigma_px: float) -> tuple[float, ...]:
        return tuple(sigma_px * min(self.spacing) / step for step in self.spacing)


def relative_spacing(cases: Sequence[Case]) -> tuple[float, ...]:
    """The spacing of the first case by its smallest step; empty where all axes are alike.

    >>> relative_spacing([Case("stack", np.zeros((2, 4, 4, 1)), spacing=(5.0, 0.5, 0.5))])
    (10.0, 1.0, 1.0)
    """
    steps = cases[0].spacing
    return () if len(set(steps)) == 1 else tuple(step / min(steps) for step in steps)


def _truth(case: Case) -> Ids:
    """The objects of a case; -1 where nobody said."""
    from scipy import ndimage

    labels = known(case)
    ids = case.objects
    if ids is None:
        ids = ndimage.label(labels == 1)[0]
    return np.where(labels == UNLABELLED, -1, np.where(labels == 1, ids, 0)).astype(np.int32)


def _sizes(truths: Sequence[Ids]) -> list[int]:
    """Sizes below which an object may be a speck: shares of what the small true ones have."""
    sizes = np.concatenate([np.bincount(truth[truth > 0])[1:] for truth in truths])
    sizes = sizes[sizes > 0]
    return [int(share * np.percentile(sizes, 5)) for share in (0.25, 0.5, 1.0)] if sizes.size else []


def _found(answers: Sequence[Ids], truths: Sequence[Ids]) -> float:
    """TP / (TP + FP + FN) over all images: pairs with an intersection over union above one half."""
    hits = total = 0
    for answer, truth in zip(answers, truths, strict=True):
        said = truth >= 0
        guess, true = answer[said].astype(np.int64), truth[said].astype(np.int64)
        sizes, true_sizes = np.bincount(guess), np.bincount(true)
        both = (guess > 0) & (true > 0)
        pairs, shared = np.unique(guess[both] * len(true_sizes) + true[both], return_counts=True)
        union = sizes[pairs // len(true_sizes)] + true_sizes[pairs % len(true_sizes)] - shared
        hit = int((shared / union > 0.5).sum())
        hits += hit
        total += int((sizes[1:] > 0).sum() + (true_sizes[1:] > 0).sum()) - hit
    return hits / total if total else 0.0
