"""NIfTI, NRRD and MetaImage by slab, where they are not compressed: mapped, or by ITK from a MetaImage.

Where voxels are in the body comes from `delineate.data.medical`, by way of one voxel.
"""

# SimpleITK claims to be typed but leaves most of its calls untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import math
import struct
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage
from delineate.data.large.raw import raw_windows
from delineate.data.medical import picture_of, silent_itk

if TYPE_CHECKING:
    import SimpleITK

NIFTI_HEAD = 352
"""Bytes of a NIfTI file before its voxels."""


def open_volume(path: Path) -> LargeImage:
    """A volume of 2 or 3 axes; raises DataError for more, for skewed axes and for files that are cut short."""
    import SimpleITK as sitk

    suffix = path.suffix.lower()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with silent_itk():
        reader.ReadImageInformation()
    size = reader.GetSize()
    dims = reader.GetDimension()
    if dims > 3 and math.prod(size[3:]) > 1:
        raise DataError(f"{path} has {dims} axes: save one file per volume, with 3 axes each")
    flat = dims - min(dims, 3)
    spatial = tuple(reversed(size[:3]))
    corner = picture_of(_voxel(reader), path, suffix=suffix)
    channels, dtype = corner.array.shape[-1], corner.array.dtype
    raw = raw_windows(path, spatial, channels, dtype)
    announced = math.prod(spatial) * channels * dtype.itemsize
    short = raw is None and path.stat().st_size < announced
    if short and suffix == ".nii":
        raise DataError(f"{path} is cut short ({path.stat().st_size} of {announced} bytes): copy it again")
    whole = short or (raw is None and suffix == ".nrrd")  # ITK reads all of an NRRD for any part

    one_at_a_time = Lock()

    def read(box: Box, level: int) -> NDArray[Any]:
        if raw is not None:
            return raw(box)
        with one_at_a_time, silent_itk():  # the reader remembers which part it was asked for
            reader.SetExtractIndex([side.start for side in reversed(box)] + [0] * flat)
            reader.SetExtractSize([side.stop - side.start for side in reversed(box)] + [1] * flat)
            array = sitk.GetArrayFromImage(reader.Execute())
        return array.reshape(*(side.stop - side.start for side in box), -1)

    return LargeImage(
        path=path,
        levels=(spatial,),
        channels=channels,
        dtype=dtype,
        spacing=corner.spacing,
        unit=corner.unit,
        affine=corner.affine,
        suffix=suffix,
        chunk=(*(1 for _ in spatial[:-2]), *spatial[-2:]),
        read=read,
        fixed_whole=whole,
        decoded=2 * announced if whole else 0,
    )


def _voxel(reader: SimpleITK.ImageFileReader) -> SimpleITK.Image:
    """One voxel of the kind and in the place of the first, black."""
    import SimpleITK as sitk

    voxel = sitk.Image([1] * reader.GetDimension(), reader.GetPixelID(), reader.GetNumberOfComponents())
    voxel.SetSpacing(reader.GetSpacing())
    voxel.SetOrigin(reader.GetOrigin())
    voxel.SetDirection(reader.GetDirection())
    return voxel


def begun_nifti(source: Path, target: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Write the head of a NIfTI file of uint8 or uint32 labels in the space of `source`; the dtype of its voxels.

    They follow in C order after NIFTI_HEAD bytes. The header is that of the source: position and orientation are the same
    to the last bit.
    """
    header = bytearray(source.read_bytes()[:NIFTI_HEAD] if source.stat().st_size < 1 << 20 else _head(source))
    order: Literal["<", ">"] = "<" if struct.unpack_from("<i", header)[0] == 348 else ">"
    dims = [3, *reversed(shape), 1, 1, 1, 1] if len(shape) == 3 else [2, *reversed(shape), 1, 1, 1, 1, 1]
    struct.pack_into(f"{order}8h", header, 40, *dims)
    struct.pack_into(
        f"{order}2h", header, 70, *{1: (2, 8), 4: (768, 32)}[dtype.itemsize]
    )  # DT_UINT8, DT_UINT32
    struct.pack_into(f"{order}f", header, 108, float(NIFTI_HEAD))
    struct.pack_into(f"{order}2f", header, 112, 1.0, 0.0)  # values as they are
    struct.pack_into(f"{order}2f", header, 124, 0.0, 0.0)
    header[344:348] = b"n+1\0"
    target.write_bytes(bytes(header[:348]) + b"\0\0\0\0")
    return dtype.newbyteorder(order)


def _head(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.read(NIFTI_HEAD)
