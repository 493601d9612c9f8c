"""Where would the next scribble help most? Regions of images by how typical they are, and how unsure a network is there.

Uncertainty alone asks for the same hard thing again and again, and for what is unlike all else. So one region after the other
is taken that stands for most of what nothing stands for yet (the second stage of suggestive annotation, Yang et al. 2017,
doi:10.1007/978-3-319-66179-7_46); how unsure the network is there counts for a quarter at most. What is alike is told by
brightness, contrast and grain as much as by what the network has learnt: after a few strokes it takes tissue for what it knows.
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
from scipy.spatial.distance import cdist, pdist

from delineate.core import UNLABELLED
from delineate.learn.answer import answered, ready
from delineate.learn.learnt import Learnt

Bounds = tuple[tuple[int, int], ...]

UNSURE = 0.25  # by how much the least sure region counts for more; more of it asks for outliers
MOST_COMPARED = 3000  # regions that are stood for, evenly spread, and that are chosen from, the least sure
MOST_PAIRED = 1000  # regions whose distances from each other tell what is usual
WINDOW = 1024  # pixels along each axis whose features are computed at once


@dataclass(frozen=True, eq=False)
class Survey:
    """What a network makes of one image, region by region.

    entropy: (*spatial) float32, from 0 (sure) to 1 (all classes alike). bounds: first and past-last pixel of each region
    along each axis; in a volume a region lies on one slice. uncertainty: (regions) mean entropy. look: (regions, 3 * channels)
    mean, standard deviation and mean change from pixel to pixel of each channel, scaled as the network sees it. features:
    (regions, n) of the network's coarsest level, of length 1.
    """

    entropy: NDArray[np.float32]
    bounds: tuple[Bounds, ...]
    uncertainty: NDArray[np.float32]
    look: NDArray[np.float32]
    features: NDArray[np.float32]


def survey(learnt: Learnt, image: NDArray[Any], *, region_px: int = 128) -> Survey:
    """What a network makes of an image (*spatial, channels) in regions of about `region_px` pixels along each side.

    Raises ModelError where the image has other axes or channels than the model.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> found = survey(UNetMethod(steps=1).fit(cases).learnt, cases[0].image, region_px=64)
    >>> found.entropy.shape, found.bounds[0], found.look.shape, found.features.shape
    ((85, 170), ((0, 85), (0, 57)), (3, 3), (3, 128))
    """
    entropy = uncertainty_of(answered(learnt, image)[: len(learnt.classes)])
    picture = ready(learnt.plan, image)
    coarse = _coarsest(learnt, picture)
    bounds = tuple(regions(entropy.shape, region_px))
    boxes = [tuple(slice(a, b) for a, b in box) for box in bounds]
    unsure = [float(entropy[box].mean()) for box in boxes]
    look = [_look(picture.numpy()[(slice(None), *box)]) for box in boxes]
    features = [_features(coarse, box, entropy.shape) for box in bounds]
    return Survey(entropy, bounds, *(np.array(each, np.float32) for each in (unsure, look, features)))


def _look(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness, contrast and grain of each channel of (channels, *spatial), the last two axes of a slice."""
    channels = pixels.reshape(len(pixels), *pixels.shape[-2:])
    changes = [np.abs(np.diff(channels, axis=axis)).reshape(len(pixels), -1) for axis in (1, 2)]
    grain = sum(c.mean(1) if c.size else np.zeros(len(pixels)) for c in changes) / 2
    return np.concatenate([channels.mean((1, 2)), channels.std((1, 2)), grain])


def _features(coarse: NDArray[np.float32], box: Bounds, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The mean of coarse maps (n, *coarser) over a box of an image of this shape, made of length 1."""
    scale = [c / n for c, n in zip(coarse.shape[1:], shape, strict=True)]
    spots = tuple(
        slice(math.floor(a * s), max(math.ceil(b * s), math.floor(a * s) + 1))
        for (a, b), s in zip(box, scale, strict=True)
    )
    vector = coarse[(slice(None), *spots)].reshape(len(coarse), -1).mean(1)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def uncertainty_of(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy of (classes, *spatial) probabilities over its highest value, log(classes): (*spatial) from 0 to 1.

    >>> uncertainty_of(np.array([[0.5, 1.0], [0.5, 0.0]], np.float32)).tolist()
    [1.0, 0.0]
    """
    safe = np.clip(probabilities, 1e-7, 1)
    entropy = -(probabilities * np.log(safe)).sum(0) / math.log(len(probabilities))
    return np.asarray(np.abs(entropy), np.float32)


def places(look: NDArray[np.floating[Any]], features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Regions as points (n, numbers): the square of their distance is 1 at the median of all pairs.

    look: (n, numbers), of which each counts alike. features: (n, channels). Half of the square comes from either.

    >>> places(np.array([[0.0], [4.0]]), np.array([[1.0], [1.0]])).round(3).tolist()
    [[-0.354, 0.0], [0.354, 0.0]]
    """
    scaled = (look - look.mean(0)) / np.maximum(look.std(0), 1e-9)
    return np.concatenate([_in_own_unit(view) for view in (scaled, features)], axis=1) / math.sqrt(2)


def _in_own_unit(view: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Points (n, numbers) from their middle, over the root of the median of their squared distances."""
    some = view[np.linspace(0, len(view) - 1, min(len(view), MOST_PAIRED)).round().astype(int)]
    usual = float(np.median(pdist(some, "sqeuclidean"))) if len(some) > 1 else 0.0
    centred = np.asarray(view - view.mean(0), np.float64)
    return centred / math.sqrt(usual) if usual > 1e-12 else centred * 0


def ranked(
    uncertainty: NDArray[np.floating[Any]],
    points: NDArray[np.floating[Any]],
    *,
    count: int,
    known: NDArray[np.floating[Any]] | None = None,
    weight: NDArray[np.floating[Any]] | None = None,
) -> list[int]:
    """Which `count` of n things to label, the most helpful first: indices into `uncertainty` (n).

    points: (n, numbers), see `places`. known: (m, numbers) of what is labelled already, and stood for. weight: (n) how much
    each wants to be stood for; None: all alike.
    Two things are alike to exp(-d2), d2 being the square of their distance. Each next one is that which adds most to how
    alike everything is to the nearest that is chosen, times a number from 1 (sure) to 1 + UNSURE (the least sure of all).

    >>> points = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> ranked(np.array([0.9, 0.8, 0.7, 0.1]), points, count=2)
    [0, 2]
    """
    n = len(uncertainty)
    count = min(count, n)
    if not count:
        return []
    candidates = np.argsort(-uncertainty, kind="stable")[:MOST_COMPARED]
    rows = np.linspace(0, n - 1, min(n, MOST_COMPARED)).round().astype(int)
    everything, wanted = points[rows], np.ones(len(rows)) if weight is None else weight[rows]
    alike = np.exp(-cdist(everything, points[candidates], "sqeuclidean"))  # (everything, candidates)
    covered = np.zeros(len(everything))
    if known is not None and len(known):
        covered = np.exp(-cdist(everything, known, "sqeuclidean")).max(1)
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


def regions_with_labels(found: Survey, labels: NDArray[np.uint8], *, share: float = 0.0) -> NDArray[np.bool_]:
    """In which regions (n) of a surveyed image labels (*spatial) say something about more than `share` of the pixels."""
    boxes = [tuple(slice(a, b) for a, b in box) for box in found.bounds]
    return np.array([(labels[box] != UNLABELLED).mean() > share for box in boxes], bool)


def only(found: Survey, regions: NDArray[np.bool_]) -> Survey:
    """These regions (n) of a survey, without the entropy of its pixels, which is large and quick to make again."""
    return Survey(
        found.entropy[..., :0],
        tuple(box for box, kept in zip(found.bounds, regions, strict=True) if kept),
        found.uncertainty[regions],
        found.look[regions],
        found.features[regions],
    )


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
def _coarsest(learnt: Learnt, picture: torch.Tensor) -> NDArray[np.float32]:
    """Features of the coarsest level (channels, *coarser); slices of a volume that is read in slices stay apart."""
    plan, net = learnt.plan, learnt.net
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
