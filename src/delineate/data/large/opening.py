"""Which container is opened by what; see OPENERS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError, DelineateError
from delineate.data.large.box import Box
from delineate.data.large.hdf5 import open_hdf5
from delineate.data.large.image import LargeImage
from delineate.data.large.slide import SLIDES, open_slide
from delineate.data.large.tiff import open_tiff
from delineate.data.large.volume import open_volume
from delineate.data.large.zarr import open_zarr

OPENERS: dict[str, Callable[[Path], LargeImage]] = {
    ".tif": open_tiff,
    ".tiff": open_tiff,
    ".ome.tif": open_tiff,
    ".ome.tiff": open_tiff,
    ".btf": open_tiff,
    ".zarr": open_zarr,
    ".ome.zarr": open_zarr,
    ".nii": open_volume,
    ".nrrd": open_volume,
    ".mha": open_volume,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    **dict.fromkeys(SLIDES, open_slide),
}

LARGE_SUFFIXES: tuple[str, ...] = tuple(OPENERS)
"""The suffixes of files that can be read window by window, lower case, with their dots."""

ALWAYS_LARGE = (".btf", ".zarr", ".ome.zarr", ".h5", ".hdf5", *SLIDES)
"""The kinds that nobody uses for small pictures."""


def large_suffix_of(path: Path) -> str:
    """The longest suffix of `path` in OPENERS, lower case; "" where there is none.

    >>> large_suffix_of(Path("a/b.OME.TIF")), large_suffix_of(Path("a.png"))
    ('.ome.tif', '')
    """
    name = path.name.lower()
    return max((s for s in OPENERS if name.endswith(s) and name != s), key=len, default="")


def is_large_kind(path: Path) -> bool:
    """Whether `path` is a slide, an OME-Zarr, a BigTIFF by name or an HDF5 file.

    >>> is_large_kind(Path("slide.svs")), is_large_kind(Path("cell.tif"))
    (True, False)
    """
    return large_suffix_of(path) in ALWAYS_LARGE


def open_large(path: str | Path, *, indices: bool = False) -> LargeImage:
    """The image at `path`, to be read in windows; raises DataError where it cannot be opened.

    indices: of a file with a palette, the stored indices and the palette instead of colours.
    """
    place = Path(path)
    suffix = large_suffix_of(place)
    if not place.exists():
        raise DataError(f"there is no file {place}: check its name")
    if not suffix:
        raise DataError(
            f"{place} cannot be read in parts: convert it to a tiled TIFF or OME-Zarr, or one of "
            f"{', '.join(LARGE_SUFFIXES)}"
        )
    try:
        image = OPENERS[suffix](place)
    except DelineateError:
        raise
    except Exception as error:  # decoders raise whatever they like when a file is damaged
        told = (str(error).strip().splitlines() or ["it is damaged"])[-1]
        raise DataError(
            f"{place} cannot be opened: it is damaged, cut short or not a {suffix} file ({told}); "
            "copy or export it again"
        ) from error
    return image if indices or image.palette is None else _coloured(image, image.palette)


def _coloured(image: LargeImage, palette: NDArray[np.uint8]) -> LargeImage:
    colours = np.zeros((max(256, 1 << 8 * image.dtype.itemsize), 3), np.uint8)
    colours[: len(palette)] = palette

    def read(box: Box, level: int) -> NDArray[Any]:
        coloured: NDArray[Any] = colours[image.read(box, level)[..., 0]]
        return coloured

    return replace(image, channels=3, dtype=np.dtype(np.uint8), read=read, palette=None)
