"""DICOM series, written by pydicom as a scanner would."""

from __future__ import annotations

import locale
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from delineate.core import DataError, OutputError
from delineate.data.formats import read_image, read_mask, write_image, write_labels
from delineate.data.inputs import images
from delineate.data.matching import is_series

ROW, COLUMN = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)  # a sagittal slice: columns run back, rows run down
ACROSS = np.cross(ROW, COLUMN)
START = np.array([10.0, 20.0, 30.0])


def pixels(k: int) -> np.ndarray:
    return (np.arange(12).reshape(3, 4) + 100 * k).astype(np.uint16)


def slice_file(
    path: Path, k: int, *, series: str, depth: float | None = None, title: str = "", spaced: bool = True
) -> None:
    """Slice number `k` of a sagittal MR series, `depth` mm (2.5 k unless given) from the first."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Modality, file.SeriesInstanceUID, file.StudyInstanceUID = "MR", series, "1.2.3"
    file.SeriesDescription, file.PatientName, file.InstanceNumber = title, "Somebody", k + 1
    if spaced:
        file.ImageOrientationPatient = [*ROW, *COLUMN]
        file.ImagePositionPatient = list(START + ACROSS * (2.5 * k if depth is None else depth))
        file.PixelSpacing = [0.65, 0.7]
        file.SliceThickness = 2.5
    file.Rows, file.Columns = 3, 4
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    file.PixelData = pixels(k).tobytes()
    file.save_as(path, enforce_file_format=True)


@pytest.fixture
def scan(tmp_path) -> Path:
    """A folder with one series of three slices whose names say nothing about their order."""
    folder = tmp_path / "scan.2024"
    folder.mkdir()
    for name, k in (("c", 0), ("a", 1), ("b", 2)):
        slice_file(folder / f"{name}.dcm", k, series="1.2.3.4", title="T1")
    return folder


def test_slices_are_stacked_by_position_and_lie_where_the_scanner_says(scan):
    picture = read_image(scan)
    np.testing.assert_array_equal(picture.array[..., 0], [pixels(0), pixels(1), pixels(2)])
    assert (picture.spacing, picture.unit, picture.suffix) == ((2.5, 0.65, 0.7), "mm", ".dcm")
    expected = START + 2 * 2.5 * ACROSS + 1 * 0.65 * np.array(COLUMN) + 3 * 0.7 * np.array(ROW)
    np.testing.assert_allclose((picture.affine @ (2, 1, 3, 1))[:3], expected)


def test_labels_become_a_series_in_the_same_place_without_the_patient(scan, tmp_path):
    image = read_image(scan)
    labels = np.arange(36).reshape(3, 3, 4).astype(np.uint16) + 999
    path = write_labels(tmp_path / "out.v2", labels, like=image)
    assert path == tmp_path / "out.v2"
    back = read_mask(path)
    np.testing.assert_array_equal(back.array, labels)
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-6)
    files = [pydicom.dcmread(file) for file in sorted(path.iterdir())]
    assert [file.InstanceNumber for file in files] == [1, 2, 3]
    assert {str(file.PatientName) for file in files} == {""}
    assert len({file.SeriesInstanceUID for file in files}) == 1
    assert len({file.SOPInstanceUID for file in files}) == 3
    assert list(files[0].PixelSpacing) == [0.65, 0.7]


def test_every_slice_of_labels_says_how_far_the_next_one_lies(scan, tmp_path):
    path = write_labels(tmp_path / "out", np.zeros((3, 3, 4), np.uint8), like=read_image(scan))
    files = [pydicom.dcmread(file) for file in sorted(path.iterdir())]
    assert [(file.SpacingBetweenSlices, file.SliceThickness) for file in files] == [(2.5, 2.5)] * 3


def test_a_folder_that_holds_something_is_not_written_over(scan):
    image = read_image(scan)
    with pytest.raises(OutputError, match="not an empty folder"):
        write_labels(scan, np.zeros((3, 3, 4), np.uint8), like=image)
    assert len(list(scan.iterdir())) == 3


def test_probabilities_of_a_series_are_written_as_nrrd(scan, tmp_path):
    image = read_image(scan)
    path = write_image(tmp_path / "out", np.full((3, 3, 4, 2), 0.25, np.float32), like=image)
    back = read_image(path)
    assert (path.name, back.array.dtype, back.array.shape) == ("out.nrrd", np.float32, (3, 3, 4, 2))
    np.testing.assert_allclose(back.affine, image.affine)


def test_two_series_in_one_folder_are_refused_by_name(scan):
    slice_file(scan / "localiser.dcm", 0, series="1.2.3.5", title="Localiser")
    with pytest.raises(DataError, match="2 DICOM series") as caught:
        read_image(scan)
    assert "T1 with 3 files" in str(caught.value)
    assert "Localiser with 1 files" in str(caught.value)


def test_two_slices_at_one_position_are_refused(scan):
    slice_file(scan / "again.dcm", 3, series="1.2.3.4", depth=2.5)
    with pytest.raises(DataError, match="several slices at one position"):
        read_image(scan)


def test_a_missing_slice_is_said(scan):
    slice_file(scan / "far.dcm", 4, series="1.2.3.4")
    assert read_image(scan).notes == ("slices lie 2.5 to 5 mm apart: a missing slice, or uneven by intent",)


def test_a_slice_cut_short_is_refused_without_noise(scan, capfd):
    path = scan / "b.dcm"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"b\.dcm is damaged or cut short"):
        read_image(scan)
    assert capfd.readouterr() == ("", "")


def test_a_single_file_is_a_flat_image(scan, tmp_path):
    picture = read_image(scan / "a.dcm")
    np.testing.assert_array_equal(picture.array[..., 0], pixels(1))
    assert (picture.spacing, picture.unit) == ((0.65, 0.7), "mm")
    back = read_mask(write_labels(tmp_path / "a.dcm", pixels(1), like=picture))
    assert (back.array.shape, back.spacing) == ((3, 4), (0.65, 0.7))
    file = pydicom.dcmread(tmp_path / "a.dcm")
    np.testing.assert_allclose(file.ImagePositionPatient, START + 2.5 * ACROSS)
    assert list(file.ImageOrientationPatient) == [*ROW, *COLUMN]


def test_without_a_stated_spacing_a_pixel_is_a_pixel(tmp_path):
    slice_file(tmp_path / "a.dcm", 0, series="1.2.3.4", spaced=False)
    picture = read_image(tmp_path / "a.dcm")
    assert (picture.spacing, picture.unit, picture.affine) == ((1.0, 1.0), "px", None)


def test_rescaled_values_are_read(tmp_path):
    slice_file(tmp_path / "a.dcm", 0, series="1.2.3.4")
    file = pydicom.dcmread(tmp_path / "a.dcm")
    file.RescaleSlope, file.RescaleIntercept = 2, -1000
    file.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.dcm").array, pixels(0) * 2.0 - 1000)


def test_series_are_recognised_also_without_suffixes(scan, tmp_path):
    bare, other = tmp_path / "bare", tmp_path / "other"
    bare.mkdir()
    other.mkdir()
    slice_file(bare / "IM0001", 0, series="1.2.3.4")
    (other / "notes.txt").write_text("no image")
    assert is_series(scan)
    assert is_series(bare)
    assert read_image(bare).spatial == (1, 3, 4)
    assert not is_series(other)
    assert not is_series(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no DICOM series"):
        read_image(other)


def test_notes_beside_the_slices_do_not_make_them_single_images(scan):
    (scan / "readme.txt").write_text("scanned in May")
    (scan / "Thumbs.db").write_bytes(b"x")
    assert [entry.images for entry in images(scan)] == [(scan,)]
    assert read_image(scan).spatial == (3, 3, 4)


def test_x_rays_in_one_folder_are_images_of_their_own(tmp_path):
    for k, name in enumerate(("a", "b", "c")):
        slice_file(tmp_path / f"{name}.dcm", k, series=f"1.2.3.{k}")
    assert [entry.name for entry in images(tmp_path)] == ["a", "b", "c"]


def test_several_series_of_several_slices_are_no_x_rays(scan):
    slice_file(scan / "0.dcm", 0, series="1.2.3.5", title="T2")
    assert is_series(scan)
    with pytest.raises(DataError, match="holds 2 DICOM series"):
        read_image(images(scan)[0].images[0])


def test_writing_leaves_the_language_of_the_process_alone(scan, tmp_path):
    before, language = locale.setlocale(locale.LC_ALL), locale.setlocale(locale.LC_ALL, "")
    try:
        picture = read_image(scan)
        write_labels(tmp_path / "out.dcm", picture.array[..., 0].astype(np.uint8), like=picture)
        assert locale.setlocale(locale.LC_ALL) == language
    finally:
        locale.setlocale(locale.LC_ALL, before)
