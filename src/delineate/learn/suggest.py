"""Where would the next scribble help most? Regions of images by how typical they are, and how unsure a network is there.

Uncertainty alone asks for the same hard thing again and again, and for what is unlike all else. So one region after the other
is taken that stands for most of what nothing stands for yet (the second stage of suggestive annotation, Yang et al. 2017,
doi:10.1007/978-3-319-66179-7_46); how unsure the network is there counts for a quarter at most. What is alike is told by
brightness, contrast and grain, not by what the network has learnt: after a few strokes it takes tissue for what it knows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from delineate.core import UNLABELLED
from delineate.learn.answer import answered, ready
from delineate.learn.learnt import Learnt

Bounds = tuple[tuple[int, int], ...]

UNSURE = 0.25  # by how much the least sure region counts for more; more of it asks for outliers
MOST_COMPARED = 3000  # regions that are stood for, evenly spread, and that are chosen from, the least sure


@dataclass(frozen=True, eq=False)
class Survey:
    """What a network makes of one image, region by region.

    entropy: (*spatial) float32, from 0 (sure) to 1 (all classes alike). bounds: first and past-last pixel of each region
    along each axis; in a volume a region lies on one slice. uncertainty: (regions) mean entropy. look: (regions, 3 * channels)
    mean, standard deviation and mean change from pixel to pixel of each channel, scaled as the network sees it.
    """

    entropy: NDArray[np.float32]
    bounds: tuple[Bounds, ...]
    uncertainty: NDArray[np.float32]
    look: NDArray[np.float32]


def survey(learnt: Learnt, image: NDArray[Any], *, region_px: int = 128) -> Survey:
    """What a network makes of an image (*spatial, channels) in regions of about `region_px` pixels along each side.

    Raises ModelError where the image has other axes or channels than the model.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> found = survey(UNetMethod(steps=1).fit(cases).learnt, cases[0].image, region_px=64)
    >>> found.entropy.shape, found.bounds[0], found.look.shape
    ((85, 170), ((0, 85), (0, 57)), (3, 3))
    """
    entropy = uncertainty_of(answered(learnt, image)[: len(learnt.classes)])
    seen = ready(learnt.plan, image).numpy()
    bounds = tuple(regions(entropy.shape, region_px))
    boxes = [tuple(slice(a, b) for a, b in box) for box in bounds]
    unsure = [float(entropy[box].mean()) for box in boxes]
    look = [_look(seen[(slice(None), *box)]) for box in boxes]
    return Survey(entropy, bounds, np.array(unsure, np.float32), np.array(look, np.float32))


def _look(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness, contrast and grain of each channel of (channels, *spatial), the last two axes of a slice."""
    channels = pixels.reshape(len(pixels), *pixels.shape[-2:])
    changes = [np.abs(np.diff(channels, axis=axis)).reshape(len(pixels), -1) for axis in (1, 2)]
    grain = sum(c.mean(1) if c.size else np.zeros(len(pixels)) for c in changes) / 2
    return np.concatenate([channels.mean((1, 2)), channels.std((1, 2)), grain])


def uncertainty_of(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy of (classes, *spatial) probabilities over its highest value, log(classes): (*spatial) from 0 to 1.

    >>> uncertainty_of(np.array([[0.5, 1.0], [0.5, 0.0]], np.float32)).tolist()
    [1.0, 0.0]
    """
    safe = np.clip(probabilities, 1e-7, 1)
    entropy = -(probabilities * np.log(safe)).sum(0) / math.log(len(probabilities))
    return np.asarray(np.abs(entropy), np.float32)


def ranked(
    uncertainty: NDArray[np.floating[Any]],
    look: NDArray[np.floating[Any]],
    *,
    count: int,
    known: NDArray[np.floating[Any]] | None = None,
    weight: NDArray[np.floating[Any]] | None = None,
) -> list[int]:
    """Which `count` of n things to label, the most helpful first: indices into `uncertainty` (n).

    look: (n, features), of which each counts alike. known: (m, features) of what is labelled already, and stood for. weight:
    (n) how much each wants to be stood for; None: all alike.
    Two things are alike to exp(-d2 / median d2), d2 being the mean square of their differences in standard deviations. Each
    next one is that which adds most to how alike everything is to the nearest that is chosen, times a number from 1 (sure)
    to 1 + UNSURE (the least sure of all).

    >>> look = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> ranked(np.array([0.9, 0.8, 0.7, 0.1]), look, count=2)
    [0, 2]
    """
    n = len(uncertainty)
    count = min(count, n)
    if not count:
        return []
    before = np.zeros((0, look.shape[1])) if known is None else known
    all_looks = np.concatenate([look, before]).astype(np.float64)
    scaled = (all_looks - all_looks.mean(0)) / np.maximum(all_looks.std(0), 1e-9)
    candidates = np.argsort(-uncertainty, kind="stable")[:MOST_COMPARED]
    rows = np.linspace(0, n - 1, min(n, MOST_COMPARED)).round().astype(int)
    apart = _apart(scaled[rows], scaled[candidates])  # (everything, candidates)
    near = max(float(np.median(apart)), 1e-9)
    alike = np.exp(-apart / near)
    covered = np.exp(-_apart(scaled[rows], scaled[n:]) / near).max(1, initial=0)
    wanted = np.ones(len(rows)) if weight is None else weight[rows]
    unsure = uncertainty[candidates] / max(float(uncertainty.max(initial=0)), 1e-9)
    chosen: list[int] = []
    open_ = np.ones(len(candidates), bool)
    for _ in range(count):
        gain = wanted @ np.maximum(alike - covered[:, None], 0)
        gain = np.where(open_, (gain + 1e-9) * (1 + UNSURE * unsure), -np.inf)
        best = int(gain.argmax())
        open_[best] = False
        chosen.append(int(candidates[best]))
        covered = np.maximum(covered, alike[:, best])
    return chosen


def _apart(these: NDArray[np.float64], those: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean square of the differences of (n, features) and (m, features): (n, m)."""
    return np.asarray(cdist(these, those, "sqeuclidean") / max(these.shape[1], 1), np.float64)


def look_of_labelled(found: Survey, labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Looks (m, features) of those regions of a surveyed image in which labels (*spatial) say anything."""
    boxes = [tuple(slice(a, b) for a, b in box) for box in found.bounds]
    said = np.array([(labels[box] != UNLABELLED).any() for box in boxes], bool)
    return np.asarray(found.look[said], np.float32)


def regions(shape: Sequence[int], region_px: int) -> list[Bounds]:
    """Regions of about `region_px` a side that part an image evenly; of a volume each slice.

    >>> regions((100, 300), 128)
    [((0, 100), (0, 150)), ((0, 100), (150, 300))]
    """
    sides: list[list[tuple[int, int]]] = []
    for axis, length in enumerate(shape):
        parts = length if len(shape) == 3 and axis == 0 else max(1, round(length / region_px))
        edges = np.linspace(0, length, parts + 1).round().astype(int).tolist()
        sides.append(list(itertools.pairwise(edges)))
    return list(itertools.product(*sides))
