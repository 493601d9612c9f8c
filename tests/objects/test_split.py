"""Touching discs come apart, whatever their size, and noise on the rim cuts nothing that is whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial.distance import cdist

from delineate.objects import hills, numbered, split
from delineate.objects.watershed import rim_distance


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


@pytest.mark.parametrize("spacing", [None, (2.0, 0.7), (3.0, 1.0, 0.5)])
@pytest.mark.parametrize("piece_px", [0, 1_000_000])
def test_the_rim_is_as_far_piece_by_piece_as_in_the_whole_picture(spacing, piece_px, monkeypatch):
    monkeypatch.setattr("delineate.objects.watershed.PIECE_PX", piece_px)
    rng = np.random.default_rng(0)
    shape = (7, 13, 11) if spacing and len(spacing) == 3 else (24, 31)
    for share in (0.02, 0.3, 0.9):
        mask = rng.random(shape) > share
        steps = np.array(spacing or (1, 1)) / min(spacing or (1,))
        expected = cdist(np.argwhere(mask) * steps, np.argwhere(~mask) * steps).min(1)
        found = rim_distance(mask, spacing=spacing, sigma_px=0.0)
        np.testing.assert_allclose(found[mask], expected, rtol=1e-6)
        assert not found[~mask].any()


def test_pieces_are_measured_one_by_one_only_where_that_is_less_work(monkeypatch):
    measured = []
    monkeypatch.setattr(
        "scipy.ndimage.distance_transform_edt",
        lambda mask, **rest: measured.append(mask.shape) or distance_transform_edt(mask, **rest),
    )
    few = discs((20, 20), (70, 80), radius=9, shape=(100, 100))
    rim_distance(few, spacing=None, sigma_px=0.0)
    assert measured == [(19, 19), (19, 19)]
    rim_distance(np.random.default_rng(0).random((100, 100)) > 0.9, spacing=None, sigma_px=0.0)
    assert measured[2:] == [(100, 100)]


def test_large_and_negative_ids_are_numbered_as_small_ones_are():
    ids = np.array([[5, 5, 0], [2, 0, 5]])
    expected = numbered(ids, smallest_px=2)
    np.testing.assert_array_equal(expected, [[1, 1, 0], [0, 0, 1]])
    for factor in (10**9, -1):
        np.testing.assert_array_equal(numbered(ids * factor, smallest_px=2), expected)
