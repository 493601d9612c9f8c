from __future__ import annotations

import numpy as np
import pytest

from delineate.core import ClassTable
from delineate.report import mistakes, outlines
from delineate.report.overlay import FALSE_ALARM, HIT, MISS, OTHER_CLASS, stretched

CLASSES = ClassTable(("background", "a", "b"))


def test_an_outline_is_the_rim_of_the_region_in_the_colour_of_its_class() -> None:
    labels = np.zeros((7, 7), np.uint8)
    labels[2:5, 2:5] = 2
    drawn = outlines(np.zeros((7, 7, 1), np.uint8), labels, classes=CLASSES)
    rim = (labels == 2) & ~np.pad(np.ones((1, 1), bool), 3)
    np.testing.assert_array_equal((drawn == CLASSES.colours[2]).all(axis=-1), rim)
    assert (drawn[~rim] == drawn[0, 0]).all()


def test_touching_objects_are_outlined_apart() -> None:
    labels = np.ones((6, 8), np.uint8)
    ids = np.repeat([[1] * 4 + [2] * 4], 6, axis=0)
    without = outlines(np.zeros((6, 8, 1)), labels, classes=CLASSES)
    apart = outlines(np.zeros((6, 8, 1)), labels, ids, classes=CLASSES)
    assert (without == without[0, 0]).all()
    np.testing.assert_array_equal(
        (apart == CLASSES.colours[1]).all(axis=-1), np.isin(np.arange(8), [3, 4])[None].repeat(6, 0)
    )


def test_unlabelled_pixels_have_no_outline() -> None:
    labels = np.zeros((6, 6), np.uint8)
    labels[2:4, 2:4] = 255
    drawn = outlines(np.zeros((6, 6, 1)), labels, classes=CLASSES)
    assert (drawn == drawn[0, 0]).all()


def test_a_volume_is_a_montage_of_at_most_nine_slices_that_hold_labels() -> None:
    labels = np.zeros((30, 10, 12), np.uint8)
    labels[3:25, 4:7, 4:7] = 1
    drawn = outlines(np.zeros((30, 10, 12, 1)), labels, classes=CLASSES)
    assert drawn.shape == (30, 36, 3)
    outlined = (drawn == CLASSES.colours[1]).all(axis=-1).reshape(3, 10, 3, 12).any(axis=(1, 3))
    assert outlined.all()


def test_large_ids_of_objects_are_drawn() -> None:
    ids = np.zeros((6, 6), np.int64)
    ids[1:3, 1:3], ids[3:5, 1:3] = 2**31, 2**31 - 1
    drawn = outlines(
        np.zeros((6, 6, 1)), (ids > 0).astype(np.uint8), ids, classes=ClassTable(("background", "a"))
    )
    assert (drawn[1, 1] != drawn[3, 1]).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64])
def test_any_image_becomes_a_picture(channels: int, dtype: type) -> None:
    image = (np.arange(6 * 5 * channels).reshape(6, 5, channels) * 3).astype(dtype)
    kept = image.copy()
    picture = stretched(image)
    assert (picture.shape, picture.dtype, picture.min(), picture.max()) == ((6, 5, 3), np.uint8, 0, 255)
    np.testing.assert_array_equal(image, kept)


def test_pixels_that_are_not_finite_are_black_and_spoil_nothing() -> None:
    image = np.array([[[0.0], [np.nan], [np.inf], [1.0]]])
    assert stretched(image)[0, :, 0].tolist() == [0, 0, 0, 255]
    assert (stretched(np.full((2, 2, 1), np.nan)) == 0).all()


def test_an_image_of_one_value_is_grey() -> None:
    assert (stretched(np.full((2, 2, 1), 7)) == 127).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_of_whole_numbers_are_the_same_as_those_of_the_same_numbers_with_a_point(kind: type) -> None:
    image = np.random.default_rng(0).integers(0, 250, (40, 50, 3)).astype(kind)
    assert (stretched(image) == stretched(image.astype(np.float32))).all()


def test_each_kind_of_mistake_has_its_colour() -> None:
    black = np.zeros((1, 6, 3), np.uint8)
    truth = np.array([[0, 1, 1, 0, 1, 255]])
    predicted = np.array([[0, 1, 0, 1, 2, 1]])
    drawn = mistakes(black, truth, predicted)[0].astype(float)
    assert (drawn[0] == 0).all()
    for at, colour in ((1, HIT), (2, MISS), (3, FALSE_ALARM), (4, OTHER_CLASS)):
        strength = drawn[at].max() / max(colour)
        assert strength > 0.3
        np.testing.assert_allclose(drawn[at], strength * np.array(colour), atol=1)
    assert (drawn[5] == 0).all()
