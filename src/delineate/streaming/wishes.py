"""What a user may wish of the prediction of large images, and what follows: which are read in parts, which kind of file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from delineate.core import DataError, available_bytes
from delineate.data.large import LargeImage, is_large_kind, large_suffix_of, open_large

if TYPE_CHECKING:
    from delineate.learn import Learnt

SUFFIXES = (".ome.tif", ".ome.zarr", ".nii")
"""The kinds of file that labels of large images are written as."""

COMFORT = 0.25  # of the free memory, that an image predicted at once may take


@dataclass(frozen=True)
class Wishes:
    """What a user may ask of the prediction of large images; see `delineate.predict`."""

    memory: float | None = None
    tile: int | None = None
    flips: bool = False
    skip_empty: bool = True
    suffix: str | None = None
    objects: bool = False
    geojson: bool = False
    processes: int = 1
    foreground_above: float | None = None


def streams(path: Path, learnt: Learnt | None, wishes: Wishes) -> bool:
    """Whether an image is predicted in parts: a slide, OME-Zarr or HDF5, one that would not fit comfortably into
    memory, or any that can be where memory or the kind of result is prescribed."""
    if learnt is None or not large_suffix_of(path):
        return False
    if is_large_kind(path) or wishes.memory is not None or wishes.suffix is not None or wishes.geojson:
        return True
    try:
        with open_large(path) as image:
            outputs = len(learnt.classes) + learnt.plan.dims * learnt.plan.objects
            each = image.channels * (image.dtype.itemsize + 8) + 12 * outputs
            return math.prod(image.spatial) * each > COMFORT * available_bytes()
    except DataError:
        return False  # what cannot be read in parts is read whole, and told there if it is damaged


def suffix_for(image: LargeImage, learnt: Learnt, wishes: Wishes) -> str:
    """The kind of file of the labels: as wished, else as the image is kept; DataError where that cannot be."""
    suffix = wishes.suffix
    if suffix is None and image.suffix in (".ome.zarr", ".nii"):
        suffix = image.suffix
    suffix = suffix or (".ome.zarr" if learnt.plan.dims == 3 else ".ome.tif")
    if suffix not in SUFFIXES:
        raise DataError(
            f"labels of large images are not written as {suffix}: choose from {', '.join(SUFFIXES)}"
        )
    if suffix == ".nii" and image.suffix != ".nii":
        raise DataError(
            f"{image.path} is no NIfTI file, so its labels cannot be: choose .ome.tif or .ome.zarr"
        )
    return suffix
