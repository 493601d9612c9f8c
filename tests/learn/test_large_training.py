"""Images too large to be loaded teach as if they were: the same crops, read from windows of the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from delineate import flow
from delineate.core import DataError
from delineate.data import LargeImage, load
from delineate.data.augment import Augmentation, batch
from delineate.data.sample import Sample
from delineate.flow.evidence import facts
from delineate.learn import Overrides
from delineate.learn.large_samples import large_samples
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import samples

TINY = Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true")


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """One tiled image with ids of discs, so large that it must not be loaded."""
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    rng = np.random.default_rng(0)
    rows, columns = np.indices((500, 700))
    ids = np.zeros((500, 700), np.uint16)
    for number in range(1, 60):
        y, x = rng.integers(0, 500), rng.integers(0, 700)
        ids[((rows - y) ** 2 + (columns - x) ** 2 <= 64) & (ids == 0)] = number
    image = (ids > 0) * 120 + rng.integers(0, 100, ids.shape)
    for folder, array in (("images", image.astype(np.uint8)), ("instances", ids)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "data" / folder / "a.tif", array, tile=(64, 64), compression="zlib")
    return tmp_path / "data"


@pytest.mark.parametrize("objects", [False, True])
def test_crops_from_windows_are_the_crops_of_the_whole(data, monkeypatch, objects):
    found = load(data)
    assert (len(found.cases), len(found.large)) == (0, 1)
    normalisation = Normalisation("fixed", 0, 255)
    (windowed,) = large_samples(
        found.large[0], dims=2, normalisation=normalisation, grey=True, objects=objects, margin=20
    )
    monkeypatch.setattr("delineate.data.large_case.LOADED", 1e9)
    (whole,) = samples(
        load(data).cases[0], dims=2, normalisation=normalisation, grey=True, objects=objects, seed=0
    )
    whole = Sample(whole.image, whole.labels, whole.offsets, windowed.places)
    for step in range(5):
        crops = [
            batch([sample], size=3, patch=(48, 40), augmentation=Augmentation(), seed=0, step=step)
            for sample in (windowed, whole)
        ]
        np.testing.assert_allclose(crops[0].images, crops[1].images, atol=2e-3)
        assert (
            crops[0].labels == crops[1].labels
        ).float().mean() > 0.998  # a rounded coordinate now and then
        one, other = (crop.offsets.numpy() for crop in crops)
        near = np.isfinite(one) & np.isfinite(other)
        if objects:
            assert near.sum() > 0.9 * np.isfinite(other).sum() > 0
            assert (np.abs(one - other)[near] < 1e-2).mean() > 0.99


def test_a_training_reads_windows_only(data, tmp_path, monkeypatch):
    seen: list[int] = []
    window = LargeImage.window

    def watched(self, box, level=0):
        if training:
            seen.append(int(np.prod([s.stop - s.start for s in box])))
        return window(self, box, level)

    training: list[bool] = []
    monkeypatch.setattr(LargeImage, "window", watched)
    told: list[str] = []
    flow.train(data, steps=3, overrides=TINY, tell=told.append, watch=lambda _: training.append(True))
    assert "1 image would take too much memory: crops are read from the file as they are needed" in told
    assert len(seen) == 2 * 2 * 2, "two steps after the first, two crops, an image and a mask"
    assert max(seen) < 0.3 * 500 * 700


def test_looks_hold_every_class(data):
    (case,) = load(data).large
    assert case.classes == (0, 1)
    held = np.unique(np.concatenate([look.labels.ravel() for look in case.looks]))
    assert held.tolist() == [0, 1]
    assert all(look.objects is not None for look in case.looks)
    _, labels, _ = case.part((slice(0, 500), slice(0, 700)))
    for label, spots in zip(case.classes, case.places, strict=True):
        assert (labels[tuple(spots.T)] == label).all()


def test_what_a_table_says_of_a_large_image_is_said_of_its_windows(data):
    (data / "metadata.csv").write_text("name,scanner\na.tif,old\n")
    large = load(data).large
    looks = large[0].looks
    said = facts(None, data, looks, large=large)
    assert looks
    assert said == {"scanner": {look.name: "old" for look in looks}}


def test_a_mask_of_another_size_is_refused(data):
    tifffile.imwrite(data / "instances" / "a.tif", np.ones((500, 600), np.uint16), tile=(64, 64))
    with pytest.raises(DataError, match="500 x 600 but its image is 500 x 700"):
        load(data)


def test_palette_masks_are_read_by_their_indices(data):
    (data / "instances").rename(data / "masks")
    labels = np.zeros((500, 700), np.uint8)
    labels[100:300, 200:400] = 1
    colours = np.zeros((3, 256), np.uint16)
    colours[0, 1] = 65535
    tifffile.imwrite(data / "masks" / "a.tif", labels, photometric="palette", colormap=colours, tile=(64, 64))
    (case,) = load(data).large
    np.testing.assert_array_equal(case.part((slice(90, 110), slice(190, 210)))[1], labels[90:110, 190:210])
