"""The small functions that several containers share."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from delineate.core.classes import PALETTE
from delineate.data.picture import label_palette, rgb_from_cmyk, upright, without_constant_alpha


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(upright(stored[..., None], orientation=orientation)[..., 0], expected)


def test_a_stack_is_turned_slice_by_slice():
    turned = upright(np.arange(12).reshape(2, 2, 3, 1), orientation=6)
    np.testing.assert_array_equal(turned[1, ..., 0], [[9, 6], [10, 7], [11, 8]])


def test_ink_becomes_light():
    inks = np.array([[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 51]], np.uint8)
    np.testing.assert_array_equal(
        rgb_from_cmyk(inks), [[255, 255, 255], [0, 255, 255], [0, 0, 0], [204, 0, 0]]
    )


def test_alpha_goes_only_where_it_says_nothing():
    clear = np.zeros((2, 2, 4), np.uint8)
    veiled = clear.copy()
    veiled[0, 0, 3] = 1
    assert without_constant_alpha(clear)[0].shape == (2, 2, 3)
    assert without_constant_alpha(veiled)[0].shape == (2, 2, 4)


def test_label_colours_repeat_without_the_background():
    palette = label_palette([(0, 0, 0), (1, 1, 1), (2, 2, 2)])
    assert palette[[0, 1, 2, 3, 4, 255], 0].tolist() == [0, 1, 2, 1, 2, 1]
    assert label_palette(None)[:10].tolist() == [list(colour) for colour in PALETTE]
