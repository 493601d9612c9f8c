"""Strokes on images too large to be loaded are spread as those on others are, tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from delineate import flow
from delineate.core import UNLABELLED, Case
from delineate.data import LargeImage, load, scribbled
from delineate.learn import Overrides
from delineate.learn.large_samples import LargeSample, large_samples
from delineate.learn.large_spread import SpreadSample
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import samples
from delineate.learn.weak import Weak, prepared

TINY = Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true")
FIXED = Normalisation("fixed", 0, 255)


@pytest.fixture
def mask() -> np.ndarray:
    """Discs."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((400, 600))
    mask = np.zeros((400, 600), np.uint8)
    for _ in range(30):
        y, x = rng.integers(0, 400), rng.integers(0, 600)
        mask[(rows - y) ** 2 + (columns - x) ** 2 <= 14**2] = 1
    return mask


@pytest.fixture
def data(tmp_path, monkeypatch, mask) -> Path:
    """The discs under noise, an image so large that it must not be loaded, with strokes on its left side."""
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    noise = np.random.default_rng(1).normal(0, 8, mask.shape)
    image = (80.0 + 80 * mask + noise).astype(np.uint8)
    strokes = scribbled(Case("a", image[..., None], labels=mask), share=0.04).labels
    strokes[:, 440:] = UNLABELLED
    for folder, array in (("images", image), ("scribbles", strokes)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "data" / folder / "a.tif", array, tile=(64, 64))
    return tmp_path / "data"


def windowed(data: Path) -> LargeSample:
    (found,) = load(data).large
    (sample,) = large_samples(found, dims=2, normalisation=FIXED, grey=True, objects=False, margin=0)
    return sample


def everywhere(sample: LargeSample | SpreadSample) -> np.ndarray:
    return sample.part((slice(0, 400), slice(0, 600))).labels[0].numpy()


def test_strokes_are_spread_and_what_is_added_is_mostly_right(data, mask):
    sample = windowed(data)
    (spread,) = prepared([sample], Weak())
    before, after = everywhere(sample), everywhere(spread)
    told = before != UNLABELLED
    assert (after[told] == before[told]).all()
    added = (after != UNLABELLED) & ~told
    assert added.mean() > 0.5
    assert (after == mask)[added].mean() > 0.97
    assert (
        after[:, 512:] == UNLABELLED
    ).all()  # tiles of 256 px: no stroke lies in the last, nor within its rim
    assert prepared([sample], Weak(spread=False)) == [sample]


def test_with_a_rim_that_holds_everything_it_is_as_if_the_image_were_loaded(data, monkeypatch):
    monkeypatch.setattr("delineate.learn.large_spread.RIM_PX", {2: 600})
    (spread,) = prepared([windowed(data)], Weak())
    found = everywhere(spread)
    monkeypatch.setattr("delineate.data.large_case.LOADED", 1e9)
    (case,) = load(data).cases
    whole = samples(case, dims=2, normalisation=FIXED, grey=True, objects=False, seed=0)
    (loaded,) = prepared(whole, Weak())
    assert (found == loaded.labels[0].numpy()).all()


def test_a_part_has_the_labels_of_the_whole_in_whatever_order_parts_are_read(data):
    one, other = (prepared([windowed(data)], Weak())[0] for _ in range(2))
    boxes = [(slice(y, y + 90), slice(x, x + 130)) for y, x in ((0, 0), (250, 200), (300, 470), (200, 240))]
    backwards = [other.part(box).labels[0].numpy() for box in boxes[::-1]][::-1]
    whole = everywhere(one)
    for box, labels in zip(boxes, backwards, strict=True):
        assert (labels == whole[box]).all()


def test_each_tile_is_spread_once(data, monkeypatch):
    seen = []
    monkeypatch.setattr("delineate.learn.weak._spread", lambda sample: seen.append(1) or sample)
    (spread,) = prepared([windowed(data)], Weak())
    for _ in range(3):
        everywhere(spread)
    assert len(seen) == 2 * 2  # two more hold no stroke, nor do their rims


def test_a_training_on_strokes_reads_windows_only_and_repeats_itself(data, monkeypatch):
    largest = []
    window = LargeImage.window

    def watched(self, box, level=0):
        largest.append(int(np.prod([side.stop - side.start for side in box])))
        return window(self, box, level)

    def weights():
        model = flow.train(
            data, steps=3, overrides=TINY, watch=lambda _: monkeypatch.setattr(LargeImage, "window", watched)
        )
        monkeypatch.setattr(LargeImage, "window", window)
        return [each.numpy().tobytes() for each in model.learnt.net.state_dict().values()]

    assert weights() == weights()
    assert 0 < max(largest) < 400 * 600
