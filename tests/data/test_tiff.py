"""TIFF in its many dialects: which axis is what, what the numbers mean, how large a pixel is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import DataError, OutputError
from delineate.data.formats import read_image, read_mask, write_image, write_labels
from delineate.data.picture import Picture


def counted(*shape: int, dtype: type = np.uint16) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


AXES = {
    "a plane": ("YX", (9, 10), {}, (9, 10, 1)),
    "ImageJ, slices of channels": ("ZCYX", (4, 2, 9, 10), {"imagej": True}, (4, 9, 10, 2)),
    "ImageJ, channels": ("CYX", (2, 9, 10), {"imagej": True}, (9, 10, 2)),
    "ImageJ, slices": ("ZYX", (4, 9, 10), {"imagej": True}, (4, 9, 10, 1)),
    "ImageJ, time points alone": ("TYX", (4, 9, 10), {"imagej": True}, (4, 9, 10, 1)),
    "OME, channels of slices": ("CZYX", (2, 4, 9, 10), {"ome": True}, (4, 9, 10, 2)),
    "OME, five channels": ("CYX", (5, 9, 10), {"ome": True}, (9, 10, 5)),
    "one time point of slices": ("TZYX", (1, 4, 9, 10), {"ome": True}, (4, 9, 10, 1)),
    "one slice": ("ZYX", (1, 9, 10), {}, (9, 10, 1)),
    "tifffile's own, slices": ("ZYX", (4, 9, 10), {}, (4, 9, 10, 1)),
    "big": ("ZYX", (4, 9, 10), {"bigtiff": True}, (4, 9, 10, 1)),
    "tiles": ("ZYX", (4, 32, 40), {"tile": (16, 16)}, (4, 32, 40, 1)),
    "LZW": ("YX", (9, 10), {"compression": "lzw"}, (9, 10, 1)),
    "big-endian": ("YX", (9, 10), {"byteorder": ">"}, (9, 10, 1)),
}


@pytest.mark.parametrize(("axes", "shape", "how", "expected"), AXES.values(), ids=AXES.keys())
def test_axes_come_in_one_order(tmp_path, axes, shape, how, expected):
    stored = counted(*shape)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata={"axes": axes}, **how)
    picture = read_image(tmp_path / "a.tif")
    assert (picture.array.shape, len(picture.spacing)) == (expected, len(expected) - 1)
    order = [axes.index(letter) for letter in "TZYXC" if letter in axes]
    np.testing.assert_array_equal(picture.array, stored.transpose(order).reshape(expected))
    assert picture.array.dtype == np.uint16


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_planes_of_colour_and_pixels_of_colour_read_the_same(tmp_path, planar):
    rgb = counted(9, 10, 3, dtype=np.uint8)
    stored = rgb if planar == "contig" else rgb.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, rgb)


def test_pages_without_metadata_are_depth_and_a_note_says_so(tmp_path):
    pages = [Image.fromarray(page) for page in counted(3, 9, 10, dtype=np.uint8)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    picture = read_image(tmp_path / "a.tif")
    assert picture.array.shape == (3, 9, 10, 1)
    assert picture.notes == ("3 pages read as depth",)


def test_an_array_saved_channel_last_is_not_a_stack_of_narrow_pages(tmp_path):
    stored = counted(12, 10, 5)
    tifffile.imwrite(tmp_path / "a.tif", stored)
    picture = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.array, stored)
    assert picture.notes == ("5 columns per page read as channels, as an array saved channel last has them",)


def test_time_points_of_stacks_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", counted(2, 3, 9, 10), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(DataError, match=r"holds 2 time points x 3 slices: save one file per time point"):
        read_image(tmp_path / "a.tif")


def test_two_axes_that_nothing_names_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", counted(2, 3, 9, 10), photometric="minisblack")
    with pytest.raises(DataError, match=r"holds 2 pages x 3 pages: save one file per stack"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint32, np.int64, np.float16, np.float32, np.float64]
)
def test_every_type_is_kept(tmp_path, dtype):
    stored = counted(9, 10, dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored)
    back = read_mask(tmp_path / "a.tif").array
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, stored)


@pytest.mark.parametrize("compression", ["raw", "group4", "packbits"])
def test_one_bit_is_zero_and_one(tmp_path, compression):
    bits = np.array([[True, False, True], [False, False, True]])
    Image.fromarray(bits).save(tmp_path / "a.tif", compression=compression)
    mask = read_mask(tmp_path / "a.tif")
    assert mask.array.dtype == np.uint8
    np.testing.assert_array_equal(mask.array, bits)


def test_a_palette_is_colours_in_an_image_and_indices_in_a_mask(tmp_path):
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    path = write_labels(tmp_path / "a.tif", indices, colours=[(0, 0, 0), (10, 20, 30), (40, 50, 60)])
    np.testing.assert_array_equal(read_image(path).array[1], [[40, 50, 60], [10, 20, 30]])
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, indices)
    assert mask.palette[:3].tolist() == [[0, 0, 0], [10, 20, 30], [40, 50, 60]]
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.array(image.convert("RGB"))[1, 0], (40, 50, 60))


def test_inks_become_light_and_empty_alpha_goes(tmp_path):
    inks = np.full((9, 10, 4), (0, 255, 255, 51), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated")
    assert read_image(tmp_path / "a.tif").array[0, 0].tolist() == [204, 0, 0]
    tifffile.imwrite(tmp_path / "b.tif", inks, photometric="rgb", extrasamples=["unassalpha"])
    assert read_image(tmp_path / "b.tif").array.shape == (9, 10, 3)


def test_four_channels_that_are_no_alpha_all_stay(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((9, 10, 4), np.uint8), photometric="minisblack", planarconfig=1
    )
    assert read_image(tmp_path / "a.tif").array.shape == (9, 10, 4)


def test_white_as_zero_keeps_the_stored_numbers_and_says_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", counted(9, 10), photometric="miniswhite")
    picture = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.array[..., 0], counted(9, 10))
    assert "0 as white" in picture.notes[0]


def test_a_turned_page_is_turned_upright_with_its_spacing(tmp_path):
    metadata = {"axes": "YX", "unit": "mm"}
    how = {"resolution": (1 / 0.5, 1 / 0.25), "resolutionunit": "none", "extratags": [(274, 3, 1, 6, True)]}
    tifffile.imwrite(tmp_path / "a.tif", counted(2, 3), metadata=metadata, **how)
    picture = read_image(tmp_path / "a.tif")
    assert picture.array[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert (picture.spacing, picture.unit) == ((0.5, 0.25), "mm")


def test_jpeg_inside_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", counted(16, 16, dtype=np.uint8), compression="jpeg")
    assert read_image(tmp_path / "a.tif").notes == ("compressed as JPEG, so values near edges are not exact",)


def test_a_second_image_of_another_size_is_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(counted(9, 10), metadata=None)
        tiff.write(counted(5, 4), metadata=None)
    picture = read_image(tmp_path / "a.tif")
    assert (picture.spatial, picture.notes) == ((9, 10), ("the first of 2 images in the file was read",))


def test_of_a_pyramid_the_full_resolution_is_read(tmp_path):
    full = counted(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        tiff.write(full, subifds=1, tile=(16, 16), metadata={"axes": "YX"})
        tiff.write(full[::2, ::2], subfiletype=1, tile=(16, 16))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.ome.tif").array, full)


def test_ome_over_several_files_is_refused(tmp_path):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="10" SizeY="9" SizeZ="2" SizeC="1" SizeT="1">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData FirstZ="0" IFD="0"><UUID FileName="a.ome.tif">urn:uuid:1</UUID></TiffData>'
        '<TiffData FirstZ="1" IFD="0"><UUID FileName="b.ome.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", counted(9, 10), description=xml, metadata=None)
    with pytest.raises(DataError, match="export it as a single file"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"imagej": True}, {"tile": (16, 16)}])
def test_a_stack_cut_short_is_refused_rather_than_read_as_fewer_pages(tmp_path, capfd, how):
    stored = np.random.default_rng(0).integers(0, 256, (5, 32, 40)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", **how)
    content = (tmp_path / "a.tif").read_bytes()
    for length in range(100, len(content) * 9 // 10, len(content) // 20):
        (tmp_path / "a.tif").write_bytes(content[:length])
        with pytest.raises(DataError, match=r"a\.tif"):
            read_image(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")


def test_imagej_states_the_size_of_a_pixel(tmp_path):
    metadata = {"axes": "ZYX", "spacing": 2.5, "unit": "micron"}
    tifffile.imwrite(
        tmp_path / "a.tif", counted(4, 9, 10), imagej=True, resolution=(1 / 0.7, 1 / 0.65), metadata=metadata
    )
    picture = read_image(tmp_path / "a.tif")
    assert (picture.spacing, picture.unit) == ((2.5, 0.65, 0.7), "µm")


def test_ome_states_the_size_of_a_pixel_each_axis_in_its_own_unit(tmp_path):
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.7,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 650.0,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 0.0025,
        "PhysicalSizeZUnit": "mm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", counted(4, 9, 10), ome=True, metadata=metadata)
    picture = read_image(tmp_path / "a.ome.tif")
    assert (picture.spacing, picture.unit) == ((2.5, 0.65, 0.7), "µm")


def test_dots_per_inch_are_no_size_of_a_pixel(tmp_path):
    Image.fromarray(counted(9, 10, dtype=np.uint8)).save(tmp_path / "a.tif", dpi=(300, 300))
    picture = read_image(tmp_path / "a.tif")
    assert (picture.spacing, picture.unit) == ((1.0, 1.0), "px")


@pytest.mark.parametrize(("name", "beside"), [("heart", "heart.json"), ("heart_0000", "heart.json")])
def test_the_sidecar_of_nnunet_states_the_spacing(tmp_path, name, beside):
    tifffile.imwrite(tmp_path / f"{name}.tif", counted(5, 9, 10), metadata={"axes": "ZYX"})
    (tmp_path / beside).write_text(json.dumps({"spacing": [10, 1.5, 1.25]}))
    picture = read_image(tmp_path / f"{name}.tif")
    assert (picture.spacing, picture.unit) == ((10.0, 1.5, 1.25), "mm")


@pytest.mark.parametrize(
    "content", ['{"spacing": [1, 2]}', '{"spacing": [1, 2, 0]}', '{"spacing": "x"}', "{"]
)
def test_a_sidecar_that_makes_no_sense_is_refused_by_name(tmp_path, content):
    tifffile.imwrite(tmp_path / "heart.tif", counted(5, 9, 10), metadata={"axes": "ZYX"})
    (tmp_path / "heart.json").write_text(content)
    with pytest.raises(DataError, match=r"heart\.json"):
        read_image(tmp_path / "heart.tif")


def test_a_json_about_something_else_is_left_alone(tmp_path):
    tifffile.imwrite(tmp_path / "heart.tif", counted(9, 10))
    (tmp_path / "heart.json").write_text('{"shapes": []}')
    assert read_image(tmp_path / "heart.tif").unit == "px"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_imagej_opens_labels_with_their_scale(tmp_path, dtype):
    like = Picture(np.zeros((4, 9, 10, 1)), (2.5, 0.65, 0.7), "µm", None, ".tif", ())
    path = write_labels(tmp_path / "a.tif", counted(4, 9, 10, dtype=dtype) % 3, like=like)
    with tifffile.TiffFile(path) as tiff:
        described = tiff.imagej_metadata
        across, down = (tiff.pages[0].tags[name].value for name in ("XResolution", "YResolution"))
    assert (described["slices"], described["spacing"], described["unit"]) == (4, 2.5, "um")
    assert across[0] / across[1] == pytest.approx(1 / 0.7)
    assert down[0] / down[1] == pytest.approx(1 / 0.65)


def test_ids_beyond_sixteen_bits_fit_into_tiff_and_are_refused_by_png(tmp_path):
    ids = np.array([[0, 70_000]])
    path = write_labels(tmp_path / "a.tif", ids)
    assert read_mask(path).array.tolist() == [[0, 70_000]]
    with pytest.raises(OutputError, match=r"70000 but \.png ends at 65535: write \.tif"):
        write_labels(tmp_path / "a.png", ids)


def test_numbers_that_imagej_does_not_know_keep_their_scale(tmp_path):
    like = Picture(np.zeros((4, 9, 10, 1)), (2.5, 0.65, 0.7), "µm", None, ".tif", ())
    written = counted(4, 9, 10, 2, dtype=np.float64)
    back = read_image(write_image(tmp_path / "a.png", written, like=like))
    np.testing.assert_array_equal(back.array, written)
    assert (back.array.dtype, back.spacing, back.unit) == (np.float64, (2.5, 0.65, 0.7), "µm")
