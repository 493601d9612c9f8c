"""How to turn the mask files of a set into labels and object ids, once it is understood what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.evidence import CLEAR, GREY, Evidence, in_colour, packed, plain
from delineate.data.picture import Picture
from delineate.data.values import Values


@dataclass(frozen=True)
class Convention:
    """How to read each mask of a set.

    classes: what the labels index. index: class index (or UNLABELLED) of each value; colours packed 0xRRGGBB.
    objects: the values are object ids instead; `ignore` and negative ids are unlabelled, and `index` is
    empty.
    inked: palette files are read by their colours, since their indices do not agree.
    notes: what was understood, in words.
    """

    classes: ClassTable
    index: Mapping[int, int]
    objects: bool = False
    colour: bool = False
    inked: bool = False
    ignore: int | None = None
    notes: tuple[str, ...] = ()

    def read(self, mask: Picture, *, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None]:
        """Labels (*spatial) uint8, and object ids (*spatial) int32 where the mask holds them.

        mask: as `read_mask` gives it. Raises DataError, naming `where`, for a value without a meaning.

        >>> mask = Picture(np.array([[0, 255]]), (1.0, 1.0), "px", None, ".png", ())
        >>> Convention(ClassTable.numbered(2), {0: 0, 255: 1}).read(mask, where="a.png")[0]
        array([[0, 1]], dtype=uint8)
        """
        if self.inked and mask.palette is not None:
            ink = np.zeros((1 + max(len(mask.palette), int(mask.array.max())), 3), np.uint8)
            ink[: len(mask.palette)] = mask.palette
            mask = replace(mask, array=ink[mask.array], palette=None)
        ints, colour = plain(mask, where=where, clear=CLEAR if CLEAR in self.index else 0)
        if self.objects:
            unsaid = ints < 0 if self.ignore is None else (ints < 0) | (ints == self.ignore)
            objects = _ids(np.where(unsaid, 0, ints))
            labels = (objects > 0).astype(np.uint8)
            labels[unsaid] = UNLABELLED
            return labels, objects
        if self.colour and not colour:
            ints = np.where(ints > 0, ints.astype(np.int64) * GREY, ints)
        short = ints.dtype in (np.uint8, np.uint16)  # few possible values: look each of them up once
        values = np.arange(np.iinfo(ints.dtype).max + 1) if short else ints
        known = np.array(sorted(self.index), np.int64)
        place = np.minimum(np.searchsorted(known, values), len(known) - 1)
        labels = np.array([self.index[int(v)] for v in known], np.uint8)[place]
        strange = known[place] != values
        if short:
            labels, strange = labels[ints], strange[ints]
        if strange.any():
            met = Values(tuple(np.unique(ints[strange]).tolist()), colour=self.colour)
            remedy = "correct those pixels, or name the values in classes.json"
            if UNLABELLED in met.values and not self.colour:
                remedy += f" (--unlabelled {UNLABELLED} says that it means unlabelled)"
            raise DataError(
                f"mask {where} holds {met.words()}, but only {met.words(sorted(self.index))} have a meaning here: {remedy}"
            )
        return labels, None

    def tally(self, seen: Evidence) -> NDArray[np.int64]:
        """Pixels by class index (256,) of a mask that was looked at; those without a label are at
        UNLABELLED."""
        pixels = np.zeros(256, np.int64)
        if self.inked:
            seen = in_colour(seen)
        for value, number in seen.counts.items():
            if self.objects:
                index = UNLABELLED if value < 0 or value == self.ignore else int(value > 0)
            else:
                index = self.index[packed(value) if self.colour and not seen.colour else value]
            pixels[index] += number
        return pixels


def object_ids(mask: Picture, *, where: str) -> NDArray[np.int32]:
    """Object ids (*spatial) of a mask that is known to hold them, 0 for none; raises as `plain` does."""
    return _ids(plain(mask, where=where)[0])


def _ids(ints: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Positive values as int32, renumbered where they are larger than that holds; all others 0."""
    there = ints > 0
    if int(ints.max(initial=0)) >= 2**31:
        ints = np.searchsorted(np.unique(ints[there]), ints) + 1
    return np.where(there, ints, 0).astype(np.int32)
