"""Thresholds: what is brighter, or darker, than some value is an object. The honest baseline for all that learns.

The value comes from the image itself: from its histogram (Otsu, multi-Otsu, Li, triangle), from the surroundings of
each pixel (local mean, Sauvola), or there are two values, one to find and one to extend (hysteresis). Labels only
settle what a person would otherwise set by hand: which channel or stain, how much smoothing, whether objects are bright
or dark, how large the surroundings are.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from delineate.classical.look import SIGMAS_PX, Grey, Look, looks
from delineate.classical.taught import Taught, known, mean_defined, one_hot, overlap, spread
from delineate.core import Case

MOST_PX = 4e6  # of the cases that settings are tried on; of more, some are taken evenly
BINS = 4096  # of the histogram: fine enough for a picture that a single hot pixel squeezes into a corner of its range
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Threshold:
    """What `fit` settles for every threshold. bright: objects are above it."""

    look: Look
    bright: bool


@dataclass(frozen=True)
class CorrectedThreshold(Threshold):
    """correction: by which the threshold's height over the darkest value is multiplied."""

    correction: float

    def __post_init__(self) -> None:
        if not 0 < self.correction < 100:
            raise ValueError(f"correction {self.correction}")


@dataclass(frozen=True)
class LocalThreshold(Threshold):
    """window_px: side of the square that a pixel is compared with, within the last two axes. weight: how much of the
    spread within it a pixel must stand out by.
    """

    window_px: int
    weight: float

    def __post_init__(self) -> None:
        if self.window_px < 3 or self.window_px % 2 == 0 or not -2 <= self.weight <= 2:
            raise ValueError(f"window_px {self.window_px}, weight {self.weight}")


@dataclass(frozen=True)
class TwoThresholds(Threshold):
    """found: where an object is found, extended: how far it goes; shares of the way from the darkest value (0) to
    Otsu's threshold (1) and on to the brightest (2).
    """

    found: float
    extended: float

    def __post_init__(self) -> None:
        if not 0 <= self.extended <= self.found <= 2:
            raise ValueError(f"found {self.found}, extended {self.extended}")


class _Thresholding(Taught[Threshold]):
    """The search that all have in common: first look and polarity with the rule's first numbers, then its numbers."""

    record: ClassVar[type] = Threshold

    @abstractmethod
    def above(self, grey: Grey, settings: Any) -> Mask:
        """Which pixels (*spatial) are objects, in a picture from 0 to 1 that is not constant, objects bright."""

    def numbers(self, look: Look, bright: bool) -> Iterator[Threshold]:
        """The settings to try for one look and polarity, plainest first."""
        yield Threshold(look, bright)

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().look.in_channels

    def choose(self, cases: Sequence[Case]) -> Threshold:
        """The first best by mean Dice over the cases: plain before elaborate, little smoothing before much."""
        chosen = spread(cases, most_px=MOST_PX)
        first: list[tuple[float, Threshold]] = []
        for look in looks(chosen):
            greys = [look.grey(case.image) for case in chosen]
            for bright in (True, False):
                settings = next(self.numbers(look, bright))
                first.append((self._agreement(chosen, greys, settings), settings))
        best = max(first, key=lambda pair: pair[0])  # of equal ones the first
        for sigma_px in SIGMAS_PX:
            look = replace(best[1].look, sigma_px=sigma_px)
            greys = [look.grey(case.image) for case in chosen]
            tried = itertools.islice(self.numbers(look, best[1].bright), 1, None)
            rest = [(self._agreement(chosen, greys, settings), settings) for settings in tried]
            best = max([best, *rest], key=lambda pair: pair[0])
        return best[1]

    def foreground(self, image: NDArray[Any], settings: Threshold) -> Mask:
        """Which pixels (*spatial) of an image (*spatial, channels) are objects; none of a constant image."""
        return self.within(settings.look.grey(image), settings)

    def likely(self, image: NDArray[Any], settings: Threshold) -> NDArray[np.float32]:
        """Probabilities of 0 and 1, for a threshold knows no doubt."""
        return one_hot(self.foreground(image, settings).astype(np.uint8), 2)

    def within(self, grey: Grey, settings: Threshold) -> Mask:
        """The same of a picture (*spatial) from 0 to 1, which is what `settings.look` makes of an image."""
        if np.ptp(grey) == 0:
            return np.zeros(grey.shape, bool)
        return self.above(grey if settings.bright else 1 - grey, settings)

    def _agreement(self, cases: Sequence[Case], greys: Sequence[Grey], settings: Threshold) -> float:
        return mean_defined(
            overlap(known(case), self.within(grey, settings)) for case, grey in zip(cases, greys, strict=True)
        )


class Otsu(_Thresholding):
    """Two groups of values, each as much of one value as can be. Otsu 1979, doi:10.1109/TSMC.1979.4310076.

    Two classes. `fit` tries every channel, stain and their mean, SIGMAS_PX and both polarities, and keeps what has the
    highest mean Dice over the labelled pixels of the cases; `settings` tells which.

    >>> image = np.zeros((8, 8, 1), np.uint8)
    >>> image[2:5, 2:5] = 200
    >>> case = Case("square", image, labels=(image[..., 0] > 0).astype(np.uint8))
    >>> otsu = Otsu().fit([case])
    >>> otsu.settings
    Threshold(look=Look(in_channels=1, channels=(0,), stain='', sigma_px=0.0), bright=True)
    >>> int(otsu.predict(image)[1].sum())
    9
    """

    name = "otsu"

    def above(self, grey: Grey, settings: Threshold) -> Mask:
        """What is above the image's own threshold."""
        return grey >= otsu_threshold(grey)


class _Corrected(_Thresholding):
    """A threshold of the whole image, times a factor that the labels choose."""

    record = CorrectedThreshold

    def numbers(self, look: Look, bright: bool) -> Iterator[CorrectedThreshold]:
        """Factors, none first."""
        for correction in (1.0, 1.25, 0.8, 1.6, 2.0):
            yield CorrectedThreshold(look, bright, correction)


class Li(_Corrected):
    """The threshold with the least cross-entropy between the picture and its two levels.

    Li & Lee 1993, doi:10.1016/0031-3203(93)90115-D. Two classes; `fit` as for `Otsu`, and a factor.
    """

    name = "li"

    def above(self, grey: Grey, settings: CorrectedThreshold) -> Mask:
        """What is above the image's own threshold times the factor."""
        from skimage.filters import threshold_li

        found: Any = threshold_li
        return np.asarray(grey > settings.correction * found(grey))


class Triangle(_Corrected):
    """The value farthest below a line from the histogram's peak to its far end: for few objects on much background.

    Zack, Rogers & Latt 1977, doi:10.1177/25.7.70454. Two classes; `fit` as for `Otsu`, and a factor.
    """

    name = "triangle"

    def above(self, grey: Grey, settings: CorrectedThreshold) -> Mask:
        """What is above the image's own threshold times the factor."""
        from skimage.filters import threshold_triangle

        found: Any = threshold_triangle
        return np.asarray(grey > settings.correction * found(grey))


class LocalMean(_Thresholding):
    """What stands out from the mean of its surroundings by a share of the picture's spread, so light may be uneven.

    Two classes. `fit` chooses the window and the share as well.
    """

    name = "local-mean"
    record = LocalThreshold

    def numbers(self, look: Look, bright: bool) -> Iterator[LocalThreshold]:
        """Windows and shares of the standard deviation."""
        for window_px, weight in itertools.product((51, 25, 101, 201), (0.5, 0.25, 0.0, 1.0)):
            yield LocalThreshold(look, bright, window_px, weight)

    def above(self, grey: Grey, settings: LocalThreshold) -> Mask:
        """What is above the mean of its window by `weight` standard deviations of the picture."""
        from scipy.ndimage import uniform_filter

        mean = uniform_filter(grey, settings.window_px, mode="reflect", axes=(-2, -1))
        return np.asarray(grey > mean + settings.weight * grey.std())


class Sauvola(_Thresholding):
    """What is darker than its surroundings, the more so the more even they are: made for ink on stained paper.

    T = m (1 + k (s / r - 1)) with mean m and standard deviation s of the window and r half of the picture's range;
    bright objects are turned dark first. Sauvola & Pietikäinen 2000, doi:10.1016/S0031-3203(99)00055-2. Two
    classes. `fit` chooses the window and k as well.
    """

    name = "sauvola"
    record = LocalThreshold

    def numbers(self, look: Look, bright: bool) -> Iterator[LocalThreshold]:
        """Windows and k."""
        for window_px, weight in itertools.product((51, 25, 101, 201), (0.2, 0.1, 0.05, 0.35)):
            yield LocalThreshold(look, bright, window_px, weight)

    def above(self, grey: Grey, settings: LocalThreshold) -> Mask:
        """What is below Sauvola's threshold in the negative."""
        from scipy.ndimage import uniform_filter

        dark = 1 - grey.astype(np.float64)
        window = settings.window_px
        mean = uniform_filter(dark, window, mode="reflect", axes=(-2, -1))
        squares = uniform_filter(dark**2, window, mode="reflect", axes=(-2, -1))
        deviation = np.sqrt(np.maximum(squares - mean**2, 0))
        return np.asarray(dark < mean * (1 + settings.weight * (deviation / 0.5 - 1)))


class Hysteresis(_Thresholding):
    """Objects are found where they are clearly bright, and extend as far as they are still bright.

    After Canny 1986, doi:10.1109/TPAMI.1986.4767851. Two classes. `fit` chooses both thresholds, relative to Otsu's.
    """

    name = "hysteresis"
    record = TwoThresholds

    def numbers(self, look: Look, bright: bool) -> Iterator[TwoThresholds]:
        """Shares of the way to Otsu's threshold and beyond."""
        for found, extended in itertools.product((1.2, 1.0, 1.4, 0.8), (0.8, 0.6, 1.0, 0.4)):
            if extended <= found:
                yield TwoThresholds(look, bright, found, extended)

    def above(self, grey: Grey, settings: TwoThresholds) -> Mask:
        """What is connected, above the lower threshold, with something above the higher one."""
        from skimage.filters import apply_hysteresis_threshold

        reach: Any = apply_hysteresis_threshold
        low, high = (
            float(np.interp(share, (0, 1, 2), (0, otsu_threshold(grey), 1)))
            for share in (settings.extended, settings.found)
        )
        return np.asarray(reach(grey, low, high), bool)


def otsu_threshold(grey: Grey) -> float:
    """The value from which on a picture (*spatial) from 0 to 1, not constant, is above by Otsu's criterion.

    >>> round(otsu_threshold(np.array([0.0, 0.1, 0.1, 0.9, 1.0])), 1)
    0.1
    """
    from skimage.filters import threshold_otsu

    found: Any = threshold_otsu
    counts, edges = np.histogram(grey, BINS)
    return float(found(hist=(counts, edges[1:])))  # the upper edge of the last bin that is below
