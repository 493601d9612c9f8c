"""PNG, JPEG, BMP and GIF as they come from cameras, scanners and other people's software."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from delineate.data.formats import read_image, read_mask, write_labels


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


def saved(array: np.ndarray, path: Path) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_a_constant_alpha_channel_is_dropped(tmp_path):
    rgba = noise(5, 6, 4)
    rgba[..., 3] = 255
    picture = read_image(saved(rgba, tmp_path / "a.png"))
    np.testing.assert_array_equal(picture.array, rgba[..., :3])
    assert picture.notes == ("an alpha channel that is the same everywhere was dropped",)


def test_an_alpha_channel_that_varies_is_kept(tmp_path):
    rgba = noise(5, 6, 4)
    picture = read_image(saved(rgba, tmp_path / "a.png"))
    np.testing.assert_array_equal(picture.array, rgba)
    assert picture.notes == ("the alpha channel varies and is kept as a channel",)


def test_grey_stored_as_rgb_stays_rgb(tmp_path):
    grey = np.repeat(noise(5, 6, 1), 3, axis=2)
    assert read_image(saved(grey, tmp_path / "a.png")).array.shape == (5, 6, 3)


def test_a_palette_is_colours_in_an_image_and_indices_in_a_mask(tmp_path):
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    path = write_labels(tmp_path / "a.png", indices, colours=[(0, 0, 0), (10, 20, 30), (40, 50, 60)])
    np.testing.assert_array_equal(read_image(path).array[1], [[40, 50, 60], [10, 20, 30]])
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, indices)
    assert mask.palette[:3].tolist() == [[0, 0, 0], [10, 20, 30], [40, 50, 60]]


def test_an_ordinary_viewer_sees_the_colours_of_the_classes(tmp_path):
    labels = np.array([[0, 1, 2]], np.uint8)
    for suffix in (".png", ".bmp", ".gif"):
        path = write_labels(tmp_path / f"a{suffix}", labels, colours=[(0, 0, 0), (10, 20, 30), (40, 50, 60)])
        with Image.open(path) as image:
            seen = np.array(image.convert("RGB"))
        np.testing.assert_array_equal(seen, [[[0, 0, 0], [10, 20, 30], [40, 50, 60]]])


def test_sixteen_bits_of_colour_stay_sixteen(tmp_path):
    rgb = noise(5, 6, 3, dtype=np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(tmp_path / "a.png"))
    picture = read_image(tmp_path / "a.png")
    assert picture.array.dtype == np.uint16
    np.testing.assert_array_equal(picture.array, rgb)


def test_sixteen_bits_of_grey_stay_sixteen(tmp_path):
    grey = noise(5, 6, dtype=np.uint16)
    np.testing.assert_array_equal(read_mask(saved(grey, tmp_path / "a.png")).array, grey)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_one_bit_is_zero_and_one(tmp_path, suffix):
    bits = np.array([[True, False, True]])
    mask = read_mask(saved(bits, tmp_path / f"a{suffix}"))
    assert mask.array.dtype == np.uint8
    np.testing.assert_array_equal(mask.array, [[1, 0, 1]])


def test_a_gif_of_two_colours_is_zero_and_one(tmp_path):
    image = Image.frombytes("P", (3, 1), bytes([1, 0, 1]))
    image.putpalette([0, 0, 0, 250, 200, 10])
    image.save(tmp_path / "a.gif")
    mask = read_mask(tmp_path / "a.gif")
    np.testing.assert_array_equal(mask.array, [[1, 0, 1]])
    assert mask.palette[1].tolist() == [250, 200, 10]


def test_four_bit_grey_keeps_the_class_numbers_it_stores(tmp_path):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)  # 2 x 1 pixels of 4 bits: 3 and 7
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x37")) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert read_mask(tmp_path / "a.png").array.tolist() == [[3, 7]]


def test_cmyk_becomes_rgb(tmp_path):
    flat = np.full((16, 16, 4), (0, 255, 255, 51), np.uint8)
    Image.fromarray(flat, mode="CMYK").save(tmp_path / "a.jpg", quality=100)
    picture = read_image(tmp_path / "a.jpg")
    assert picture.notes == ("CMYK converted to RGB",)
    np.testing.assert_allclose(picture.array, np.broadcast_to((204, 0, 0), (16, 16, 3)), atol=3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_taken_sideways_is_turned_upright(tmp_path, suffix):
    stored = np.zeros((8, 16), np.uint8)
    stored[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees clockwise, so left becomes top
    Image.fromarray(stored).save(tmp_path / f"a{suffix}", exif=exif)
    picture = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(picture.array[..., 0] > 127, np.arange(16)[:, None] < np.full(8, 8))
    assert picture.notes == ("turned upright as its EXIF tag says",)


def test_the_frames_of_a_gif_are_depth(tmp_path):
    frames = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in (10, 200, 90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture = read_image(tmp_path / "a.gif")
    assert picture.array.shape == (3, 4, 5, 3)
    assert picture.array[:, 0, 0, 0].tolist() == [10, 200, 90]
    assert picture.spacing == (1.0, 1.0, 1.0)
    assert picture.notes == ("3 frames read as depth",)


def test_a_jpeg_that_calls_itself_png_is_found_out(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        Image.fromarray(noise(8, 8)).save(file, format="JPEG")
    picture = read_image(tmp_path / "a.png")
    assert picture.suffix == ".jpg"
    assert picture.notes == ("the file is named .png but its content is .jpg",)


def test_jpeg_and_jpg_are_one_kind_and_capitals_do_not_matter(tmp_path):
    for name, suffix in (("a.jpeg", ".jpeg"), ("b.JPG", ".jpg")):
        picture = read_image(saved(noise(8, 8), tmp_path / name))
        assert (picture.suffix, picture.notes) == (suffix, ())


def test_a_picture_larger_than_pillow_dares_is_read(tmp_path, monkeypatch):
    path = saved(noise(50, 50), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(path).spatial == (50, 50)
    assert Image.MAX_IMAGE_PIXELS == 100
