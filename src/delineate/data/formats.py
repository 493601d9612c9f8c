"""Every kind of file that is read and written, by suffix, behind four doors to images, masks and labels.

A reader takes a path and gives a `Picture`; a writer takes a path and a `Picture`. To add a container,
write both in a file of its own and name them in READERS and WRITERS; tests/data/test_every_format.py then
covers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import Colour
from delineate.core.errors import DataError, DelineateError, OutputError
from delineate.core.memory import available_bytes
from delineate.core.output import written_whole
from delineate.data.dicom import read_dicom, write_dicom
from delineate.data.large import open_large
from delineate.data.large.opening import ALWAYS_LARGE
from delineate.data.medical import read_volume, write_volume
from delineate.data.picture import Picture, label_palette
from delineate.data.raster import read_raster, write_raster
from delineate.data.tiff import read_tiff, write_tiff


def read_whole(path: Path) -> Picture:
    """A slide, OME-Zarr or HDF5 file with all of its pixels; raises DataError where they would not fit."""
    with open_large(path) as image:
        if 2 * image.nbytes > available_bytes():
            raise DataError(
                f"{path} has {image.nbytes / 1e9:.1f} GB of pixels, too many for this machine's memory: "
                "a U-Net predicts it in parts; for all else cut crops out of it"
            )
        array = image.whole()
        array = array.view(np.uint8) if array.dtype == np.bool_ else array
        return Picture(array, image.spacing, image.unit, image.affine, image.suffix, image.notes)


READERS: dict[str, Callable[[Path], Picture]] = {
    ".png": read_raster,
    ".jpg": read_raster,
    ".jpeg": read_raster,
    ".bmp": read_raster,
    ".gif": read_raster,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".ome.tif": read_tiff,
    ".ome.tiff": read_tiff,
    ".nii": read_volume,
    ".nii.gz": read_volume,
    ".nrrd": read_volume,
    ".mha": read_volume,
    ".mhd": read_volume,
    ".dcm": read_dicom,
    **dict.fromkeys(ALWAYS_LARGE, read_whole),
}

WRITERS: dict[str, Callable[[Path, Picture], None]] = {
    ".png": write_raster,
    ".bmp": write_raster,
    ".gif": write_raster,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".nii": write_volume,
    ".nii.gz": write_volume,
    ".nrrd": write_volume,
    ".mha": write_volume,
    ".dcm": write_dicom,
}

IMAGE_SUFFIXES: tuple[str, ...] = tuple(READERS)
"""The suffixes that can be read, lower case, with their dots."""

_LABELS_INSTEAD = {".jpg": ".png", ".jpeg": ".png", ".ome.tif": ".tif", ".ome.tiff": ".tif", ".mhd": ".mha"}
_LABELS_INSTEAD |= dict.fromkeys(ALWAYS_LARGE, ".tif")
_IMAGE_INSTEAD = (
    _LABELS_INSTEAD | dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif"), ".tif") | {".dcm": ".nrrd"}
)
_FLAT = (".png", ".bmp", ".gif")  # no depth
_BITS = {".png": 16, ".bmp": 8, ".gif": 8, ".dcm": 16}  # of one label; 32 in all others


def suffix_of(path: Path) -> str:
    """The longest suffix of `path` that can be read, lower case; "" where there is none.

    >>> suffix_of(Path("a/brain.v2.NII.GZ")), suffix_of(Path("notes.txt"))
    ('.nii.gz', '')
    """
    name = path.name.lower()
    return max((s for s in READERS if name.endswith(s) and name != s), key=len, default="")


def is_zarr(path: Path) -> bool:
    """Whether `path` is a folder that is one image: its name ends in .zarr.

    >>> is_zarr(Path("no_such.zarr"))
    False
    """
    return path.name.lower().endswith(".zarr") and path.is_dir()


def stem_of(path: Path) -> str:
    """The name of `path` without the suffix that `suffix_of` finds.

    >>> stem_of(Path("a/brain.v2.nii.gz")), stem_of(Path("a/series 7"))
    ('brain.v2', 'series 7')
    """
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_image(path: Path) -> Picture:
    """The image in a file, or in a folder that is a DICOM series; array (*spatial, channels), dtype as read.

    Palettes become RGB, CMYK becomes RGB, EXIF rotation is applied, a constant alpha channel is dropped,
    1-bit is 0 and 1; 16-bit, float and any number of channels are kept, NaN and infinity as well. The notes
    of the picture say what was done. Raises DataError where there is no such file, or it cannot be read.
    """
    picture = _read(path)
    if picture.palette is None:
        return picture
    colours = np.zeros((max(len(picture.palette), int(picture.array.max(initial=0)) + 1), 3), np.uint8)
    colours[: len(picture.palette)] = picture.palette
    notes = (*picture.notes, "palette expanded to RGB")
    return replace(picture, array=colours[picture.array[..., 0]], notes=notes, palette=None)


def read_mask(path: Path) -> Picture:
    """The mask in a file: array (*spatial) where it has one channel, else (*spatial, channels).

    Palette files give their indices, with the palette beside them; 1-bit files give 0 and 1. Otherwise as
    `read_image`.
    """
    picture = _read(path)
    return replace(picture, array=picture.array[..., 0]) if picture.array.shape[-1] == 1 else picture


def _read(path: Path) -> Picture:
    suffix = suffix_of(path) if not path.is_dir() or is_zarr(path) else ".dcm"
    if not path.exists():
        raise DataError(f"there is no file {path}: check its name")
    if not suffix:
        raise DataError(
            f"{path} is of no kind that can be read: convert it to one of {', '.join(IMAGE_SUFFIXES)}"
        )
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes): copy or export it again")
        picture = READERS[suffix](path)
    except DelineateError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory: crop it, or use a machine with more") from error
    except PermissionError as error:
        raise DataError(f"{path} may not be read: change its permissions") from error
    except Exception as error:  # decoders raise whatever they like when a file is damaged
        raise DataError(
            f"{path} cannot be read: it is damaged, cut short or not a {suffix} file{_cause(error, path)}; "
            "copy or export it again"
        ) from error
    if picture.array.dtype.kind not in "uif":
        raise DataError(f"{path} holds {picture.array.dtype} numbers: save its real part or its magnitude")
    if picture.array.size == 0:
        raise DataError(f"{path} has no pixels: export it again")
    return picture


def _cause(error: Exception, path: Path) -> str:
    """What a decoder says about a file, in brackets, where that is more than that it cannot read it."""
    said = re.sub(r"^.*ERROR: ", "", (str(error).strip().splitlines() or [""])[-1])
    if "No such file" in said and path.suffix.lower() != ".mhd":
        return ""  # ITK's reason for voxels that are cut short; only .mhd has them in another file
    return f" ({said})" if said and path.name not in said else ""


def label_suffix(suffix: str) -> str:
    """The suffix that `write_labels` uses for an input of this kind: its own, unless that is lossy.

    >>> label_suffix(".jpg"), label_suffix(".TIF")
    ('.png', '.tif')
    """
    known = suffix.lower()
    if known not in READERS:
        raise DataError(f"{suffix} is no kind of image that is known: use one of {', '.join(IMAGE_SUFFIXES)}")
    return _LABELS_INSTEAD.get(known, known)


def write_labels(
    path: Path,
    labels: NDArray[np.integer[Any]],
    *,
    like: Picture | None = None,
    colours: Sequence[Colour] | None = None,
) -> Path:
    """Write class indices or object ids (*spatial) losslessly and whole; returns the path that was written.

    `like` is the image that the labels belong to: spacing and affine are taken from it, and its kind of
    container where `path` has no suffix. uint8 stays 8 bit and is written with a palette (`colours` by
    index, then repeated) where the container has palettes, so that an ordinary viewer shows it; uint16
    stays 16 bit; other integers take the fewest bits that hold them. A kind that cannot hold the labels is
    replaced: JPEG by PNG, depth in PNG, BMP or GIF by TIFF, 16 bit in BMP or GIF by PNG.

    Raises DataError for labels that are not integers (*spatial), OutputError for negative labels, for
    labels that the container has no bits for (above 65535 in PNG), and where the system refuses.
    """
    values = _unsigned(labels, path)
    suffix = label_suffix(_asked_suffix(path, like))
    if values.ndim == 3 and suffix in _FLAT:
        suffix = ".tif"
    if values.dtype == np.uint16 and _BITS.get(suffix) == 8:
        suffix = ".png"
    if values.dtype == np.uint32 and suffix in _BITS:
        raise OutputError(
            f"{path} needs labels up to {values.max()} but {suffix} ends at 65535: write .tif instead"
        )
    return _written(path, values[..., None], suffix=suffix, like=like, palette=label_palette(colours))


def write_image(path: Path, array: NDArray[Any], *, like: Picture | None = None) -> Path:
    """Write numbers (*spatial, channels), such as probabilities, losslessly; returns the path written.

    `like` as in `write_labels`. PNG, JPEG, BMP and GIF paths become .tif; medical containers stay.
    """
    if array.ndim not in (3, 4):
        raise DataError(
            f"an image of shape {array.shape} cannot be written to {path}: give (*spatial, channels)"
        )
    suffix = _asked_suffix(path, like)
    values = array.astype(np.uint8) if array.dtype == np.bool_ else array
    return _written(path, values, suffix=_IMAGE_INSTEAD.get(suffix, suffix), like=like, palette=None)


def _unsigned(labels: NDArray[np.integer[Any]], path: Path) -> NDArray[Any]:
    """The labels as uint8, uint16 or uint32: those types stay, others take the smallest that holds them."""
    if labels.dtype.kind not in "uib" or labels.ndim not in (2, 3):
        raise DataError(
            f"labels for {path} are {labels.dtype} of shape {labels.shape}: "
            "give integers (height, width) or (depth, height, width)"
        )
    if labels.dtype == np.uint8 or labels.dtype == np.uint16:
        return labels.astype(labels.dtype.newbyteorder("="), copy=False)
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    if least < 0:
        raise OutputError(f"labels for {path} go down to {least}: write labels from 0 up")
    if most > np.iinfo(np.uint32).max:
        raise OutputError(f"labels for {path} go up to {most}: renumber them below 2 to the power of 32")
    return labels.astype(np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.uint32)


def _asked_suffix(path: Path, like: Picture | None) -> str:
    """The kind that `path` names, or else that of `like`."""
    suffix = suffix_of(path) or (like.suffix if like else "")
    if not suffix:
        raise OutputError(f"{path} names no kind of file: give it one of the suffixes {', '.join(WRITERS)}")
    return suffix


def _written(
    path: Path, array: NDArray[Any], *, suffix: str, like: Picture | None, palette: NDArray[np.uint8] | None
) -> Path:
    """Write `array` (*spatial, channels) beside `path`, with `suffix`, in the space of `like`."""
    picture = Picture(array, (1.0,) * (array.ndim - 1), "px", None, suffix, (), palette)
    if like is not None:
        if like.spatial != picture.spatial:
            raise DataError(
                f"{path} would be {picture.spatial} but the image it belongs to is {like.spatial}: "
                "crop or pad it"
            )
        picture = replace(
            picture,
            spacing=like.spacing,
            unit=like.unit,
            affine=like.affine,
            header=like.header,
            place=like.place,
        )
    folder = suffix == ".dcm" and array.ndim == 4
    target = path.with_name(stem_of(path) + ("" if folder else suffix))
    if folder and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} exists already and is not an empty folder: choose another or remove it")
    with written_whole(target) as beside:
        WRITERS[suffix](beside, picture)
    return target
