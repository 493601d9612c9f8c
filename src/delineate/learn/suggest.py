"""Where would the next scribble help most? Regions of images by how unsure a network is there, and how typical they are.

Uncertainty alone asks for the same hard thing again and again, and for what is unlike all else. So one region after the other
is taken that stands for most of what nothing stands for yet, by the features of the network's coarsest level (the second
stage of suggestive annotation, Yang et al. 2017, doi:10.1007/978-3-319-66179-7_46); how unsure the network is there
counts for a quarter at most.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from delineate.core import UNLABELLED
from delineate.learn.answer import answered, ready
from delineate.learn.learnt import Learnt

Bounds = tuple[tuple[int, int], ...]

UNSURE = 0.25  # by how much the least sure region counts for more; more of it asks for outliers
MOST_COMPARED = 3000  # regions that are stood for, evenly spread, and that are chosen from, the least sure
WINDOW = 1024  # pixels along each axis whose features are computed at once


@dataclass(frozen=True, eq=False)
class Survey:
    """What a network makes of one image, region by region.

    entropy: (*spatial) float32, from 0 (sure) to 1 (all classes alike). bounds: first and past-last pixel of each region
    along each axis; in a volume a region lies on one slice. uncertainty: (regions) mean entropy. features: (regions,
    channels) of length 1.
    """

    entropy: NDArray[np.float32]
    bounds: tuple[Bounds, ...]
    uncertainty: NDArray[np.float32]
    features: NDArray[np.float32]


def survey(learnt: Learnt, image: NDArray[Any], *, region_px: int = 128) -> Survey:
    """What a network makes of an image (*spatial, channels) in regions of about `region_px` pixels along each side.

    Raises ModelError where the image has other axes or channels than the model.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> found = survey(UNetMethod(steps=1).fit(cases).learnt, cases[0].image, region_px=64)
    >>> found.entropy.shape, found.bounds[0], found.features.shape
    ((85, 170), ((0, 85), (0, 57)), (3, 128))
    """
    entropy = uncertainty_of(answered(learnt, image)[: len(learnt.classes)])
    coarse = _coarsest(learnt, image)
    scale = [c / n for c, n in zip(coarse.shape[1:], entropy.shape, strict=True)]
    bounds = tuple(regions(entropy.shape, region_px))
    unsure, features = [], []
    for box in bounds:
        unsure.append(float(entropy[tuple(slice(a, b) for a, b in box)].mean()))
        spots = tuple(
            slice(math.floor(a * s), max(math.ceil(b * s), math.floor(a * s) + 1))
            for (a, b), s in zip(box, scale, strict=True)
        )
        vector = coarse[(slice(None), *spots)].reshape(len(coarse), -1).mean(1)
        features.append(vector / max(float(np.linalg.norm(vector)), 1e-9))
    return Survey(entropy, bounds, np.array(unsure, np.float32), np.array(features, np.float32))


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
    features: NDArray[np.floating[Any]],
    *,
    count: int,
    known: NDArray[np.floating[Any]] | None = None,
) -> list[int]:
    """Which `count` of n things to label, the most helpful first: indices into `uncertainty` (n).

    features: (n, channels), rows of length 1. known: (m, channels) of what is labelled already, and stood for.
    Each next one is that which adds most to how alike everything is to the nearest that is chosen, times a weight from
    1 (sure) to 1 + UNSURE (the least sure of all).

    >>> alike = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> ranked(np.array([0.9, 0.8, 0.7, 0.1]), alike, count=2)
    [0, 2]
    """
    n = len(uncertainty)
    count = min(count, n)
    candidates = np.argsort(-uncertainty, kind="stable")[:MOST_COMPARED]
    all_ = features[np.linspace(0, n - 1, min(n, MOST_COMPARED)).round().astype(int)] if n else features
    alike = all_ @ features[candidates].T  # (everything, candidates)
    covered = np.zeros(len(all_)) if known is None or not len(known) else (all_ @ known.T).max(1).clip(0)
    unsure = uncertainty[candidates] / max(float(uncertainty.max(initial=0)), 1e-9)
    chosen: list[int] = []
    open_ = np.ones(len(candidates), bool)
    for _ in range(count):
        gain = np.maximum(alike - covered[:, None], 0).sum(0)
        gain = np.where(open_, (gain + 1e-9) * (1 + UNSURE * unsure), -np.inf)
        best = int(gain.argmax())
        open_[best] = False
        chosen.append(int(candidates[best]))
        covered = np.maximum(covered, alike[:, best])
    return chosen


def features_of_labelled(found: Survey, labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (m, channels) of those regions of a surveyed image in which labels (*spatial) say anything."""
    boxes = [tuple(slice(a, b) for a, b in box) for box in found.bounds]
    said = np.array([(labels[box] != UNLABELLED).any() for box in boxes], bool)
    return np.asarray(found.features[said], np.float32)


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


@torch.inference_mode()
def _coarsest(learnt: Learnt, image: NDArray[Any]) -> NDArray[np.float32]:
    """Features of the coarsest level (channels, *coarser); slices of a volume that is read in slices stay apart."""
    plan, net = learnt.plan, learnt.net
    picture = ready(plan, image)
    name = f"encoder {len(net.downs)}"
    device = next(net.parameters()).device

    def of(window: torch.Tensor) -> torch.Tensor:
        lack = [-n % net.divisor for n in window.shape[1:]]
        pads = [side for n in reversed(lack) for side in (0, n)]
        return net.features(F.pad(window[None], pads).to(device))[name][0].float().cpu()

    def whole(plane: torch.Tensor) -> torch.Tensor:
        if plan.dims == 3 or max(plane.shape[1:]) <= WINDOW:
            return of(plane)
        height, width = plane.shape[1:]
        rows = []
        for top in range(0, height, WINDOW):
            band = plane[:, top : top + WINDOW]
            rows.append(
                torch.cat([of(band[..., left : left + WINDOW]) for left in range(0, width, WINDOW)], 2)
            )
        return torch.cat(rows, dim=1)

    if plan.dims == 2 and picture.ndim == 4:
        stacked = torch.stack([whole(plane) for plane in picture.unbind(1)], dim=1)
        return np.asarray(stacked.numpy(), np.float32)
    return np.asarray(whole(picture).numpy(), np.float32)
