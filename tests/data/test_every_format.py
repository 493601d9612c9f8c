"""What every container must do; a new line in READERS or WRITERS is covered without a new line here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.core import DataError, OutputError
from delineate.data.formats import (
    IMAGE_SUFFIXES,
    READERS,
    WRITERS,
    label_suffix,
    read_image,
    read_mask,
    stem_of,
    suffix_of,
    write_image,
    write_labels,
)
from delineate.data.picture import Picture

KEEPS_SPACING = tuple(s for s in WRITERS if s not in (".png", ".bmp", ".gif"))
KEEPS_AFFINE = tuple(s for s in KEEPS_SPACING if s not in (".tif", ".tiff"))
SHAPES = ((6, 7), (3, 6, 7))
SPACING = (2.5, 0.65, 0.7)


def labels(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Every pixel another value, from 0 up, the last the largest the type holds."""
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    values[(-1,) * len(shape)] = np.iinfo(dtype).max
    return values


def tilted() -> np.ndarray:
    """Index (z, y, x) to point (x, y, z): turned by 30 degrees about z, with SPACING, away from the origin."""
    cos, sin = np.sqrt(3) / 2, 0.5
    z, y, x = SPACING
    rows = [[0, -sin * y, cos * x, -10], [0, cos * y, sin * x, 20], [z, 0, 0, -30.5], [0, 0, 0, 1]]
    return np.array(rows)


def empty_like(shape: tuple[int, ...], *, suffix: str = ".tif") -> Picture:
    affine = tilted() if len(shape) == 3 else None
    return Picture(np.zeros((*shape, 1)), SPACING[-len(shape) :], "mm", affine, suffix, ())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", READERS)
def test_labels_come_back_as_they_were_written(tmp_path, suffix, dtype, shape):
    written = labels(shape, dtype)
    path = write_labels(tmp_path / f"a{suffix}", written, like=empty_like(shape))
    back = read_mask(path).array
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, written)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", KEEPS_SPACING)
def test_spacing_and_unit_come_back(tmp_path, suffix, shape):
    path = write_labels(tmp_path / f"a{suffix}", labels(shape, np.uint8), like=empty_like(shape))
    back = read_mask(path)
    assert (back.spacing, back.unit) == (SPACING[-len(shape) :], "mm")


@pytest.mark.parametrize("suffix", KEEPS_AFFINE)
def test_the_place_in_the_body_comes_back(tmp_path, suffix):
    path = write_labels(tmp_path / f"a{suffix}", labels((3, 6, 7), np.uint8), like=empty_like((3, 6, 7)))
    np.testing.assert_allclose(read_mask(path).affine, tilted(), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", READERS)
def test_probabilities_come_back_as_they_were_written(tmp_path, suffix, shape):
    written = np.linspace(0, 1, int(np.prod(shape)) * 3, dtype=np.float32).reshape(*shape, 3)
    written.flat[4] = np.nan
    back = read_image(write_image(tmp_path / f"a{suffix}", written, like=empty_like(shape)))
    assert (back.array.dtype, back.spacing) == (np.float32, SPACING[-len(shape) :])
    np.testing.assert_array_equal(back.array, written)


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_cut_short_anywhere_is_refused_or_complete(tmp_path, capfd, suffix):
    whole = tmp_path / f"whole{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)
    if suffix in (".jpg", ".jpeg"):
        Image.fromarray(noise).save(whole)
    else:
        written = write_labels(whole, noise)
        whole = written if written.suffix != ".mha" or suffix == ".mha" else as_mhd(written)
    cut = tmp_path / f"cut{suffix_of(whole)}"
    content, expected = whole.read_bytes(), read_image(whole).array
    refused = 0
    for length in {*range(1, len(content), len(content) // 60), len(content) - 1}:
        cut.write_bytes(content[:length])
        try:
            back = read_image(cut).array
        except DataError:
            refused += 1
        else:
            np.testing.assert_array_equal(back, expected)
    assert refused > 50
    assert capfd.readouterr() == ("", "")


def as_mhd(path: Path) -> Path:
    """The .mha file at `path` once more as .mhd with its own .raw."""
    import SimpleITK as sitk

    sitk.WriteImage(sitk.ReadImage(str(path)), str(path.with_suffix(".mhd")))
    path.unlink()
    return path.with_suffix(".mhd")


@pytest.mark.parametrize("suffix", READERS)
def test_what_is_not_there_is_empty_or_is_noise_is_refused_in_one_sentence(tmp_path, capfd, suffix):
    path = tmp_path / f"a{suffix}"
    for content, said in ((None, "there is no file"), (b"", "empty"), (b"\x07" * 600, str(path))):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=said.replace("\\", ".")) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, suffix):
    with pytest.raises(OutputError, match="cannot write"):
        write_labels(tmp_path / "no folder" / f"a{suffix}", labels((6, 7), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", READERS)
def test_the_suffix_announced_is_the_suffix_written(tmp_path, suffix):
    path = write_labels(tmp_path / f"a.b{suffix}", labels((6, 7), np.uint8))
    assert path.name == f"a.b{label_suffix(suffix)}"
    assert (stem_of(path), suffix_of(path)) == ("a.b", label_suffix(suffix))


def test_every_suffix_that_is_read_is_listed_and_can_be_written_after():
    assert set(IMAGE_SUFFIXES) == set(READERS)
    assert {label_suffix(s) for s in READERS} == set(WRITERS)
