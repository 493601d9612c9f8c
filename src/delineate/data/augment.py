"""Training crops: each is one affine look (place, turn, flip, zoom) into a whole picture, then another light.

A crop is sampled from the whole picture in one step, so a turned crop has no empty corners and is interpolated
once. Labels are taken by nearest neighbour, never interpolated. A batch is a pure function of
(samples, settings, seed, step): it needs no state to be repeated, in any order, on any machine.

This file, `sample` and `robust` alone of `data` need torch; nothing imports them before a training starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import UNLABELLED
from delineate.data.robust import blurred, robust
from delineate.data.sample import Sample, WindowedSample


@dataclass(frozen=True)
class Augmentation:
    """How far crops may differ from what was recorded; each number is the end of a symmetric range.

    turn: 1.0 any angle within the last two axes, 0.0 none. flip: mirror each axis half of the time. zoom: log of
    the scale. stretch: log of the scale of each axis by itself. gain: log.
    offset, noise: in units of the normalised image. gamma: log of the exponent. blur_px: largest sigma.
    focus: share of crops centred on a pixel of a class drawn at random, so that rare classes are seen.
    robust: families of other acquisition conditions that crops are put under; see `robust`.
    """

    turn: float = 1.0
    flip: bool = True
    zoom: float = 0.35
    stretch: float = 0.1
    gain: float = 0.25
    offset: float = 0.08
    gamma: float = 0.1
    noise: float = 0.03
    blur_px: float = 0.0
    focus: float = 0.5
    robust: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """images (batch, channels, *patch) float32; labels (batch, *patch) uint8; offsets (batch, dims or 0, *patch) float32;
    span (batch, channels) float32, how many intensities of its file one unit of a crop is.

    An offset is measured in pixels of the crop, turned and zoomed as the crop is. Where several people labelled a picture,
    labels and offsets are those of one of them, drawn for every crop. everybody: those of all, where they were asked for,
    with the axis of people after the batch's: labels UNLABELLED and offsets nan where a picture has fewer people.
    """

    images: Tensor
    labels: Tensor
    offsets: Tensor
    span: Tensor
    everybody: tuple[Tensor, Tensor] | None = None


def batch(
    samples: Sequence[Sample | WindowedSample],
    *,
    size: int,
    patch: tuple[int, ...],
    augmentation: Augmentation,
    seed: int,
    step: int,
    share: tuple[int, int] = (0, 1),
    everybody: bool = False,
) -> Batch:
    """The batch of `size` crops of shape `patch` that belongs to this seed and step.

    share: (i, n) gives crops i, i + n, i + 2 n, ... only, the part of one process of n. everybody: all people's labels too.
    Pictures are drawn with a weight of the square root of their number of pixels: large pictures hold more, but small
    ones are not forgotten.

    >>> image = torch.arange(64.0).view(1, 8, 8)
    >>> sample = Sample(image, torch.zeros(1, 8, 8), torch.zeros(0, 8, 8), ())
    >>> one = batch([sample], size=2, patch=(4, 6), augmentation=Augmentation(), seed=0, step=3)
    >>> again = batch([sample], size=2, patch=(4, 6), augmentation=Augmentation(), seed=0, step=3)
    >>> one.images.shape, one.labels.shape, torch.equal(one.images, again.images)
    (torch.Size([2, 1, 4, 6]), torch.Size([2, 4, 6]), True)
    """
    rng = np.random.default_rng([seed, step])
    weights = np.sqrt([float(math.prod(s.spatial)) for s in samples])
    chosen = rng.choice(len(samples), size=size, p=weights / weights.sum())
    looks = [_look(samples[i], patch=patch, augmentation=augmentation, rng=rng) for i in chosen]
    person = [int(rng.integers(several)) if (several := _people(samples[i])) > 1 else 0 for i in chosen]
    mine = range(share[0], size, share[1])
    crops = {i: _crop(samples[chosen[i]], *looks[i], patch=patch) for i in mine}
    unseen = torch.zeros(
        samples[chosen[0]].channels, *patch
    )  # other processes' crops use up as many random numbers
    images = [
        relit(crops[i][0] if i in crops else unseen, augmentation=augmentation, rng=rng) for i in range(size)
    ]
    recorded = [
        robust(images[i], families=augmentation.robust, rng=np.random.default_rng([seed, step, i]))
        for i in mine
    ]
    return Batch(
        images=torch.stack(recorded),
        labels=torch.stack([crops[i][1][person[i]] for i in mine]).to(torch.uint8),
        offsets=torch.stack([crops[i][2][person[i]] for i in mine]),
        span=torch.tensor([_span(samples[chosen[i]]) for i in mine]),
        everybody=_of_all([crops[i] for i in mine], max(map(_people, samples))) if everybody else None,
    )


def _span(sample: Sample | WindowedSample) -> tuple[float, ...]:
    return sample.span or (1.0,) * sample.channels


def _people(sample: Sample | WindowedSample) -> int:
    return len(sample.labels) if isinstance(sample, Sample) else 1


def _of_all(crops: Sequence[tuple[Tensor, Tensor, Tensor]], most: int) -> tuple[Tensor, Tensor]:
    """Labels (batch, most, *patch) uint8 and offsets (batch, most, dims, *patch) of all people."""
    labels = torch.full((len(crops), most, *crops[0][1].shape[1:]), UNLABELLED, dtype=torch.uint8)
    offsets = torch.full((len(crops), most, *crops[0][2].shape[1:]), torch.nan)
    for i, (_, drawn, middles) in enumerate(crops):
        labels[i, : len(drawn)], offsets[i, : len(drawn)] = drawn.to(torch.uint8), middles
    return labels, offsets


def _look(
    sample: Sample | WindowedSample,
    *,
    patch: tuple[int, ...],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and centre of one random look into `sample`."""
    matrix = looked_at(len(patch), augmentation=augmentation, rng=rng)
    return matrix, _centre(sample, patch=patch, matrix=matrix, focus=augmentation.focus, rng=rng)


def _crop(
    sample: Sample | WindowedSample,
    matrix: NDArray[np.float64],
    centre: NDArray[np.float64],
    *,
    patch: tuple[int, ...],
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, labels (people, *patch) and offsets (people, dims or 0, *patch) of one look into `sample`."""
    axes = [np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in patch]
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    looking = steps @ matrix.T.astype(np.float32)
    if not isinstance(sample, Sample):
        ends = looking.reshape(-1, len(patch))
        low = np.floor(np.maximum(ends.min(0) + centre - 1, 0)).astype(int)
        high = np.ceil(np.minimum(ends.max(0) + centre + 2, sample.spatial)).astype(int)
        sample = sample.part(tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)))
        centre = centre - low
    spatial = sample.spatial
    places = looking + centre.astype(np.float32)
    grid = (2 * places + 1) / np.asarray(
        spatial, dtype=np.float32
    ) - 1  # grid_sample: -1 to 1 from edge to edge
    grid_xyz = torch.from_numpy(np.ascontiguousarray(grid[None, ..., ::-1]))

    def look(values: Tensor, kind: str) -> Tensor:
        if not len(values):
            return values.new_zeros((0, *patch))
        return F.grid_sample(
            values[None], grid_xyz, mode=kind, padding_mode="reflection", align_corners=False
        )[0]

    labels = look(sample.labels, "nearest")
    offsets = look(sample.offsets, "nearest").reshape(len(labels), -1, *patch)
    if offsets.numel():
        # beyond the border all is reflected
        mirrored = (places < -0.5) | (places > np.asarray(spatial) - 0.5)
        inward = np.moveaxis(offsets.numpy(), 1, -1) * np.where(mirrored, np.float32(-1), np.float32(1))
        seen = inward @ np.linalg.inv(matrix).T.astype(np.float32)
        offsets = torch.from_numpy(np.ascontiguousarray(np.moveaxis(seen, -1, 1)))
    return look(sample.image, "bilinear"), labels, offsets


def looked_at(dims: int, *, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float64]:
    """Matrix (dims, dims) from offsets in the crop to offsets in the picture: zoom, stretch, flips, a turn.

    Only the last two axes turn; in 3D the first is often sampled more coarsely.

    >>> looked_at(2, augmentation=Augmentation(turn=0, flip=False, zoom=0, stretch=0), rng=np.random.default_rng(0)) + 0
    array([[1., 0.],
           [0., 1.]])
    """
    scale = math.exp(rng.uniform(-1, 1) * augmentation.zoom)
    stretches = np.exp(rng.uniform(-1, 1, dims) * augmentation.stretch)
    signs = np.where(rng.random(dims) < 0.5, -1.0, 1.0) if augmentation.flip else np.ones(dims)
    angle = rng.uniform(-math.pi, math.pi) * augmentation.turn
    turned = np.eye(dims)
    turned[-2:, -2:] = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    matrix: NDArray[np.float64] = turned @ np.diag(scale * stretches * signs)
    return matrix


def _centre(
    sample: Sample | WindowedSample,
    *,
    patch: tuple[int, ...],
    matrix: NDArray[np.float64],
    focus: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Where in the picture the crop is centred: a pixel of a random class, or anywhere that keeps it inside."""
    spatial = np.asarray(sample.spatial, dtype=np.float64)
    reach = np.abs(matrix) @ (np.asarray(patch) / 2) * 0.7
    if sample.places and rng.random() < focus:
        pixels = sample.places[rng.integers(len(sample.places))]
        wanted = pixels[rng.integers(len(pixels))] + rng.uniform(-0.3, 0.3, len(patch)) * np.asarray(patch)
    else:
        wanted = rng.uniform(0, spatial)
    low = np.minimum(reach, (spatial - 1) / 2)
    inside: NDArray[np.float64] = np.clip(wanted, low, np.maximum(spatial - 1 - reach, low))
    return inside


def relit(image: Tensor, *, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    """The normalised image (channels, *spatial) under other light: gamma, gain, offset, blur, noise.

    >>> still = Augmentation(gain=0, offset=0, gamma=0, noise=0, blur_px=0)
    >>> relit(torch.ones(1, 2, 2), augmentation=still, rng=np.random.default_rng(0))
    tensor([[[1., 1.],
             [1., 1.]]])
    """
    gamma, gain = np.exp(rng.uniform(-1, 1, 2) * [augmentation.gamma, augmentation.gain])
    offset = rng.uniform(-1, 1) * augmentation.offset
    sigma, noise = rng.uniform(0, 1, 2) * [augmentation.blur_px, augmentation.noise]
    if augmentation.gamma:
        image = image.sign() * image.abs() ** float(gamma)
    image = image * float(gain) + float(offset)
    if sigma > 0.3:
        image = blurred(image, sigma=float(sigma))
    if noise > 0:
        image = image + torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32)) * float(noise)
    return image
