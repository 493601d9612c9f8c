"""NIfTI, NRRD and MetaImage, through SimpleITK: volumes that know where in the body they are.

ITK keeps sizes, spacing and axes as (x, y, z), arrays are (z, y, x): the two functions `picture_of` and
`image_of` are the only place that turns one into the other. Of NIfTI files ITK reads NaN as 0, and one that
was cut short as if it ended in zeros, so the bytes are looked at before. Of their two transforms (qform, sform) ITK
keeps one, while other programs show the other: what is written has both of the file that it belongs to.
"""

# SimpleITK claims to be typed but leaves most of its calls untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import gzip
import locale
import math
import os
import shutil
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.picture import METRES, Picture, seven_digits

if TYPE_CHECKING:
    import SimpleITK

_MOST_CHANNELS = 8
_NIFTI_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_NIFTI_PLACE = ((76, "4f"), (123, "B"), (252, "2h18f"))
"""Where a NIfTI header holds sizes, their unit, and the two transforms with what they lead to."""
_STDERR = threading.Lock()


def read_volume(path: Path) -> Picture:
    """A NIfTI, NRRD or MetaImage file as ([depth,] height, width, channels), its spacing in mm.

    Vector images, and up to 8 volumes along a fourth axis, are channels. Voxels stay in the order of the
    file; the affine says where they are, and is None for NIfTI that does not. Raises DataError for more than 8 along the
    fourth axis, and for skewed axes.
    """
    import SimpleITK as sitk

    suffix = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()
    header, stored = _checked_nifti(path) if suffix in (".nii", ".nii.gz") else (b"", None)
    try:
        with silent_itk(), _alone(path) as file:
            image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise DataError(
                f"{path} has axes that are not at right angles: resample it to a straight grid"
            ) from error
        raise
    picture = replace(picture_of(image, path, suffix=suffix), header=header)
    if header and not any(struct.unpack_from(_byte_order(header) + "2h", header, 252)):
        picture = replace(picture, affine=None)  # neither transform is there: ITK makes one up
    if stored is None:
        return picture
    numbers = np.moveaxis(picture.array, -1, 0).copy()  # the order of the file: x fastest, channels slowest
    numbers.reshape(-1)[~np.isfinite(stored)] = stored[~np.isfinite(stored)]
    return replace(picture, array=np.moveaxis(numbers, 0, -1))


def write_volume(path: Path, picture: Picture) -> None:
    """Write (*spatial, channels) with its spacing (converted to mm) and affine; integers are compressed.

    NIfTI that belongs to NIfTI has sizes, unit and both transforms of its header.
    """
    import SimpleITK as sitk

    try:
        with silent_itk():
            sitk.WriteImage(image_of(picture), str(path), useCompression=picture.array.dtype.kind in "ui")
    except RuntimeError as error:
        raise OSError(f"the file could not be written ({str(error).splitlines()[-1]})") from error
    if picture.header and path.name.lower().endswith((".nii", ".nii.gz")):
        _put_in_place(path, picture.header)


def _put_in_place(path: Path, header: bytes) -> None:
    """Let a NIfTI file that ITK has written say of its place what `header` does, in its own order of bytes."""
    zipped = path.name.lower().endswith(".gz")
    content = bytearray(gzip.decompress(path.read_bytes()) if zipped else path.read_bytes())
    written = bytes(content[:348])
    for at, form in _NIFTI_PLACE:
        numbers = struct.unpack_from(_byte_order(header) + form, header, at)
        struct.pack_into(_byte_order(written) + form, content, at, *numbers)
    if content[:348] != written:
        path.write_bytes(gzip.compress(content, 6, mtime=0) if zipped else content)


def _byte_order(header: bytes) -> str:
    return "<" if struct.unpack_from("<i", header)[0] == 348 else ">"


def picture_of(image: SimpleITK.Image, path: Path, *, suffix: str) -> Picture:
    """An ITK image as a picture; a fourth axis becomes channels."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(image)
    dims = image.GetDimension()
    if array.ndim == dims:
        array = array[..., None]
    notes: tuple[str, ...] = ()
    if dims > 3:
        count = array.shape[0]
        if dims > 4 or count > _MOST_CHANNELS or (count > 1 and array.shape[-1] > 1):
            sizes = " x ".join(str(n) for n in image.GetSize())
            raise DataError(f"{path} has {dims} axes ({sizes}): save one file per volume, with 3 axes each")
        if count > 1:
            notes = (f"{count} volumes along the fourth axis read as channels",)
            array = np.moveaxis(array[..., 0], 0, -1)
        else:
            array = array[0]
        dims = 3
    spacing = image.GetSpacing()[:dims]
    directions = np.array(image.GetDirection()).reshape(image.GetDimension(), -1)[:dims, :dims]
    affine = np.eye(dims + 1)
    affine[:dims, :dims] = (directions * spacing)[:, ::-1]
    affine[:dims, dims] = image.GetOrigin()[:dims]
    sizes_mm = tuple(seven_digits(s) for s in spacing[::-1])
    return Picture(array, sizes_mm, "mm", affine, suffix, notes)


def image_of(picture: Picture) -> SimpleITK.Image:
    """A picture as an ITK image, its lengths in mm; channels become vectors, float16 becomes float32."""
    import SimpleITK as sitk

    array = picture.array.astype(np.float32) if picture.array.dtype == np.float16 else picture.array
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    vector = array.shape[-1] > 1
    image = sitk.GetImageFromArray(array if vector else array[..., 0], isVector=vector)
    factor = METRES.get(picture.unit, METRES["mm"]) / METRES["mm"]
    image.SetSpacing([s * factor for s in picture.spacing[::-1]])
    if picture.affine is not None:
        dims = len(picture.spacing)
        columns = picture.affine[:dims, :dims][:, ::-1]
        image.SetDirection((columns / np.linalg.norm(columns, axis=0)).ravel().tolist())
        image.SetOrigin((picture.affine[:dims, dims] * factor).tolist())
    return image


@contextmanager
def silent_itk() -> Iterator[None]:
    """Keep what ITK and its libraries print about damaged files from the terminal; the error says it.

    They print from C to file descriptor 2, which all threads share, hence the lock. The writer of DICOM leaves the
    locale "C" behind, in which Python reads text files as ASCII: it is put back.
    """
    import SimpleITK as sitk

    with _STDERR:
        shown = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        language = locale.setlocale(locale.LC_ALL)
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
            sitk.ProcessObject.SetGlobalWarningDisplay(shown)
            if locale.setlocale(locale.LC_ALL) != language:
                locale.setlocale(locale.LC_ALL, language)


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """`path`, or a link to it from an empty folder where `x.nii` lies beside `x.nii.gz`.

    There ITK would take the header from the one that was asked for and the voxels from the other, silently.
    """
    if not (path.name.lower().endswith(".nii.gz") and path.with_suffix("").exists()):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / path.name
        try:
            link.symlink_to(path.resolve())
        except OSError:  # a system that allows no links
            shutil.copyfile(path, link)
        yield link


def _checked_nifti(path: Path) -> tuple[bytes, NDArray[np.floating[Any]] | None]:
    """The header of a NIfTI file; and every number in its order where some are not finite (ITK makes those 0), else None.

    Raises DataError where the file holds fewer bytes than its header announces.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as content:
            header = content.read(348)
            head = nifti_head(header, path)
            floats = head.dtype is not None and head.dtype.kind == "f"
            content.seek(head.offset)
            held, blocks = 0, []
            while block := content.read(1 << 22):
                held += len(block)
                if floats:
                    blocks.append(block)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is cut short or damaged ({error}): copy or export it again") from error
    if held < head.nbytes:
        raise DataError(f"{path} is cut short ({held} of {head.nbytes} bytes): copy or export it again")
    if not floats:
        return header, None
    numbers = np.frombuffer(b"".join(blocks)[: head.nbytes], dtype=head.dtype)
    return header, None if np.isfinite(numbers).all() else numbers


class NiftiHead(NamedTuple):
    """Where the voxels of a NIfTI-1 file begin, how many bytes they are, their type (None for colours and complex
    numbers), and what stored numbers are multiplied by before the intercept is added."""

    offset: int
    nbytes: int
    dtype: np.dtype[Any] | None
    slope: float
    intercept: float


def nifti_head(header: bytes, path: Path) -> NiftiHead:
    """What the first 348 bytes of a NIfTI file say; raises DataError where they are of something else."""
    sizes = (
        {order: struct.unpack_from(f"{order}i", header)[0] for order in "<>"} if len(header) == 348 else {}
    )
    if 540 in sizes.values():
        raise DataError(f"{path} is NIfTI-2, which is not read: convert it to NIfTI-1 or NRRD")
    if 348 not in sizes.values():
        raise DataError(f"{path} is not a NIfTI file: give it the suffix of what it is, or export it again")
    order = _byte_order(header)
    dims = struct.unpack_from(f"{order}8h", header, 40)
    code, bits = struct.unpack_from(f"{order}2h", header, 70)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", header, 108)
    dtype = np.dtype(f"{order}{_NIFTI_TYPES[code]}") if code in _NIFTI_TYPES else None
    scaled = math.isfinite(slope) and slope != 0 and math.isfinite(intercept)
    return NiftiHead(
        int(offset),
        int(math.prod(dims[1 : dims[0] + 1])) * int(bits) // 8,
        dtype,
        *((slope, intercept) if scaled else (1.0, 0.0)),
    )
