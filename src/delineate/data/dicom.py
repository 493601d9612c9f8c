"""DICOM: a folder of slices that are one series, or a single file.

A folder is one image only where it holds one series, one slice per position. What is written is a derived
series (secondary capture, modality OT) with the geometry of the original, without anything about the
patient.
"""

# SimpleITK claims to be typed but leaves most of its calls untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.medical import image_of, picture_of, silent_itk
from delineate.data.picture import Picture

_MAGIC_AT, _MAGIC = 128, b"DICM"
_DESCRIPTION, _POSITION, _ORIENTATION, _PIXEL_SPACING = "0008|103e", "0020|0032", "0020|0037", "0028|0030"
_SERIES = "0020|000e"
_PLACE = (_POSITION, _ORIENTATION)
_UNEVEN = 0.01  # of the median step between slices


def is_dicom_file(path: Path) -> bool:
    """Whether a file is DICOM, by its suffix or else its content; hidden files and indices are not."""
    if not path.is_file() or path.name.startswith(".") or path.name == "DICOMDIR":
        return False
    if path.suffix.lower() in (".dcm", ".ima"):
        return True
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def single_images(files: Sequence[Path]) -> bool:
    """Whether each of several DICOM files is a series of its own, as X-rays are.

    The first two tell, in most folders: slices share a series. Files that cannot be read tell nothing: False.
    """
    import SimpleITK as sitk

    if len(files) < 2:
        return False
    with silent_itk():
        first, second = _series_uid(files[0]), _series_uid(files[1])
        if not first or not second or first == second:
            return False
        return len(sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(files[0].parent))) == len(files)


def _series_uid(path: Path) -> str:
    """SeriesInstanceUID, "" where there is none or the file cannot be read."""
    import SimpleITK as sitk

    file = sitk.ImageFileReader()
    file.SetFileName(str(path))
    try:
        file.ReadImageInformation()
    except RuntimeError:
        return ""
    return str(file.GetMetaData(_SERIES)).strip() if file.HasMetaDataKey(_SERIES) else ""


def read_dicom(path: Path) -> Picture:
    """A folder as (slices, height, width, channels), a file as (height, width, channels) or, of frames, 3D.

    Slices are ordered by their position. Spacing is in mm, or ones in px where the files state none. Raises
    DataError for a folder with no series, with several, or with several slices at one position.
    """
    import SimpleITK as sitk

    if path.is_dir():
        return _series(path)
    with silent_itk():
        image = sitk.ReadImage(str(path))
    picture = picture_of(image, path, suffix=".dcm")
    if picture.array.shape[0] == 1 and picture.array.ndim == 4:
        stated = all(image.HasMetaDataKey(tag) for tag in _PLACE)
        place = tuple(image.GetMetaData(tag) for tag in _PLACE) if stated else ()
        picture = replace(
            picture, array=picture.array[0], spacing=picture.spacing[1:], affine=None, place=place
        )
    return _with_known_unit(picture, stated=image.HasMetaDataKey(_PIXEL_SPACING))


def _series(folder: Path) -> Picture:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    with silent_itk():
        uids = reader.GetGDCMSeriesIDs(str(folder))
        series = [reader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids]
        if len(series) > 1:
            found = ", ".join(f"{_description(names[0])} with {len(names)} files" for names in series)
            raise DataError(f"{folder} holds {len(series)} DICOM series ({found}): give each its own folder")
        if not series:
            raise DataError(f"{folder} holds no DICOM series: give a folder of .dcm files, or an image file")
        (names,) = series
        left_out = [
            p
            for p in sorted(folder.iterdir())
            if is_dicom_file(p) and p.name not in {Path(n).name for n in names}
        ]
        if left_out:
            raise DataError(f"{left_out[0]} is damaged or cut short: copy the whole series {folder} again")
        reader.SetFileNames(names)
        reader.MetaDataDictionaryArrayUpdateOn()
        image = reader.Execute()
    picture = picture_of(image, folder, suffix=".dcm")
    count = len(names)
    if count > 1 and all(reader.HasMetaDataKey(k, t) for k in range(count) for t in _PLACE):
        across = np.cross(*_numbers(reader.GetMetaData(0, _ORIENTATION)).reshape(2, 3))
        depths = sorted(float(across @ _numbers(reader.GetMetaData(k, _POSITION))) for k in range(count))
        picture = _checked_depths(picture, np.diff(depths), folder)
    return _with_known_unit(picture, stated=reader.HasMetaDataKey(0, _PIXEL_SPACING))


def _checked_depths(picture: Picture, steps: NDArray[np.float64], folder: Path) -> Picture:
    """The picture, with a note where slices are unevenly spaced; DataError where two share a position."""
    if steps.min() < 1e-4:
        raise DataError(
            f"{folder} has several slices at one position (times, echoes?): give each its own folder"
        )
    if steps.max() - steps.min() <= _UNEVEN * float(np.median(steps)):
        return picture
    note = f"slices lie {steps.min():.4g} to {steps.max():.4g} mm apart: a missing slice, or uneven by intent"
    return replace(picture, notes=(*picture.notes, note))


def _with_known_unit(picture: Picture, *, stated: bool) -> Picture:
    if stated or any(s != 1 for s in picture.spacing):
        return picture
    return replace(picture, unit="px", affine=None)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(part) for part in text.split("\\")])


def _description(name: str) -> str:
    """What a file's series is called, or else the file's name."""
    import SimpleITK as sitk

    file = sitk.ImageFileReader()
    file.SetFileName(name)
    file.ReadImageInformation()
    stated = file.GetMetaData(_DESCRIPTION).strip() if file.HasMetaDataKey(_DESCRIPTION) else ""
    return stated or Path(name).name


def write_dicom(path: Path, picture: Picture) -> None:
    """Write 8- or 16-bit labels: (height, width, 1) as a file, (slices, height, width, 1) as a folder."""
    import SimpleITK as sitk

    image = image_of(picture)
    deep = image.GetDimension() == 3
    tags = {
        "0008|0008": "DERIVED\\SECONDARY",
        "0008|0060": "OT",
        _DESCRIPTION: "Labels by Delineate",
        "0020|000d": f"2.25.{uuid.uuid4().int}",
        _SERIES: f"2.25.{uuid.uuid4().int}",
    }
    if deep:
        directions = np.array(image.GetDirection()).reshape(3, 3)
        tags[_ORIENTATION] = _text([*directions[:, 0], *directions[:, 1]])
        tags["0018|0050"] = tags["0018|0088"] = _text([image.GetSpacing()[2]])
        path.mkdir()
    else:
        tags |= dict(zip(_PLACE, picture.place, strict=False))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    try:
        for k in range(image.GetSize()[2] if deep else 1):
            flat = image[:, :, k : k + 1] if deep else image  # as [:, :, k] slices would lie 1 mm apart
            place = {_POSITION: _text(image.TransformIndexToPhysicalPoint((0, 0, k)))} if deep else {}
            for tag, text in (tags | place | {"0020|0013": str(k + 1)}).items():
                flat.SetMetaData(tag, text)
            writer.SetFileName(str(path / f"{k:04d}.dcm" if deep else path))
            with silent_itk():
                writer.Execute(flat)
    except BaseException as error:
        if deep:
            shutil.rmtree(path)
        if isinstance(error, RuntimeError):
            raise OSError(f"the file could not be written ({str(error).splitlines()[-1]})") from error
        raise


def _text(numbers: list[float] | tuple[float, ...]) -> str:
    """Decimal strings of at most the 16 characters that DICOM allows each."""
    return "\\".join(f"{number:.9g}" for number in numbers)
