"""Touching discs come apart, whatever their size, and noise on the rim cuts nothing that is whole."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.objects import hills, numbered, split


def discs(*places, radius, shape):
    grid = np.indices(shape)
    centred = (grid - np.reshape(place, (-1, *(1,) * len(shape))) for place in places)
    return np.any([np.sqrt((offset**2).sum(0)) < radius for offset in centred], axis=0)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_two_touching_discs_are_two_at_any_size(scale):
    mask = discs(
        (15 * scale, 14 * scale), (15 * scale, 30 * scale), radius=9 * scale, shape=(30 * scale, 45 * scale)
    )
    ids = split(mask)
    assert ids.max() == 2
    np.testing.assert_array_equal(ids > 0, mask)
    assert len(np.unique(ids[:, : 20 * scale][mask[:, : 20 * scale]])) == 1


def test_two_touching_balls_are_two_in_a_volume_of_thick_slices():
    mask = discs((12, 12, 12), (12, 12, 26), radius=8, shape=(24, 24, 38))[::4]
    assert split(mask, spacing=(4.0, 1.0, 1.0)).max() == 2


def test_a_ragged_rim_cuts_to_pieces_only_without_smoothing():
    rng = np.random.default_rng(0)
    mask = discs((40, 40), radius=30, shape=(80, 80)) & (rng.random((80, 80)) > 0.02)
    assert split(mask, sigma_px=0.0).max() > 5
    assert split(mask, sigma_px=4.0).max() == 1


def test_nothing_gives_nothing_and_everything_is_one_object():
    assert split(np.zeros((4, 5), bool)).max() == 0
    np.testing.assert_array_equal(split(np.ones((4, 5), bool)), 1)


def test_objects_that_are_too_small_are_none():
    mask = discs((10, 10), radius=6, shape=(20, 30))
    mask[3:5, 25:27] = True
    assert split(mask).max() == 2
    assert split(mask, smallest_px=5).max() == 1


def test_a_hill_counts_if_it_rises_far_enough_over_its_saddle():
    heights = np.array([[5.0, 2, 4, 3, 3.5, 0, 9]])
    where = heights > 0
    np.testing.assert_array_equal(hills(heights, where, least=0.4), [[1, 1, 2, 2, 3, 0, 4]])
    np.testing.assert_array_equal(hills(heights, where, least=1.0)[0, 2:], [2, 2, 2, 0, 3])
    assert hills(heights, where, least=3.0).max() == 2  # the piece on the right has a peak of its own


def test_numbers_have_no_gaps():
    np.testing.assert_array_equal(numbered(np.array([9, 0, 4, 9])), [2, 0, 1, 2])
