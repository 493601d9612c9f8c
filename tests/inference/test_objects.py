"""Votes for the middles of objects tell touching ones apart."""

import numpy as np
import pytest

from delineate.inference import separated
from delineate.inference.objects import numbered, sure
from delineate.learn.targets import offsets_to_middle


def discs(*centres, radius=6, shape=(24, 40)):
    """Ids of discs; a pixel that lies in two of them belongs to the nearer middle."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    depths = np.array([radius + 0.5 - np.hypot(y - cy, x - cx) for cy, cx in centres])
    return np.where(depths.max(0) > 0, depths.argmax(0) + 1, 0)


def aimed(ids):
    """Foreground and perfect offsets of objects."""
    return ids > 0, np.nan_to_num(offsets_to_middle(ids))


def same(found, truth):
    """Whether both tell the same objects apart, whatever their numbers."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]), axis=1)
    return pairs.shape[1] == len(np.unique(found)) == len(np.unique(truth))


def test_touching_discs_are_told_apart_to_the_pixel():
    ids = discs((12, 12), (12, 21), (5, 17))
    assert same(separated(*aimed(ids)), ids)


def test_objects_of_very_different_size_are_found_side_by_side():
    ids = discs((20, 20), radius=18, shape=(40, 60))
    ids[18:21, 39:42] = 2
    assert same(separated(*aimed(ids)), ids)


def test_a_little_noise_in_the_offsets_does_not_break_an_object_up():
    ids = discs((12, 12), (12, 23))
    foreground, offsets = aimed(ids)
    noise = np.random.default_rng(0).normal(0, 1.0, offsets.shape)
    assert separated(foreground, offsets + noise).max() == 2


def test_stray_pixels_go_to_the_object_they_touch():
    ids = discs((12, 8), (12, 30))
    foreground, offsets = aimed(ids)
    offsets[:, 12, 4] = 0, 26  # aims at the other disc
    assert same(separated(foreground, offsets), ids)


def test_the_ratio_decides_whether_two_peaks_are_two_objects():
    foreground = np.ones((1, 12), bool)
    offsets = np.zeros((2, 1, 12))
    offsets[1, 0] = np.where(np.arange(12) < 6, 4, 6) - np.arange(12)  # six pixels aim at 4, six at 6
    assert separated(foreground, offsets, sigma_px=0.7, ratio=1.05).max() == 2
    assert separated(foreground, offsets, sigma_px=0.7, ratio=3).max() == 1


def test_aims_outside_the_picture_count_at_its_border():
    foreground = np.zeros((6, 6), bool)
    foreground[:, :2] = True
    offsets = np.zeros((2, 6, 6))
    offsets[1] = -50
    assert separated(foreground, offsets)[foreground].min() == 1


def test_specks_are_dropped_and_ids_stay_without_gaps():
    ids = discs((12, 8), (12, 30))
    ids[20, 20] = 3
    found = separated(*aimed(ids), smallest_px=3)
    assert np.unique(found).tolist() == [0, 1, 2]
    assert found[20, 20] == 0


@pytest.mark.parametrize("dims", [2, 3])
def test_no_foreground_gives_no_objects(dims):
    shape = (4, 5, 6)[-dims:]
    assert separated(np.zeros(shape, bool), np.ones((dims, *shape))).max() == 0


def test_volumes_are_separated_as_well():
    ids = np.zeros((6, 6, 14), int)
    ids[1:5, 1:5, 1:7], ids[1:5, 1:5, 7:13] = 1, 2
    assert same(separated(*aimed(ids)), ids)


def test_slices_that_vote_for_themselves_join_to_objects():
    ids = np.zeros((5, 8, 16), int)
    ids[1:4, 2:6, 1:7], ids[1:4, 2:6, 7:13] = 1, 2
    offsets = np.stack([np.nan_to_num(offsets_to_middle(one)) for one in ids], axis=1)
    assert same(separated(ids > 0, offsets), ids)


def test_a_picture_that_is_all_one_object_is_one_object():
    assert separated(*aimed(np.ones((6, 6), int))).tolist() == np.ones((6, 6), int).tolist()


def test_numbering_keeps_the_order_of_ids():
    assert numbered(np.array([[9, 0, 4, 4, 700000]])).tolist() == [[2, 0, 1, 1, 3]]


def test_specks_that_are_barely_foreground_are_dropped_and_sure_ones_stay():
    ids = np.array([[1, 1, 0, 2, 2, 0, 3]])
    likely = np.array([[0.95, 0.9, 0.1, 0.55, 0.6, 0.2, 0.86]])
    assert sure(ids, likely).tolist() == [[1, 1, 0, 0, 0, 0, 2]]
    assert sure(np.zeros((2, 2), int), np.ones((2, 2))).tolist() == [[0, 0], [0, 0]]
