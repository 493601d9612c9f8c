"""From a case to what the network sees: normalised channels first, labels, offsets.

Training and prediction go through `normalised` alike, so that a model sees new images as it saw the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data.augment import Sample
from delineate.data.large import Box
from delineate.data.large.sample import sampled
from delineate.data.large_case import LargeCase
from delineate.data.sparse import barely_labelled, sparse
from delineate.learn.targets import offsets_to_middle

ENOUGH = 1 << 20  # pixels from which percentiles are taken; more change nothing that matters
_PLACES = 2000  # pixels of a class remembered per picture, to centre crops on


@dataclass(frozen=True)
class Normalisation:
    """How intensities become numbers around 0 to 1.

    kind: "percentiles" (per image and channel: `low` and `high` percentile become 0 and 1), "zscore" (per image
    and channel: mean 0, deviation 1) or "fixed" (`low` and `high` intensity become 0 and 1).
    """

    kind: str = "percentiles"
    low: float = 1.0
    high: float = 99.8


@dataclass(frozen=True)
class Scale:
    """What a normalisation came to for one image: each channel less `low`, divided by `span` (0: a constant channel).

    clipped: to -1 to 3. Of an image that is read in parts it is measured once and then holds for every part.
    """

    low: tuple[float, ...]
    span: tuple[float, ...]
    clipped: bool


def normalised(
    image: NDArray[Any], normalisation: Normalisation, *, name: str = "the image"
) -> NDArray[np.float32]:
    """`image` (*spatial, channels) as (channels, *spatial) float32; a constant channel becomes zeros.

    Percentiles are cut to -1 to 3, so that one hot pixel cannot dominate. Raises DataError where a pixel is NaN
    or infinite.

    >>> normalised(np.array([[[0], [50], [100]]]), Normalisation("fixed", 0, 100))
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    channels = _finite(image, name)
    return _scaled(channels, _measured(channels, normalisation))


def scale_of(image: NDArray[Any], normalisation: Normalisation, *, name: str = "the image") -> Scale:
    """How `normalised` would scale an image (*spatial, channels); raises as it does.

    >>> scale_of(np.array([[[0], [50], [100]]]), Normalisation("percentiles", 0, 100))
    Scale(low=(0.0,), span=(100.0,), clipped=True)
    """
    return _measured(_finite(image, name), normalisation)


def scaled(image: NDArray[Any], scale: Scale, *, name: str = "the image") -> NDArray[np.float32]:
    """A part (*window, channels) of an image as (channels, *window) float32, by the scale of all of it.

    >>> scaled(np.array([[[0], [50], [100]]]), Scale((0.0,), (100.0,), clipped=False))
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    return _scaled(_finite(image, name), scale)


def _finite(image: NDArray[Any], name: str) -> NDArray[np.float32]:
    """A float32 copy (channels, *spatial) of finite numbers."""
    channels = np.moveaxis(np.asarray(image), -1, 0).astype(np.float32, order="C")
    if image.dtype.kind == "f" and not np.isfinite(channels).all():
        bad = int((~np.isfinite(channels)).sum())
        raise DataError(
            f"{name} has {bad} pixels that are NaN or infinite: replace them, for example by the median"
        )
    return channels


def _measured(channels: NDArray[np.float32], normalisation: Normalisation) -> Scale:
    lows, spans = [], []
    for channel in channels:
        if normalisation.kind == "zscore":
            low, span = float(channel.mean()), float(channel.std())
        elif normalisation.kind == "fixed":
            low, span = normalisation.low, normalisation.high - normalisation.low
        else:
            stride = max(1, channel.size // ENOUGH)
            low, high = (
                float(p)
                for p in np.percentile(channel.reshape(-1)[::stride], (normalisation.low, normalisation.high))
            )
            span = high - low
            if span <= 0:  # nearly all pixels are equal, but not all: fall back on the full range
                low, span = float(channel.min()), float(channel.max() - channel.min())
        lows.append(low)
        spans.append(max(span, 0.0))
    return Scale(tuple(lows), tuple(spans), normalisation.kind == "percentiles")


def _scaled(channels: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """`channels`, scaled in place."""
    for channel, low, span in zip(channels, scale.low, scale.span, strict=True):
        channel -= low
        if span > 0:
            channel /= span
        else:
            channel[:] = 0
    if scale.clipped:
        np.clip(channels, -1, 3, out=channels)
    return channels


def as_grey(image: NDArray[Any]) -> NDArray[Any]:
    """The first channel alone where three channels are one and the same picture.

    >>> as_grey(np.ones((2, 2, 3))).shape
    (2, 2, 1)
    """
    if (
        image.shape[-1] == 3
        and np.array_equal(image[..., 0], image[..., 1])
        and np.array_equal(image[..., 0], image[..., 2])
    ):
        return image[..., :1]
    return image


def samples(
    case: Case,
    *,
    dims: int,
    normalisation: Normalisation,
    grey: bool,
    objects: bool,
    seed: int,
    others: Sequence[Case] = (),
    silent: bool = False,
) -> list[Sample]:
    """What crops are cut from: the case itself, or each of its slices where `dims` is 2 and the case is 3D.

    others: the same image as other people labelled it. silent: keep what has no label at all; without, such a slice is left
    out, and such a case is a DataError. Raises DataError for NaN or infinite pixels.

    >>> case = Case("stack", np.zeros((3, 8, 8, 1)), labels=np.ones((3, 8, 8), np.uint8))
    >>> slices = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0)
    >>> len(slices), slices[0].image.shape, slices[0].offsets.shape
    (3, torch.Size([1, 8, 8]), torch.Size([2, 8, 8]))
    """
    people = [(one.labels, object_ids(one)) for one in (case, *others) if one.labels is not None]
    if not people and not silent:
        raise DataError(f"{case.name} has no labels: give it a mask or leave it out")
    people = people or [(np.full(case.spatial, UNLABELLED, np.uint8), None)]
    channels = _finite(as_grey(case.image) if grey else case.image, case.name)
    scale = _measured(channels, normalisation)
    image = _scaled(channels, scale)
    slices: list[Any] = [slice(None)]
    if dims == 2 and len(case.spatial) == 3:
        slices = list(range(case.spatial[0]))
    result = []
    for number, index in enumerate(slices):
        drawn = [
            (labels[index], None if ids is None else ids[index])
            for labels, ids in people
            if silent or (labels[index] != UNLABELLED).any()
        ]
        if not drawn:
            continue
        shape = drawn[0][0].shape
        middles = [offsets_to_middle(labelled_objects(labels, ids)) for labels, ids in drawn if objects]
        result.append(
            Sample(
                image=torch.from_numpy(np.ascontiguousarray(image[:, index])),
                labels=torch.from_numpy(np.stack([labels for labels, _ in drawn]).astype(np.float32)),
                offsets=torch.from_numpy(np.concatenate(middles or [np.zeros((0, *shape), np.float32)])),
                places=tuple(spots for labels, _ in drawn for spots in places(labels, seed=seed + number)),
                span=scale.span,
            )
        )
    return result


@dataclass(frozen=True, eq=False)
class LargeSample:
    """A large case, or one slice of it (`lead`), as crops are cut from it; see `WindowedSample`.

    margin: pixels around a crop in which objects are seen, so that their middles are those of whole objects. strokes:
    without ids, labels are no objects.
    """

    case: LargeCase
    scale: Scale
    grey: bool
    channels: int
    margin: int
    objects: bool
    lead: tuple[int, ...]
    places: tuple[NDArray[np.int32], ...]
    strokes: bool = False

    @property
    def span(self) -> tuple[float, ...]:
        """Intensities of the file that one unit is, per channel."""
        return self.scale.span

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis that crops have."""
        return self.case.image.spatial[len(self.lead) :]

    def part(self, box: Box) -> Sample:
        """The pixels of a box, normalised by the scale of the image, with their labels and offsets."""
        wide = tuple(
            slice(max(side.start - self.margin, 0), min(side.stop + self.margin, n))
            for side, n in zip(box, self.spatial, strict=True)
        )
        pixels, labels, ids = self.case.part((*(slice(i, i + 1) for i in self.lead), *wide))
        for _ in self.lead:
            pixels, labels, ids = pixels[0], labels[0], None if ids is None else ids[0]
        pixels = as_grey(pixels) if self.grey else pixels
        if pixels.shape[-1] != self.channels:
            raise DataError(
                f"{self.case.name} is in colour in some places but not everywhere: convert it to grey"
            )
        inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))
        offsets = np.zeros((0, *labels[inner].shape), np.float32)
        if self.objects:
            if ids is None and self.strokes:
                ids = np.zeros(labels.shape, np.int32)
            known = labelled_objects(labels, ids)
            offsets = offsets_to_middle(known)
            offsets[:, np.isin(known, _cut(known, wide, self.spatial))] = np.nan
            offsets = offsets[(slice(None), *inner)]
        image = scaled(pixels[inner], self.scale, name=self.case.name)
        return Sample(
            image=torch.from_numpy(image),
            labels=torch.from_numpy(labels[inner].astype(np.float32)[None]),
            offsets=torch.from_numpy(np.ascontiguousarray(offsets)),
            places=(),
        )


def _cut(ids: NDArray[np.integer[Any]], box: Box, spatial: tuple[int, ...]) -> NDArray[np.integer[Any]]:
    """The objects of a window that its edges cut, where these are not those of the image."""
    edges = [np.zeros(1, ids.dtype)]
    for axis, (side, length) in enumerate(zip(box, spatial, strict=True)):
        for index, inside in ((0, side.start > 0), (-1, side.stop < length)):
            if inside:
                edges.append(np.take(ids, index, axis=axis).ravel())
    found = np.unique(np.concatenate(edges))
    return found[found > 0]


def large_samples(
    case: LargeCase, *, dims: int, normalisation: Normalisation, grey: bool, objects: bool, margin: int
) -> list[LargeSample]:
    """What crops are cut from: the large case itself, or each of its slices that holds labels where `dims` is 2."""
    sample = sampled(case.image)
    scale = scale_of(as_grey(sample) if grey else sample, normalisation, name=case.name)
    channels = len(scale.low)
    strokes = bool(case.looks) and all(barely_labelled(look) for look in case.looks)
    if dims == len(case.image.spatial):
        return [
            LargeSample(
                case, scale, grey, channels, margin if objects else 0, objects, (), case.places, strokes
            )
        ]
    result = []
    for z in np.unique(np.concatenate([spots[:, 0] for spots in case.places])):
        here = tuple(spots[spots[:, 0] == z][:, 1:] for spots in case.places)
        here = tuple(spots for spots in here if len(spots))
        result.append(
            LargeSample(
                case, scale, grey, channels, margin if objects else 0, objects, (int(z),), here, strokes
            )
        )
    return result


def object_ids(case: Case) -> NDArray[np.integer[Any]] | None:
    """The ids that somebody gave; zeros, no object, where strokes or boxes would pass for some; else None, as for masks.

    >>> object_ids(Case("stroke", np.zeros((1, 4, 1)), labels=np.array([[1, 255, 255, 255]], np.uint8)))
    array([[0, 0, 0, 0]], dtype=int32)
    """
    if case.objects is None and sparse(case):
        return np.zeros(case.spatial, np.int32)
    return case.objects


def labelled_objects(
    labels: NDArray[np.uint8], ids: NDArray[np.integer[Any]] | None
) -> NDArray[np.integer[Any]]:
    """Object ids (*spatial), 0 where unlabelled; connected pieces of each class where nobody gave ids.

    >>> labelled_objects(np.array([1, 0, 255], np.uint8), np.array([7, 0, 8]))
    array([7, 0, 0])
    """
    return pieces(labels) if ids is None else np.where(labels == UNLABELLED, 0, ids)


def pieces(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Connected pieces of each class but background, as object ids: what stands in where nobody gave ids.

    >>> pieces(np.array([[1, 1, 0, 1, 2, 255]], np.uint8))
    array([[1, 1, 0, 2, 3, 0]], dtype=int32)
    """
    from scipy import ndimage

    ids = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels):
        if label not in (0, UNLABELLED):
            found, _ = ndimage.label(labels == label)
            ids = np.where(found > 0, found + ids.max(), ids)
    return ids


def places(labels: NDArray[np.uint8], *, seed: int) -> tuple[NDArray[np.int32], ...]:
    """For each class that occurs, up to a few thousand of its pixels (n, dims); unlabelled ones are of no class.

    >>> places(np.array([[0, 0, 1, 255]], np.uint8), seed=0)[1]
    array([[0, 2]], dtype=int32)
    """
    rng = np.random.default_rng(seed)
    result = []
    for label in np.unique(labels):
        if label != UNLABELLED:
            pixels = np.flatnonzero(labels == label)
            if len(pixels) > _PLACES:
                pixels = rng.choice(pixels, _PLACES, replace=False)
            result.append(np.stack(np.unravel_index(pixels, labels.shape), axis=-1).astype(np.int32))
    return tuple(result)


def check_learnable(cases: Sequence[Case], classes: ClassTable) -> None:
    """Raise DataError where there is nothing to learn from, or where labels do not fit the classes.

    >>> case = Case("a", np.zeros((2, 2, 1)), labels=np.zeros((2, 2), np.uint8))
    >>> check_learnable([case], ClassTable.numbered(2))
    Traceback (most recent call last):
    delineate.core.errors.DataError: no training mask holds class_1: label some of it, or leave that class out
    """
    if not cases:
        raise DataError("there is no labelled image to learn from: give at least one image with a mask")
    seen: set[int] = set()
    for case in cases:
        if case.labels is None:
            raise DataError(f"{case.name} has no labels: give it a mask or leave it out")
        seen |= set(np.unique(case.labels).tolist())
        if not np.isfinite(case.image).all():
            raise DataError(
                f"{case.name} has pixels that are NaN or infinite: replace them, for example by the median"
            )
    seen.discard(UNLABELLED)
    if not seen:
        raise DataError("all masks are unlabelled everywhere: label some pixels of each class")
    if beyond := [label for label in seen if label >= len(classes)]:
        raise DataError(
            f"masks hold label {max(beyond)} but there are {len(classes)} classes: name all classes or correct the masks"
        )
    if missing := [name for i, name in enumerate(classes.names) if i not in seen]:
        raise DataError(
            f"no training mask holds {' or '.join(missing)}: label some of it, or leave that class out"
        )
