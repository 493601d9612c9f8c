"""A large image with its mask, to learn from without loading either: windows of both, and where each class is.

The mask is gone through once, box by box, to learn which values it holds and where; after that only the windows of crops
are read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError, available_bytes
from delineate.data.convention import Convention
from delineate.data.evidence import Evidence, look, packed
from delineate.data.formats import read_mask
from delineate.data.large import Box, LargeImage, large_suffix_of, open_large
from delineate.data.large.labels import boxes
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import by

LOADED = 0.1  # of the free memory, that one image may take in a training and still be loaded
LOOKS, LOOK_SIDE = 16, {2: 512, 3: 96}
_STEP = {2: 2048, 3: 128}
_PER_BOX, _PLACES = 64, 4000  # pixels of a class remembered from each box, and in all


@dataclass(frozen=True, eq=False)
class LargeCase:
    """A large image and its labels.

    classes: indices that occur. places: for each of them some of its pixels (n, axes). looks: a few windows as ordinary
    cases, for whatever has to be decided from pixels; all classes are among them.
    """

    name: str
    group: str
    image: LargeImage
    mask: LargeImage
    convention: Convention
    classes: tuple[int, ...]
    places: tuple[NDArray[np.int32], ...]
    looks: tuple[Case, ...] = ()

    def part(self, box: Box) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.int32] | None]:
        """Pixels (*window, channels), labels (*window), and object ids where the mask holds them."""
        labels, ids = labels_in(self.mask, box, self.convention)
        return self.image.window(box), labels, ids

    def labels(self, box: Box) -> NDArray[np.uint8]:
        """Labels (*window) without the pixels."""
        return labels_in(self.mask, box, self.convention)[0]


def is_too_large(entry: Entry) -> bool:
    """Whether the image of an entry is read in windows when a model is taught, for it would take too much memory."""
    path = entry.images[0]
    if len(entry.images) > 1 or not large_suffix_of(path):
        return False
    try:
        with open_large(path) as image:
            loaded = math.prod(image.spatial) * (image.channels * (image.dtype.itemsize + 4) + 12)
            return loaded > LOADED * available_bytes()
    except DataError:
        return False  # it is read whole, and told there


def mask_of(path: Path) -> LargeImage:
    """A mask file in windows, indices where it has a palette; of a kind that has no windows, all of it."""
    if large_suffix_of(path):
        return open_large(path, indices=True)
    whole = read_mask(path)
    array = whole.array if whole.array.ndim > len(whole.spacing) else whole.array[..., None]
    return LargeImage.of(array, name=str(path))


def labels_in(
    mask: LargeImage, box: Box, convention: Convention
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None]:
    """Labels and, where it holds them, ids of a box of a mask."""
    return convention.read(_picture(mask, box), where=mask.path.name)


def _picture(mask: LargeImage, box: Box) -> Picture:
    pixels = mask.window(box)
    array = pixels[..., 0] if mask.channels == 1 else pixels
    return Picture(array, (1.0,) * len(box), "px", None, mask.suffix, (), mask.palette)


def _boxes(mask: LargeImage) -> Iterator[Box]:
    axes = len(mask.spatial)
    return boxes(mask.spatial, (_STEP[axes],) * axes)


def evidence_in(mask: LargeImage) -> Evidence:
    """The values of all of a mask; pieces and edges are not looked at."""
    totals: Counter[int] = Counter()
    seen = [look(_picture(mask, box), where=mask.path.name, closely=False) for box in _boxes(mask)]
    colour = any(part.colour for part in seen)
    for part in seen:
        for value, count in part.counts.items():
            totals[packed(value) if colour and not part.colour else value] += count
    inks = {v: ink for part in seen for v, ink in (part.inks or {}).items()} or None
    return Evidence(mask.path.name, dict(sorted(totals.items())), colour, seen[0].rgb, inks)


def large_case(entry: Entry, mask: LargeImage, *, convention: Convention, group: str) -> LargeCase:
    """The case of an entry with a label file; raises DataError where image and mask differ in size."""
    image = open_large(entry.images[0])
    if image.spatial != mask.spatial:
        raise DataError(
            f"mask {mask.path.name} is {by(mask.spatial)} but its image is {by(image.spatial)}: "
            "crop or resample one of them"
        )
    found: dict[int, list[NDArray[np.int32]]] = {}
    for number, box in enumerate(_boxes(mask)):
        labels, _ = labels_in(mask, box, convention)
        rng = np.random.default_rng([0, number])
        for label in np.unique(labels):
            if label != UNLABELLED:
                flat = np.flatnonzero(labels == label)
                flat = rng.choice(flat, _PER_BOX, replace=False) if len(flat) > _PER_BOX else flat
                spots = np.stack(np.unravel_index(flat, labels.shape), axis=-1) + [side.start for side in box]
                found.setdefault(int(label), []).append(spots.astype(np.int32))
    rng = np.random.default_rng(0)
    places = []
    for label in sorted(found):
        spots = np.concatenate(found[label])
        places.append(rng.choice(spots, _PLACES, replace=False) if len(spots) > _PLACES else spots)
    case = LargeCase(entry.name, group, image, mask, convention, tuple(sorted(found)), tuple(places))
    return replace(case, looks=tuple(_looks(case)))


def _looks(case: LargeCase) -> Iterator[Case]:
    """Windows around places of every class in turn."""
    rng = np.random.default_rng(0)
    axes = len(case.image.spatial)
    for number in range(LOOKS if case.places else 0):
        spots = case.places[number % len(case.places)]
        middle = spots[rng.integers(len(spots))]
        side = LOOK_SIDE[axes]
        starts = [
            int(np.clip(m - side // 2, 0, max(n - side, 0)))
            for m, n in zip(middle, case.image.spatial, strict=True)
        ]
        box = tuple(slice(s, min(s + side, n)) for s, n in zip(starts, case.image.spatial, strict=True))
        pixels, labels, ids = case.part(box)
        yield Case(
            f"{case.name} at {', '.join(map(str, starts))}",
            pixels,
            labels=labels,
            objects=ids,
            spacing=case.image.spacing,
            unit=case.image.unit,
            group=case.group,
        )
