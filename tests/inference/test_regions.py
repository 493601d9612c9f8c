"""Objects keep one number across every seam, and none is there twice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from delineate.core import ClassTable
from delineate.data.large import LargeImage, polygons
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.polygons import ObjectTable, area, write_geojson
from delineate.inference import regions as module
from delineate.inference.regions import Owned, assembled, owned, regions
from delineate.learn.objects import apart
from delineate.learn.targets import pieces


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Make stores with chunks of 16 pixels, so that there are many seams."""
    monkeypatch.setattr("delineate.data.large.labels.CHUNK", {2: 16, 3: 16})
    monkeypatch.setattr(module, "_steps", lambda store: store.chunk)

    def make(name: str, shape: tuple[int, ...], dtype: type, dims: int = 2) -> LabelStore:
        image = LargeImage.of(np.broadcast_to(np.uint8(0), (*shape, 1)))
        return LabelStore.create(tmp_path / name, image, classes=None, dims=dims, dtype=dtype)

    return make


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize(("shape", "dims"), [((75, 90), 2), ((20, 37, 40), 3), ((3, 37, 40), 2)])
def test_pieces_are_those_of_the_whole_image(stores, shape, dims):
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random(shape), 1.5)
    labels = np.digitize(noise, np.quantile(noise, [0.4, 0.7])).astype(np.uint8)
    said = stores("labels", shape, np.uint8, dims)
    for box in boxes(shape, said.chunk):
        said.write(box, labels[box])
    ids = stores("ids", shape, np.uint32, dims)
    table = regions(said, stores("scratch", shape, np.uint32, dims), ids)
    found = ids.read(tuple(slice(0, n) for n in shape))
    expected = pieces(labels)
    assert same_partition(found, expected)
    assert len(table) == expected.max() == found.max()
    for number, extent in enumerate(ndimage.find_objects(found)):
        assert table.pixels[number] == (found == number + 1).sum()
        assert labels[found == number + 1][0] == table.classes[number]
        assert [(s.start, s.stop) for s in extent] == list(
            zip(table.start[number].tolist(), table.stop[number].tolist(), strict=True)
        )


def test_pieces_below_the_smallest_size_are_left_out_as_of_the_whole_image(stores):
    noise = ndimage.gaussian_filter(np.random.default_rng(3).random((75, 90)), 1.2)
    labels = np.digitize(noise, np.quantile(noise, [0.6, 0.8])).astype(np.uint8)
    said = stores("labels", labels.shape, np.uint8)
    for box in boxes(labels.shape, said.chunk):
        said.write(box, labels[box])
    ids = stores("ids", labels.shape, np.uint32)
    table = regions(said, stores("scratch", labels.shape, np.uint32), ids, smallest_px=20)
    found, expected = ids.read((slice(0, 75), slice(0, 90))), apart(labels, smallest_px=20)
    assert pieces(labels).max() > expected.max() > 5
    assert same_partition(found, expected)
    assert len(table) == expected.max()
    assert table.pixels.min() >= 20
    assert all(labels[found == number + 1][0] == label for number, label in enumerate(table.classes))


def test_an_object_at_a_seam_is_owned_once_and_stays_whole(stores, tmp_path):
    rng = np.random.default_rng(0)
    truth = np.zeros((80, 96), np.int32)
    for number in range(1, 60):
        y, x = rng.integers(3, 77), rng.integers(3, 93)
        spot = (slice(y - 3, y + 3), slice(x - 3, x + 3))
        if not truth[spot].any():
            truth[spot] = number
    labels = (truth > 0).astype(np.uint8)
    paths = []
    for keep in boxes(truth.shape, (16, 16)):
        window = tuple(
            slice(max(s.start - 8, 0), min(s.stop + 8, n)) for s, n in zip(keep, truth.shape, strict=True)
        )
        corner = tuple(s.start for s in window)
        paths.append(tmp_path / f"{len(paths)}.npz")
        owned(truth[window], labels[window], corner=corner, keep=keep).save(paths[-1])
    ids = stores("ids", truth.shape, np.uint32)
    table = assembled(paths, ids)
    found = ids.read((slice(0, 80), slice(0, 96)))
    assert same_partition(found, truth)
    assert len(table) == len(np.unique(truth)) - 1
    assert (table.pixels == 36).all()

    written = write_geojson(
        tmp_path / "a.geojson", ids, table, classes=ClassTable.numbered(2), detections=True
    )
    features = json.loads(written.read_text())["features"]
    assert len(features) == len(table)
    redrawn = np.zeros_like(found)
    for feature in features:
        ring = feature["geometry"]["coordinates"][0]
        assert abs(area([tuple(p) for p in ring])) == 36
        (left, top), (right, bottom) = np.min(ring, axis=0), np.max(ring, axis=0)
        redrawn[top:bottom, left:right] = feature["properties"]["measurements"]["id"]
        assert feature["properties"]["classification"]["name"] == "class_1"
    np.testing.assert_array_equal(redrawn, found)


def test_an_object_that_loses_every_pixel_to_a_neighbour_is_none_and_leaves_no_gap(stores, tmp_path):
    """Three tiles in a row each own one; the second lies within what the first claims."""
    spans, paths = [(2, 18), (14, 17), (33, 40)], []
    for number, (start, stop) in enumerate(spans):
        one = Owned(np.ones((1, stop - start), np.uint32), (5, start), np.array([number + 1], np.uint8))
        paths.append(tmp_path / f"{number}.npz")
        one.save(paths[-1])
    ids = stores("ids", (16, 48), np.uint32)
    table = assembled(paths, ids)
    expected = np.zeros((16, 48), np.uint32)
    expected[5, 2:18], expected[5, 33:40] = 1, 2
    np.testing.assert_array_equal(ids.read((slice(0, 16), slice(0, 48))), expected)
    assert (table.classes.tolist(), table.pixels.tolist()) == ([1, 3], [16, 7])
    assert (table.start.tolist(), table.stop.tolist()) == ([[5, 2], [5, 33]], [[6, 18], [6, 40]])
    path = write_geojson(tmp_path / "a.geojson", ids, table, classes=ClassTable.numbered(4), detections=True)
    features = json.loads(path.read_text())["features"]
    assert [feature["geometry"]["type"] for feature in features] == ["Polygon", "Polygon"]


def test_the_outline_of_a_large_object_is_that_of_its_mask_read_in_strips(stores, tmp_path, monkeypatch):
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((70, 90)), 1.5)
    ids = stores("ids", noise.shape, np.uint32)
    truth = pieces((noise > np.median(noise)).astype(np.uint8)).astype(np.uint32)
    for box in boxes(noise.shape, ids.chunk):
        ids.write(box, truth[box])
    extents = ndimage.find_objects(truth)
    table = ObjectTable(
        np.ones(len(extents), np.uint8),
        np.bincount(truth.ravel())[1:],
        np.array([[side.start for side in extent] for extent in extents]),
        np.array([[side.stop for side in extent] for extent in extents]),
    )

    def written(name: str) -> dict:
        path = tmp_path / name
        write_geojson(path, ids, table, classes=ClassTable.numbered(2), detections=True, tell=told.append)
        features = json.loads(path.read_text())["features"]
        return {feature["properties"]["measurements"]["id"]: feature["geometry"] for feature in features}

    told: list[str] = []
    whole = written("whole.geojson")
    monkeypatch.setattr(polygons, "_TOGETHER", 8)
    most: list[int] = []
    monkeypatch.setattr(ids, "read", lambda box: most.append(box[0].stop - box[0].start) or truth[box])
    for strip in (1, 300):
        monkeypatch.setattr(polygons, "_STRIP", strip)
        assert written("strips.geojson") == whole
    assert max(most) < 70
    assert not told
    monkeypatch.setattr(polygons, "_LONGEST", 100)
    short = written("short.geojson")
    assert 0 < len(short) < len(whole)
    assert len(told) == len(whole) - len(short)
    assert "is too long for a polygon and is not in short.geojson" in told[0]


def test_a_tile_without_objects_owns_none(tmp_path):
    nothing = owned(
        np.zeros((5, 5), np.int32), np.zeros((5, 5), np.uint8), corner=(0, 0), keep=(slice(0, 5),) * 2
    )
    nothing.save(tmp_path / "a.npz")
    assert len(Owned.load(tmp_path / "a.npz").classes) == 0


def test_no_objects_at_all_are_an_empty_collection(stores, tmp_path):
    ids = stores("ids", (20, 20), np.uint32)
    table = assembled([], ids)
    path = write_geojson(tmp_path / "a.geojson", ids, table, classes=ClassTable.numbered(2), detections=True)
    assert json.loads(path.read_text()) == {"type": "FeatureCollection", "features": []}
