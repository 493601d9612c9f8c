"""Images without labels that join a training: only those that fit the others, and no more than are of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from delineate.core import Case, DataError
from delineate.data.faults import image_problems
from delineate.data.grey import as_grey
from delineate.data.large_case import is_too_large
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import counted
from delineate.data.reading import each, entry_image

MOST_JOINING = 200


def joining(
    entries: Sequence[Entry], kind: tuple[int, int], group_of: Mapping[str, str], *, grey: bool
) -> tuple[tuple[Case, ...], list[str]]:
    """Images without labels as cases, and notes on them.

    kind: (spatial axes, channels) of the labelled ones. grey: whether these are grey pictures, however they are stored; so are
    those that join, which are given as many channels. Those of another kind, or that cannot be read, and those beyond
    MOST_JOINING stay out.
    """
    chosen = [entries[i * len(entries) // MOST_JOINING] for i in range(min(len(entries), MOST_JOINING))]
    chosen = list(entries) if len(entries) <= MOST_JOINING else chosen
    readable = [entry for entry in chosen if not is_too_large(entry)]
    found, out = [], len(chosen) - len(readable)

    def read(entry: Entry) -> Picture | None:
        try:
            picture = entry_image(entry)
        except DataError:
            return None
        shown = as_grey(picture.array) if grey else picture.array
        if (len(picture.spatial), shown.shape[-1]) != (kind[0], 1 if grey else kind[1]):
            return None
        if any(p.serious for p in image_problems(picture, name=entry.name, where=entry.name)):
            return None
        return replace(picture, array=np.repeat(shown, kind[1], axis=-1) if grey else shown)

    for entry, picture in zip(readable, each(read, readable), strict=True):
        if picture is None:
            out += 1
            continue
        found.append(
            Case(
                entry.name,
                picture.array,
                spacing=picture.spacing,
                unit=picture.unit,
                affine=picture.affine,
                group=group_of[entry.name],
            )
        )
    notes = []
    if found:
        notes.append(f"{counted(len(found), 'image')} without labels join the training")
    if len(entries) > len(chosen):
        notes.append(f"of {len(entries)} images without labels {MOST_JOINING}, evenly spread, are enough")
    if out:
        notes.append(
            f"{counted(out, 'image')} without labels stay out: another kind, too large, or not readable"
        )
    return tuple(found), notes
