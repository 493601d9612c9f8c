"""Crops of images too large to be loaded: each is read from the file, with labels and offsets, when it is drawn.

Intensities are scaled by a sample of the whole image; objects are seen in a margin around a crop, and those that its edge cuts
have no middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.data.grey import as_grey
from delineate.data.large import Box
from delineate.data.large.box import widened, within
from delineate.data.large.sample import sampled
from delineate.data.large_case import LargeCase
from delineate.data.sample import Sample
from delineate.data.sparse import HALF, labelled_share
from delineate.learn.normalisation import Normalisation, Scale, scale_of, scaled
from delineate.learn.targets import labelled_objects, offsets_to_middle


@dataclass(frozen=True, eq=False)
class LargeSample:
    """A large case, or one slice of it (`lead`), as crops are cut from it; see `WindowedSample`.

    margin: pixels around a crop in which objects are seen, so that their middles are those of whole objects.
    barely_labelled: of the looks of the case, most pixels are unlabelled, so that without ids labels are no objects.
    """

    case: LargeCase
    scale: Scale
    grey: bool
    channels: int
    margin: int
    objects: bool
    lead: tuple[int, ...]
    places: tuple[NDArray[np.int32], ...]
    barely_labelled: bool = False

    @property
    def span(self) -> tuple[float, ...]:
        """Intensities of the file that one unit is, per channel."""
        return self.scale.span

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis that crops have."""
        return self.case.image.spatial[len(self.lead) :]

    def labels(self, box: Box) -> NDArray[np.uint8]:
        """The labels of a box (*box) alone."""
        labels = self.case.labels((*(slice(i, i + 1) for i in self.lead), *box))
        return labels.reshape(labels.shape[len(self.lead) :])

    def part(self, box: Box) -> Sample:
        """The pixels of a box, normalised by the scale of the image, with their labels and offsets."""
        wide = widened(box, self.margin, self.spatial)
        pixels, labels, ids = self.case.part((*(slice(i, i + 1) for i in self.lead), *wide))
        for _ in self.lead:
            pixels, labels, ids = pixels[0], labels[0], None if ids is None else ids[0]
        pixels = as_grey(pixels) if self.grey else pixels
        if pixels.shape[-1] != self.channels:
            raise DataError(
                f"{self.case.name} is in colour in some places but not everywhere: convert it to grey"
            )
        inner = within(box, wide)
        offsets = np.zeros((0, *labels[inner].shape), np.float32)
        if self.objects:
            if ids is None and self.barely_labelled:
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


def large_samples(
    case: LargeCase, *, dims: int, normalisation: Normalisation, grey: bool, objects: bool, margin: int
) -> list[LargeSample]:
    """What crops are cut from: the large case itself, or each of its slices that holds labels where `dims` is 2."""
    sample = sampled(case.image)
    scale = scale_of(as_grey(sample) if grey else sample, normalisation, name=case.name)
    channels = len(scale.low)
    barely_labelled = bool(case.looks) and labelled_share(case.looks) < HALF
    about = (case, scale, grey, channels, margin if objects else 0, objects)
    if dims == len(case.image.spatial):
        return [LargeSample(*about, (), case.places, barely_labelled)]
    result = []
    for z in np.unique(np.concatenate([spots[:, 0] for spots in case.places])):
        here = tuple(spots[spots[:, 0] == z][:, 1:] for spots in case.places)
        here = tuple(spots for spots in here if len(spots))
        result.append(LargeSample(*about, (int(z),), here, barely_labelled))
    return result


def _cut(ids: NDArray[np.integer[Any]], box: Box, spatial: tuple[int, ...]) -> NDArray[np.integer[Any]]:
    """The objects of a window that its edges cut, where these are not those of the image."""
    edges = [np.zeros(1, ids.dtype)]
    for axis, (side, length) in enumerate(zip(box, spatial, strict=True)):
        for index, inside in ((0, side.start > 0), (-1, side.stop < length)):
            if inside:
                edges.append(np.take(ids, index, axis=axis).ravel())
    found = np.unique(np.concatenate(edges))
    return found[found > 0]
