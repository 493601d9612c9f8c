"""Does a probability of 0.8 come true in 8 of 10 pixels? Expected calibration error and Brier score.

Pixels are counted once, in bins of equal width, and the counts of many images add up. At the border of objects a
segmentation is most often wrong and most often too sure, and the large easy rest hides it: so the same is asked of the
band along the borders of truth alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError
from delineate.score.pair import Mask

BINS = 15
BAND_PX = 3


@dataclass(frozen=True, eq=False)
class Calibration:
    """Pixels of one label by their probability: (15,) how many, the sum of their probabilities, how many hold the label;
    squared: the sum over all pixels of (probability - truth)².

    ECE: Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602. Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """

    pixels: NDArray[np.int64]
    likely: NDArray[np.float64]
    true: NDArray[np.int64]
    squared: float

    @property
    def ece(self) -> float:
        """Mean over pixels of |share that holds the label - mean probability| of their bin: 0 is best; nan without pixels."""
        total = self.pixels.sum()
        return float(np.abs(self.true - self.likely).sum() / total) if total else float("nan")

    @property
    def brier(self) -> float:
        """Mean of (probability - truth)², from 0, which is best, to 1; nan without pixels."""
        total = self.pixels.sum()
        return float(self.squared / total) if total else float("nan")

    @property
    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean probability, and share that holds the label, of every bin that has pixels."""
        held = self.pixels > 0
        return self.likely[held] / self.pixels[held], self.true[held] / self.pixels[held]


def calibration(
    truth: NDArray[Any], likely: NDArray[np.floating[Any]], *, label: int, within: Mask | None = None
) -> Calibration:
    """Count the pixels of one image by the probability of `label` that was predicted for them.

    truth: (*spatial) class indices; UNLABELLED pixels do not count. likely: (*spatial) from 0 to 1. within: (*spatial), the
    only pixels that count; None for all. No pixel: every score nan.
    Raises DataError where shapes differ, where within is not boolean, and for values that count and are nan or outside 0 to 1.

    >>> truth, likely = np.array([[1, 1, 1, 0]]), np.array([[0.9, 0.9, 0.9, 0.9]])
    >>> found = calibration(truth, likely, label=1)  # 0.9 was promised, 3 of 4 came true
    >>> round(found.ece, 3), round(found.brier, 3)
    (0.15, 0.21)
    """
    _check(truth, likely)
    if within is not None and (within.dtype != bool or within.shape != truth.shape):
        raise DataError(
            f"within is {within.dtype} of shape {within.shape} for truth of shape {truth.shape}: give booleans of one shape"
        )
    counts = truth != UNLABELLED if within is None else within & (truth != UNLABELLED)
    _check_range(likely[counts])
    chosen, there = likely[counts].astype(np.float64), (truth == label)[counts]
    at = np.minimum((chosen * BINS).astype(np.intp), BINS - 1)
    return Calibration(
        pixels=np.bincount(at, minlength=BINS),
        likely=np.bincount(at, chosen, minlength=BINS).astype(np.float64),
        true=np.bincount(at[there], minlength=BINS),
        squared=float(((chosen - there) ** 2).sum()),
    )


def expected_calibration_error(
    truth: NDArray[Any], likely: NDArray[np.floating[Any]], *, label: int
) -> float:
    """ECE of one label in one image: see `calibration` and `Calibration.ece`.

    >>> round(expected_calibration_error(np.array([[1, 0]]), np.array([[0.75, 0.25]]), label=1), 12)
    0.25
    """
    return calibration(truth, likely, label=label).ece


def brier(truth: NDArray[Any], likely: NDArray[np.floating[Any]], *, label: int) -> float:
    """Brier score of one label in one image: see `calibration` and `Calibration.brier`.

    >>> brier(np.array([[1, 0]]), np.array([[0.75, 0.25]]), label=1)
    0.0625
    """
    return calibration(truth, likely, label=label).brier


def pool_calibrations(found: Iterable[Calibration]) -> Calibration:
    """The pixels of many images together.

    >>> one = calibration(np.array([[1]]), np.array([[0.5]]), label=1)
    >>> pool_calibrations([one, one]).pixels.sum()
    np.int64(2)
    """
    every = list(found)
    nothing = np.zeros(BINS, np.int64)
    return Calibration(
        sum((c.pixels for c in every), nothing),
        sum((c.likely for c in every), nothing.astype(np.float64)),
        sum((c.true for c in every), nothing),
        sum(c.squared for c in every),
    )


def border_band(truth: NDArray[Any], *, width_px: int = BAND_PX) -> Mask:
    """Pixels at most `width_px` steps from a face at which the class of truth (*spatial) changes, on both sides of it.

    Where truth is UNLABELLED there is no such face. Raises DataError for a width below 1.

    >>> border_band(np.array([[0, 0, 0, 1, 1]]), width_px=1).astype(int)
    array([[0, 0, 1, 1, 0]])
    """
    from scipy.ndimage import binary_dilation

    if width_px < 1:
        raise DataError(f"the band is {width_px} px wide: give 1 or more")
    band = np.zeros(truth.shape, bool)
    for axis in range(truth.ndim):
        here, beside, there = (np.moveaxis(array, axis, 0) for array in (truth, truth, band))
        differ = (here[1:] != beside[:-1]) & (here[1:] != UNLABELLED) & (beside[:-1] != UNLABELLED)
        there[1:] |= differ
        there[:-1] |= differ
    grown: Mask = binary_dilation(band, iterations=width_px - 1) if width_px > 1 and band.any() else band
    return grown


def _check(truth: NDArray[Any], likely: NDArray[Any]) -> None:
    if truth.shape != likely.shape:
        raise DataError(
            f"truth is {' x '.join(map(str, truth.shape))} but the probabilities are "
            f"{' x '.join(map(str, likely.shape))}: give those of one label, of the image that truth belongs to"
        )
    if likely.dtype.kind != "f":
        raise DataError(f"probabilities are {likely.dtype}: give floating-point numbers from 0 to 1")


def _check_range(likely: NDArray[np.floating[Any]]) -> None:
    if not (good := np.isfinite(likely)).all():
        raise DataError(
            f"{likely.size - int(good.sum()):,} of {likely.size:,} probabilities are not finite: predict again, or leave them out"
        )
    low, high = float(likely.min(initial=0)), float(likely.max(initial=0))
    if low < 0 or high > 1 + 1e-5:
        raise DataError(
            f"probabilities run from {low:.3g} to {high:.3g}: apply softmax or sigmoid to logits first"
        )
