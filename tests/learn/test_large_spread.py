"""Strokes on images too large to be loaded are spread as those on others are, tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from delineate import flow
from delineate.core import UNLABELLED, Case, ClassTable
from delineate.data import LargeImage, load, scribbled
from delineate.learn import Overrides, Training, planned
from delineate.learn.large_samples import LargeSample, large_samples
from delineate.learn.large_spread import SpreadSample
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import samples
from delineate.learn.shares import OF_ONE, _looks
from delineate.learn.weak import Weak, prepared

TINY = Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true")
FIXED = Normalisation("fixed", 0, 255)


def discs(shape: tuple[int, int], *, number: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows, columns = np.indices(shape)
    mask = np.zeros(shape, np.uint8)
    for _ in range(number):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        mask[(rows - y) ** 2 + (columns - x) ** 2 <= 14**2] = 1
    return mask


def seen(mask: np.ndarray) -> np.ndarray:
    """The classes as greys under noise."""
    noise = np.random.default_rng(1).normal(0, 8, mask.shape)
    return (60.0 + 70 * mask + noise).astype(np.uint8)


def strokes(mask: np.ndarray) -> np.ndarray:
    return scribbled(Case("a", seen(mask)[..., None], labels=mask), share=0.04).labels


def folder(path: Path, image: np.ndarray, labels: np.ndarray) -> Path:
    for name, array in (("images", image), ("scribbles", labels)):
        (path / name).mkdir(parents=True)
        tifffile.imwrite(path / name / "a.tif", array, tile=(64, 64), photometric="minisblack")
    return path


@pytest.fixture
def mask() -> np.ndarray:
    return discs((400, 600))


@pytest.fixture
def data(tmp_path, monkeypatch, mask) -> Path:
    """Discs with strokes on their left side, an image so large that it must not be loaded."""
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    drawn = strokes(mask)
    drawn[:, 440:] = UNLABELLED
    return folder(tmp_path / "data", seen(mask), drawn)


def windowed(data: Path, *, dims: int = 2) -> LargeSample:
    (found,) = load(data).large
    sample, *_ = large_samples(found, dims=dims, normalisation=FIXED, grey=True, objects=False, margin=0)
    return sample


def everywhere(sample: LargeSample | SpreadSample) -> np.ndarray:
    return sample.part(tuple(slice(0, n) for n in sample.spatial)).labels[0].numpy()


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
    monkeypatch.setattr("delineate.learn.large_spread.RIM_PX", 600)
    (spread,) = prepared([windowed(data)], Weak())
    found = everywhere(spread)
    monkeypatch.setattr("delineate.data.large_case.LOADED", 1e9)
    (case,) = load(data).cases
    whole = samples(case, dims=2, normalisation=FIXED, grey=True, objects=False, seed=0)
    (loaded,) = prepared(whole, Weak())
    assert (found == loaded.labels[0].numpy()).all()


def test_strokes_in_the_rim_of_a_tile_count(tmp_path, monkeypatch, mask):
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    drawn = strokes(mask)
    drawn[:, 256:] = UNLABELLED
    (spread,) = prepared([windowed(folder(tmp_path / "data", seen(mask), drawn))], Weak())
    after = everywhere(spread)
    assert (after[:, 256:300] != UNLABELLED).any()  # the second tile, in which no stroke lies
    assert (after[:, 512:] == UNLABELLED).all()


def test_where_a_class_has_no_stroke_nearby_its_pixels_are_not_given_to_others(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    mask = discs((300, 1000), number=40)
    mask[140:160, :] = 2
    drawn = strokes(mask)
    drawn[:, 300:][drawn[:, 300:] == 2] = UNLABELLED
    (spread,) = prepared([windowed(folder(tmp_path / "data", seen(mask), drawn))], Weak())
    far = everywhere(spread)[:, 600:]
    band = mask[:, 600:] == 2
    assert (far[~band] != UNLABELLED).mean() > 0.02
    assert np.isin(far[band], (0, 1)).mean() < 0.2


def test_a_part_has_the_labels_of_the_whole_in_whatever_order_parts_are_read(data):
    one, other = (prepared([windowed(data)], Weak())[0] for _ in range(2))
    boxes = [(slice(y, y + 90), slice(x, x + 130)) for y, x in ((0, 0), (250, 200), (300, 470), (200, 240))]
    backwards = [other.part(box).labels[0].numpy() for box in boxes[::-1]][::-1]
    whole = everywhere(one)
    for box, labels in zip(boxes, backwards, strict=True):
        assert (labels == whole[box]).all()


def test_each_tile_is_spread_once_however_often_its_picture_is_drawn(data, monkeypatch):
    seen = []
    monkeypatch.setattr("delineate.learn.weak._spread", lambda sample, _: seen.append(1) or sample)
    sample = windowed(data)
    for spread in prepared([sample] * 3, Weak()):
        everywhere(spread)
    assert len(seen) == 2 * 2  # two more hold no stroke, nor do their rims


def test_full_masks_stay_as_they_are(tmp_path, monkeypatch, mask):
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    whole = mask.copy()
    whole[:, 500:] = UNLABELLED
    sample = windowed(folder(tmp_path / "data", seen(mask), whole))
    assert prepared([sample], Weak()) == [sample]


def test_one_corner_that_is_outlined_does_not_keep_strokes_from_being_spread(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    mask = discs((820, 820), number=85)
    drawn = strokes(mask)
    drawn[:300, :300] = mask[:300, :300]
    (spread,) = prepared([windowed(folder(tmp_path / "data", seen(mask), drawn))], Weak())
    assert (everywhere(spread) != UNLABELLED).mean() > 0.5


def test_volumes_stay_as_they_are(tmp_path, monkeypatch, mask):
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0.0)
    image, drawn = (np.stack([each] * 12) for each in (seen(mask), strokes(mask)))
    data = folder(tmp_path / "data", image, drawn)
    volume = windowed(data, dims=3)
    assert volume.barely_labelled
    assert prepared([volume], Weak()) == [volume]
    plane = windowed(data)
    assert (everywhere(prepared([plane], Weak())[0]) != UNLABELLED).mean() > 0.5
    assert (plane.labels((slice(3, 9), slice(5, 20))) == drawn[0, 3:9, 5:20]).all()


def test_a_large_picture_is_asked_in_distinct_places_and_leaves_others_their_turn(data):
    sample = windowed(data)
    alone = [box for _, box in _looks([sample, sample], side=64)]
    assert len(alone) == len(set(map(str, alone))) == OF_ONE
    small = sample.part((slice(0, 64), slice(0, 64)))
    others = [small.part((slice(i, 64), slice(0, 64))) for i in range(40)]
    asked = [one for one, _ in _looks([sample, *others], side=64)]
    assert all(any(one is other for one in asked) for other in others)
    assert any(one is sample for one in asked)


def test_a_training_on_strokes_reads_windows_only_and_goes_on_where_it_was_stopped(
    data, tmp_path, monkeypatch
):
    largest = []
    window = LargeImage.window

    def watched(self, box, level=0):
        largest.append(int(np.prod([side.stop - side.start for side in box])))
        return window(self, box, level)

    found = load(data)
    (large,) = found.large
    plan = planned(large.looks, overrides=TINY)
    about = {"classes": ClassTable.numbered(2), "plan": plan, "large": found.large, "steps": 4}
    monkeypatch.setattr(LargeImage, "window", watched)

    def weights(training: Training) -> list[bytes]:
        largest.clear()
        list(training)
        return [each.numpy().tobytes() for each in training.learnt.net.state_dict().values()]

    whole = weights(Training([], **about))
    stopped = Training([], folder=tmp_path / "model", **about)
    for step in stopped:
        if step.number == 2:
            stopped._checkpoint(tmp_path / "model")
            break
    assert weights(Training([], folder=tmp_path / "model", resume=True, **about)) == whole
    assert 0 < max(largest) < 400 * 600


def test_a_place_that_cannot_be_read_is_not_asked_and_the_training_ends(data, monkeypatch):
    asked = []

    def damaged(self, box):
        from delineate.core import DataError

        if self.spatial == (400, 600) and box[0].stop - box[0].start > 300:
            asked.append(box)
            raise DataError("a tile is damaged")
        return part(self, box)

    part = SpreadSample.part
    monkeypatch.setattr(SpreadSample, "part", damaged)
    method = flow.train(data, steps=1, overrides=TINY)
    assert asked
    shares = method.learnt.record.data["class_shares"]
    assert shares["images"] == shares["labelled"]
