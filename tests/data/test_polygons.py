"""Polygons follow the edges of pixels: their area is the number of pixels, and drawn again they are the mask."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from delineate.data.large.polygons import area, geometry, rings


def drawn(shape: dict, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie inside, by Pillow, on a picture ten times as large."""
    polygons = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
    picture = np.zeros((height * 10, width * 10), bool)
    for polygon in polygons:
        one = np.zeros_like(picture)
        for number, ring in enumerate(polygon):
            canvas = Image.new("1", (width * 10, height * 10))
            ImageDraw.Draw(canvas).polygon([(10 * x, 10 * y) for x, y in ring], fill=1)
            one = np.asarray(canvas) if number == 0 else one & ~np.asarray(canvas)
        picture |= one
    return picture[5::10, 5::10]


def test_a_square_has_four_corners():
    assert rings(np.pad(np.ones((3, 2), bool), 1)) == [[(1, 1), (3, 1), (3, 4), (1, 4), (1, 1)]]


def test_a_hole_goes_the_other_way():
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    outer, hole = rings(mask)
    assert (area(outer), area(hole)) == (9, -1)
    assert len(geometry(rings(mask), top=0, left=0)["coordinates"]) == 2


def test_pixels_that_touch_at_a_corner_are_two_polygons():
    shape = geometry(rings(np.array([[1, 0], [0, 1]], bool)), top=0, left=0)
    assert shape["type"] == "MultiPolygon"
    assert len(shape["coordinates"]) == 2


def test_two_holes_that_touch_at_a_corner_stay_inside_one_polygon():
    mask = np.ones((4, 4), bool)
    mask[1, 1] = mask[2, 2] = False
    found = rings(mask)
    assert sum(map(area, found)) == 14
    assert sum(area(ring) > 0 for ring in found) == 1


@pytest.mark.parametrize("seed", range(5))
def test_drawn_again_a_polygon_is_its_mask(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 50)), 1.5)
    pieces, count = ndimage.label(noise > np.median(noise))
    for number in range(1, count + 1):
        mask = pieces == number
        shape = geometry(rings(mask), top=0, left=0)
        assert shape["type"] == "Polygon"
        assert sum(map(area, rings(mask))) == mask.sum()
        np.testing.assert_array_equal(drawn(shape, 40, 50), mask)
