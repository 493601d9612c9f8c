"""What the four doors refuse, and how they choose a container."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from delineate.core import DataError, OutputError
from delineate.data.formats import label_suffix, read_image, read_mask, write_image, write_labels
from delineate.data.picture import Picture

FLAT = np.zeros((4, 5), np.uint8)
SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_an_unknown_suffix_is_refused_with_those_that_are_known(tmp_path):
    (tmp_path / "a.xyz").write_text("?")
    with pytest.raises(DataError, match=r"convert it to one of \.png"):
        read_image(tmp_path / "a.xyz")
    with pytest.raises(DataError, match=r"\.xyz is no kind of image"):
        label_suffix(".xyz")
    with pytest.raises(OutputError, match="names no kind of file"):
        write_labels(tmp_path / "a.xyz", FLAT)


def test_a_path_without_a_suffix_takes_that_of_its_image(tmp_path):
    like = Picture(np.zeros((4, 5, 3)), (1.0, 1.0), "px", None, ".jpg", ())
    assert write_labels(tmp_path / "cell 7", FLAT, like=like).name == "cell 7.png"


def test_depth_in_a_flat_container_becomes_tiff(tmp_path):
    assert write_labels(tmp_path / "a.gif", np.zeros((2, 4, 5), np.uint8)).name == "a.tif"


def test_sixteen_bits_in_an_eight_bit_container_become_png(tmp_path):
    assert write_labels(tmp_path / "a.bmp", np.full((4, 5), 256)).name == "a.png"


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [([[0, 255]], np.uint8), ([[0, 256]], np.uint16), ([[0, 65536]], np.uint32), ([[False, True]], np.uint8)],
)
def test_other_integers_take_the_fewest_bits_that_hold_them(tmp_path, labels, dtype):
    back = read_mask(write_labels(tmp_path / "a.tif", np.array(labels))).array
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (np.array([[-1, 0]]), OutputError, "from 0 up"),
        (np.array([[2**32]]), OutputError, "renumber them"),
        (np.array([[0.5]]), DataError, "give integers"),
        (np.zeros(5, np.uint8), DataError, "give integers"),
    ],
)
def test_what_are_no_labels_is_refused(tmp_path, labels, error, said):
    with pytest.raises(error, match=said):
        write_labels(tmp_path / "a.tif", labels)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_size_than_their_image_are_refused(tmp_path):
    like = Picture(np.zeros((4, 6, 1)), (1.0, 1.0), "px", None, ".png", ())
    with pytest.raises(DataError, match=r"\(4, 5\) but the image it belongs to is \(4, 6\)"):
        write_labels(tmp_path / "a.png", FLAT, like=like)


def test_an_image_without_a_channel_axis_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"give \(\*spatial, channels\)"):
        write_image(tmp_path / "a.tif", np.zeros(5, np.float32))


def test_a_failed_write_keeps_what_was_there(tmp_path, monkeypatch):
    path = write_labels(tmp_path / "a.png", FLAT + 1)
    monkeypatch.setattr("PIL.Image.Image.save", _full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_labels(path, FLAT)
    monkeypatch.undo()
    assert read_mask(path).array.min() == 1
    assert list(tmp_path.iterdir()) == [path]


def _full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("folder", "suffix", "dims", "channels", "dtype"),
    [
        ("nuclei/val/images", ".png", 2, 3, np.uint8),
        ("nuclei/val/instances", ".png", 2, 1, np.uint16),
        ("cardiac/val/images", ".tif", 3, 1, np.uint16),
        ("membranes/val/images", ".png", 2, 1, np.uint8),
        ("lesions/masks", ".nii.gz", 3, 1, np.uint8),
    ],
)
def test_real_files_are_read_for_what_they_are(folder, suffix, dims, channels, dtype):
    if not (SHARED / folder).is_dir():
        pytest.skip("the shared data are not on this machine")
    for path in sorted((SHARED / folder).iterdir())[:5]:
        picture = read_image(path)
        assert (len(picture.spatial), picture.array.shape[-1]) == (dims, channels)
        assert (picture.suffix, picture.array.dtype) == (suffix, dtype)
