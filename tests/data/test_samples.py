from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from delineate.core import OutputError
from delineate.data import samples


def dice(truth, predicted):
    return 2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())


def test_each_of_the_24_coins_is_one_piece_without_holes():
    objects = samples.coin_picture().objects
    for coin in range(1, 25):
        shape = objects == coin
        assert ndimage.label(shape)[1] == 1
        assert np.array_equal(ndimage.binary_fill_holes(shape), shape)


def test_coins_do_not_touch_each_other():
    objects = samples.coin_picture().objects
    assert ndimage.label(objects > 0, structure=np.ones((3, 3)))[1] == 24


def test_every_coin_is_brighter_than_the_table_around_it():
    case = samples.coin_picture()
    image = case.image[..., 0].astype(float)
    for coin in range(1, 25):
        shape = case.objects == coin
        rim_inside = shape & ~ndimage.binary_erosion(shape, iterations=2)
        rim_outside = ndimage.binary_dilation(shape, iterations=4) & ~ndimage.binary_dilation(
            shape, iterations=2
        )
        assert image[rim_inside].mean() > image[rim_outside & (case.objects == 0)].mean() + 30


def test_outlines_sit_where_the_brightness_falls_most():
    # Growing or shrinking every outline by 2 pixels must lower the mean fall in brightness across it.
    image = ndimage.gaussian_filter(samples.coin_picture().image[..., 0].astype(float), 1)
    outlines = samples._outlines()

    def fall(grown_px):
        falls = []
        for _, row, column, *radii in outlines:
            angles = np.deg2rad(np.arange(0, 360, 10))
            at = [np.asarray(radii) + grown_px + step for step in (-1.0, 1.0)]
            inner, outer = (
                ndimage.map_coordinates(
                    image, [row - r * np.sin(angles), column + r * np.cos(angles)], mode="nearest"
                )
                for r in at
            )
            falls.append((inner - outer).mean())
        return np.mean(falls)

    assert fall(0.0) > 1.5 * fall(2.0)
    assert fall(0.0) > 1.5 * fall(-2.0)


def test_no_cut_goes_through_a_coin_and_every_coin_is_in_one_part():
    whole = samples.coin_picture().objects
    train, held_out = samples.coins()
    seen = []
    for case in [*train, *held_out]:
        for coin in np.unique(case.objects[case.objects > 0]):
            assert (case.objects == coin).sum() == (whole == coin).sum()
            seen.append(int(coin))
    assert sorted(seen) == list(range(1, 25))


def test_blocks_cover_every_pixel_once():
    covered = np.zeros((303, 384), int)
    for top, bottom, left, right in samples.TRAIN_BLOCKS + samples.TEST_BLOCKS:
        covered[top:bottom, left:right] += 1
    assert np.array_equal(covered, np.ones_like(covered))


def test_labels_are_the_objects_without_their_ids():
    train, held_out = samples.coins()
    for case in [*train, *held_out]:
        assert case.labels.dtype == np.uint8
        assert np.array_equal(case.labels, case.objects > 0)


def test_one_threshold_fails_on_the_left_edge():
    left_edge = samples.coins()[1][0]
    grey = left_edge.image[..., 0]
    assert dice(left_edge.labels == 1, grey > threshold_otsu(grey)) < 0.8


def test_written_files_hold_what_the_cases_hold(tmp_path):
    samples.write(tmp_path / "coins")
    for part, cases in zip(("train", "test"), samples.coins(), strict=True):
        for case in cases:
            read = {
                kind: np.asarray(Image.open(tmp_path / "coins" / part / kind / f"{case.name}.png"))
                for kind in ("images", "masks", "instances")
            }
            assert np.array_equal(read["images"], case.image[..., 0])
            assert np.array_equal(read["masks"], 255 * case.labels)
            assert np.array_equal(read["instances"], case.objects)


def test_writing_into_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        samples.write(tmp_path)
