"""A watershed from the middles of objects tells touching ones apart."""

import numpy as np

from delineate.inference import separated
from delineate.inference.objects import numbered, sure


def discs(*centres, radius=6, shape=(24, 40)):
    """Union of discs, and for each pixel how far inside the nearest disc it lies (0 to 1)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    depth = np.max([1 - np.hypot(y - cy, x - cx) / (radius + 0.5) for cy, cx in centres], axis=0)
    return depth > 0, np.clip(depth, 0, 1)


def test_two_touching_discs_become_two_objects_that_meet_between_their_middles():
    foreground, distance = discs((12, 12), (12, 23))
    ids = separated(foreground, distance)
    assert set(np.unique(ids)) == {0, 1, 2}
    assert (ids > 0).tolist() == foreground.tolist()
    assert ids[12, 12] != ids[12, 23]
    assert (ids[:, :17][foreground[:, :17]] == ids[12, 12]).all()


def test_foreground_without_a_middle_is_no_object():
    foreground, distance = discs((12, 12))
    foreground[2, 30:38] = True
    assert separated(foreground, distance).max() == 1


def test_a_dent_that_is_no_valley_does_not_split_an_object():
    foreground = np.ones((1, 9), bool)
    dented = np.array([[0.5, 0.8, 1.0, 0.97, 0.95, 0.97, 1.0, 0.8, 0.5]])
    assert separated(foreground, dented, sigma_px=0).max() == 1
    assert separated(foreground, dented, sigma_px=0, prominence=0.02).max() == 2


def test_specks_are_dropped_and_ids_stay_without_gaps():
    foreground, distance = discs((12, 12), (12, 30), radius=5)
    foreground[20, 20], distance[20, 20] = True, 1.0
    ids = separated(foreground, distance, sigma_px=0, smallest_px=3)
    assert np.unique(ids).tolist() == [0, 1, 2]
    assert ids[20, 20] == 0


def test_no_foreground_gives_no_objects():
    assert separated(np.zeros((5, 6), bool), np.ones((5, 6))).max() == 0


def test_volumes_are_separated_as_well():
    foreground = np.zeros((5, 5, 12), bool)
    foreground[1:4, 1:4, 1:11] = True
    distance = np.where(foreground, 0.2, 0.0)
    distance[2, 2, 3] = distance[2, 2, 8] = 1.0
    assert separated(foreground, distance, sigma_px=0).max() == 2


def test_numbering_keeps_the_order_of_ids():
    assert numbered(np.array([[9, 0, 4, 4, 700000]])).tolist() == [[2, 0, 1, 1, 3]]


def test_a_picture_that_is_all_one_object_is_one_object():
    assert (
        separated(np.ones((6, 6), bool), np.ones((6, 6)), sigma_px=0).tolist()
        == np.ones((6, 6), int).tolist()
    )


def test_specks_that_are_barely_foreground_are_dropped_and_sure_ones_stay():
    ids = np.array([[1, 1, 0, 2, 2, 0, 3]])
    likely = np.array([[0.95, 0.9, 0.1, 0.55, 0.6, 0.2, 0.86]])
    assert sure(ids, likely).tolist() == [[1, 1, 0, 0, 0, 0, 2]]
    assert sure(np.zeros((2, 2), int), np.ones((2, 2))).tolist() == [[0, 0], [0, 0]]
