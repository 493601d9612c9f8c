"""Polygons follow the edges of pixels: their area is the number of pixels, and drawn again they are the mask."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from delineate.core import ClassTable
from delineate.data.large import LargeImage
from delineate.data.large.labels import LabelStore
from delineate.data.large.polygons import ObjectTable, area, geometry, rings, write_geojson


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


def test_polygons_count_from_the_corner_that_they_are_given(tmp_path):
    ids = LabelStore.create(
        tmp_path / "a.ome.zarr", LargeImage.of(np.zeros((60, 60, 1))), classes=None, dims=2, dtype=np.uint32
    )
    mask = np.zeros((60, 60), np.uint32)
    mask[40:42, 50:53] = 1
    ids.write((slice(0, 60), slice(0, 60)), mask)
    start, stop = np.array([[40, 50]]), np.array([[42, 53]])
    table = ObjectTable(np.array([1], np.uint8), np.array([6]), start, stop)
    classes = ClassTable(("glass", "nucleus"))
    path = write_geojson(
        tmp_path / "a.geojson", ids, table, classes=classes, detections=True, corner=(10, 45)
    )
    (feature,) = json.loads(path.read_text())["features"]
    assert feature["geometry"]["coordinates"] == [[[5, 30], [8, 30], [8, 32], [5, 32], [5, 30]]]


@pytest.mark.parametrize("side", [8, 2048])
def test_neighbours_that_are_read_together_have_the_outlines_that_each_has_alone(tmp_path, monkeypatch, side):
    monkeypatch.setattr("delineate.data.large.polygons._TOGETHER", side)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((60, 70)), 1.2)
    stripes = np.indices(noise.shape)[1] // 9 + 1  # cut pieces into objects that touch
    pieces = ndimage.label(noise > np.quantile(noise, 0.4))[0] * 100
    found = np.unique(np.where(pieces > 0, pieces + stripes, 0), return_inverse=True)[1]
    found = found.reshape(noise.shape).astype(np.uint32)
    boxes = ndimage.find_objects(found)
    ids = LabelStore.create(
        tmp_path / "a.ome.zarr", LargeImage.of(np.zeros((60, 70, 1))), classes=None, dims=2, dtype=np.uint32
    )
    ids.write((slice(0, 60), slice(0, 70)), found)
    start, stop = ([[getattr(one, end) for one in box] for box in boxes] for end in ("start", "stop"))
    sizes = np.bincount(found.ravel())[1:]
    table = ObjectTable(np.ones(len(boxes), np.uint8), sizes, np.array(start), np.array(stop))
    path = write_geojson(tmp_path / "a.geojson", ids, table, classes=ClassTable.numbered(2), detections=False)
    features = json.loads(path.read_text())["features"]
    assert len(features) == len(boxes) > 10
    for feature in features:
        alone = geometry(rings(found == feature["properties"]["measurements"]["id"]), top=0, left=0)
        assert feature["geometry"] == json.loads(json.dumps(alone))
