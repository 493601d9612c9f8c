"""From an entry of a folder to arrays: channel files become one image, and files are decoded side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from delineate.core import DataError, linked
from delineate.data.formats import read_image, stem_of, write_image
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import by

In = TypeVar("In")
Out = TypeVar("Out")


def each(work: Callable[[In], Out], things: Iterable[In]) -> Iterator[Out]:
    """`work` on every thing, in order, on a few threads (decoders release Python's lock)."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield from pool.map(work, things)


def placed(entry: Entry, folder: Path, *, name: str) -> Path:
    """Put the image of an entry into a folder: linked where the disk allows it, or written where channel files become one."""
    first = entry.images[0]
    if len(entry.images) == 1:
        return linked(first, folder / f"{name}{first.name[len(stem_of(first)) :]}")
    picture = entry_image(entry)
    return write_image(folder / f"{name}.tif", picture.array, like=picture)


def entry_image(entry: Entry) -> Picture:
    """The image of an entry (*spatial, channels), channel files stacked.

    Raises DataError where a file cannot be read or the channel files differ in size.
    """
    pictures = [read_image(path) for path in entry.images]
    first = pictures[0]
    for picture, path in zip(pictures, entry.images, strict=True):
        if picture.spatial != first.spatial:
            raise DataError(
                f"channel {path.name} is {by(picture.spatial)} but {entry.images[0].name} is "
                f"{by(first.spatial)}: export all channels of an image in one size"
            )
    if len(pictures) == 1:
        return first
    array = np.concatenate([picture.array for picture in pictures], axis=-1)
    return replace(first, array=array, notes=tuple(dict.fromkeys(n for p in pictures for n in p.notes)))
