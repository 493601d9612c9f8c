"""NIfTI, NRRD and MetaImage: where voxels are in the body, checked against nibabel."""

from __future__ import annotations

import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from delineate.core import DataError
from delineate.data.faults import place_problem
from delineate.data.formats import read_image, read_mask, write_image, write_labels
from delineate.data.picture import Picture

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def oblique() -> np.ndarray:
    """NIfTI's own affine, index (i, j, k) to point in RAS, mirrored in i and turned by 0.3 about z."""
    cos, sin = np.cos(0.3), np.sin(0.3)
    turn = np.array([[-cos, -sin, 0], [-sin, cos, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 0.65, 2.5)
    affine[:3, 3] = (12, -34, 56)
    return affine


def counted(*shape: int, dtype: type = np.int16) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def saved(array: np.ndarray, path, affine: np.ndarray | None = None):
    nibabel.save(nibabel.Nifti1Image(array, oblique() if affine is None else affine), path)
    return path


def test_nifti_without_transforms_says_its_spacing_and_not_where_it_lies(tmp_path):
    nowhere, somewhere = nibabel.Nifti1Image(counted(7, 6, 5), None), oblique()
    nowhere.header.set_zooms((0.7, 0.65, 2.5))
    nibabel.save(nowhere, tmp_path / "a.nii")
    image, mask = (
        read_image(tmp_path / "a.nii"),
        read_image(saved(counted(7, 6, 5), tmp_path / "b.nii", somewhere)),
    )
    assert (image.spacing, image.unit, image.affine) == ((2.5, 0.65, 0.7), "mm", None)
    assert place_problem(image, mask, mask_name="b.nii", where="b.nii") is None


def test_a_voxel_lies_where_nibabel_says(tmp_path):
    stored = counted(7, 6, 5)
    picture = read_image(saved(stored, tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(picture.array[..., 0], stored.T)
    assert (picture.spacing, picture.unit, picture.suffix) == ((2.5, 0.65, 0.7), "mm", ".nii.gz")
    z, y, x = 4, 2, 3
    ours = RAS_FROM_LPS @ picture.affine @ (z, y, x, 1)
    np.testing.assert_allclose(ours, oblique() @ (x, y, z, 1), atol=1e-4)


def test_labels_lie_where_their_image_lies_for_nibabel(tmp_path):
    image = read_image(saved(counted(7, 6, 5), tmp_path / "a.nii.gz"))
    path = write_labels(tmp_path / "labels.nii.gz", counted(5, 6, 7, dtype=np.uint8), like=image)
    back = nibabel.load(path)
    np.testing.assert_allclose(back.affine, oblique(), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(back.dataobj).T, counted(5, 6, 7))
    assert back.get_data_dtype() == np.uint8


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize(("qform_code", "sform_code"), [(1, 2), (1, 0), (0, 4), (0, 0)])
def test_labels_keep_both_transforms_of_their_nifti(tmp_path, suffix, endianness, qform_code, sform_code):
    image = nibabel.Nifti1Image(counted(7, 6, 5), None, nibabel.Nifti1Header(endianness=endianness))
    image.set_qform(np.diag([0.7, 0.7, 3.0, 1.0]), code=qform_code)
    image.set_sform(oblique(), code=sform_code)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / f"image{suffix}")
    path = write_labels(
        tmp_path / f"labels{suffix}",
        np.ones((5, 6, 7), np.uint8),
        like=read_image(tmp_path / f"image{suffix}"),
    )
    before, after = nibabel.load(tmp_path / f"image{suffix}"), nibabel.load(path)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert (after.header["qform_code"], after.header["sform_code"]) == (qform_code, sform_code)
    np.testing.assert_array_equal(after.get_qform(), before.get_qform())
    np.testing.assert_array_equal(after.get_sform(), before.get_sform())
    assert after.header.get_xyzt_units()[0] == "mm"
    assert after.get_fdata().all()


def test_slopes_and_intercepts_are_applied(tmp_path):
    image = nibabel.Nifti1Image(counted(7, 6, 5), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, tmp_path / "a.nii")
    expected = nibabel.load(tmp_path / "a.nii").get_fdata().T
    np.testing.assert_allclose(read_mask(tmp_path / "a.nii").array, expected)


def test_nifti_2_is_refused_with_what_to_do(tmp_path):
    nibabel.save(nibabel.Nifti2Image(counted(7, 6, 5), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match="NIfTI-2, which is not read: convert it to NIfTI-1"):
        read_image(tmp_path / "a.nii")


def test_big_endian_is_read(tmp_path):
    stored = counted(7, 6, 5, dtype=np.float32)
    stored[1, 2, 3] = np.nan
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.float32)
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4), header), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii.gz").array, stored.T)


def test_what_is_not_finite_is_left_as_it_is_in_every_channel(tmp_path):
    stored = counted(7, 6, 5, 2, dtype=np.float32)
    stored[1, 2, 3, 0], stored[4, 3, 2, 1] = np.nan, -np.inf
    picture = read_image(saved(stored, tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(picture.array, stored.transpose(2, 1, 0, 3))


@pytest.mark.parametrize("count", [2, 8])
def test_a_few_volumes_along_the_fourth_axis_are_channels(tmp_path, count):
    stored = counted(7, 6, 5, count)
    picture = read_image(saved(stored, tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(picture.array, stored.transpose(2, 1, 0, 3))
    assert picture.notes == (f"{count} volumes along the fourth axis read as channels",)
    assert (picture.spacing, picture.affine.shape) == ((2.5, 0.65, 0.7), (4, 4))


def test_many_volumes_along_the_fourth_axis_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"4 axes \(7 x 6 x 5 x 9\): save one file per volume"):
        read_image(saved(counted(7, 6, 5, 9), tmp_path / "a.nii.gz"))


def test_a_fourth_axis_of_one_is_no_axis(tmp_path):
    picture = read_image(saved(counted(7, 6, 5, 1), tmp_path / "a.nii.gz"))
    assert (picture.array.shape, picture.notes) == ((5, 6, 7, 1), ())


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_vectors_are_channels(tmp_path, suffix):
    stored = counted(5, 6, 7, 3)
    sitk.WriteImage(sitk.GetImageFromArray(stored, isVector=True), str(tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}").array, stored)


def test_nifti_beside_its_unpacked_namesake_reads_its_own_voxels(tmp_path):
    saved(counted(7, 6, 5), tmp_path / "a.nii.gz")
    saved(np.zeros((7, 6, 5), np.int16), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii.gz").array, counted(7, 6, 5).T)
    assert not read_mask(tmp_path / "a.nii").array.any()


def test_metaimage_whose_voxels_are_cut_short_or_gone_is_refused(tmp_path, capfd):
    sitk.WriteImage(sitk.GetImageFromArray(counted(5, 6, 7)), str(tmp_path / "a.mhd"))
    raw = tmp_path / "a.raw"
    whole = raw.read_bytes()
    np.testing.assert_array_equal(read_mask(tmp_path / "a.mhd").array, counted(5, 6, 7))
    raw.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"a\.mhd cannot be read"):
        read_image(tmp_path / "a.mhd")
    raw.unlink()
    with pytest.raises(DataError, match=r"a\.mhd cannot be read"):
        read_image(tmp_path / "a.mhd")
    assert capfd.readouterr() == ("", "")


def test_a_metaimage_that_is_cut_short_is_not_said_to_be_missing(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(counted(5, 6, 7)), str(tmp_path / "a.mha"))
    (tmp_path / "a.mha").write_bytes((tmp_path / "a.mha").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"cut short or not a \.mha file; copy or export it again"):
        read_image(tmp_path / "a.mha")


def test_axes_that_are_not_at_right_angles_are_refused_with_their_remedy(tmp_path):
    skewed = np.eye(4)
    skewed[0, 1] = 0.5
    image = nibabel.Nifti1Image(counted(7, 6, 5), None)
    image.set_sform(skewed, code=1)
    image.set_qform(None, code=0)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(DataError, match="not at right angles: resample"):
        read_image(tmp_path / "a.nii")


def test_micrometres_become_millimetres(tmp_path):
    like = Picture(np.zeros((5, 6, 7, 1)), (250.0, 50.0, 40.0), "µm", None, ".tif", ())
    back = read_mask(write_labels(tmp_path / "a.nrrd", counted(5, 6, 7, dtype=np.uint8), like=like))
    assert (back.spacing, back.unit) == ((0.25, 0.05, 0.04), "mm")


def test_half_precision_is_widened_not_lost(tmp_path):
    written = np.array([[[0.1], [0.25]]], np.float16)
    back = read_image(write_image(tmp_path / "a.mha", written)).array
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, written)


def test_a_gzipped_file_that_is_damaged_in_the_middle_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 999, (7, 6, 50)).astype(np.int16)
    path = saved(noise, tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(DataError, match="cut short or damaged"):
        read_image(path)


def test_a_copy_with_a_capital_suffix_is_read(tmp_path):
    shutil.copy(saved(counted(7, 6, 5), tmp_path / "a.nii"), tmp_path / "b.NII")
    assert read_image(tmp_path / "b.NII").suffix == ".nii"
