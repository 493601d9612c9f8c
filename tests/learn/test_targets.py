"""What the network is taught about objects and intensities, drawn by hand."""

import numpy as np
import pytest

from delineate.core import Case, DataError
from delineate.learn.prepare import Normalisation, normalised, places, samples
from delineate.learn.targets import offsets_to_middle


def test_offsets_lead_every_pixel_to_the_middle_of_its_own_object():
    ids = np.zeros((7, 9), int)
    ids[1:6, 1:4], ids[1:6, 4:7] = 5, 70000
    there = np.indices(ids.shape) + offsets_to_middle(ids)
    np.testing.assert_allclose(there[:, ids == 5].T - [3, 2], 0, atol=1e-6)
    np.testing.assert_allclose(there[:, ids == 70000].T - [3, 5], 0, atol=1e-6)
    assert np.isnan(there[:, ids == 0]).all()
    assert np.isnan(offsets_to_middle(np.zeros((3, 4, 5), int))).all()


def test_percentiles_ignore_a_hot_pixel_and_constant_images_become_zero():
    image = np.linspace(0, 100, 10_000).reshape(100, 100, 1)
    image[0, 0] = 1e9
    scaled = normalised(image, Normalisation())
    assert 0.9 < scaled[0, 99, 90] < 1.1
    assert scaled.max() == 3
    assert not normalised(np.full((8, 8, 1), 7), Normalisation()).any()


def test_nearly_constant_images_keep_their_few_bright_pixels():
    image = np.zeros((100, 100, 1), np.uint8)
    image[5, 5] = 200
    assert normalised(image, Normalisation())[0, 5, 5] == 1


def test_zscore_gives_mean_zero_and_deviation_one():
    scaled = normalised(np.random.default_rng(0).normal(50, 9, (64, 64, 2)), Normalisation("zscore", 0, 0))
    np.testing.assert_allclose(scaled.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((1, 2)), 1, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused_with_their_number(bad):
    image = np.zeros((4, 4, 1))
    image[1, 2] = bad
    with pytest.raises(DataError, match="1 pixels that are NaN or infinite: replace them"):
        normalised(image, Normalisation())


def test_slices_without_any_label_are_left_out():
    labels = np.full((3, 8, 8), 255, np.uint8)
    labels[1] = 0
    case = Case("stack", np.zeros((3, 8, 8, 1)), labels=labels)
    cut = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=False, seed=0)
    assert len(cut) == 1


def test_places_hold_pixels_of_every_class_and_none_that_is_unlabelled():
    labels = np.array([[0, 0, 1], [255, 2, 1]], np.uint8)
    found = places(labels, seed=0)
    assert [sorted(labels[tuple(p)] for p in pixels) for pixels in found] == [[0, 0], [1, 1], [2]]


def test_without_ids_connected_pieces_stand_in():
    labels = np.zeros((8, 12), np.uint8)
    labels[2:6, 1:4] = labels[2:6, 6:10] = 1
    case = Case("pair", np.zeros((8, 12, 1)), labels=labels)
    (cut,) = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0)
    assert cut.offsets[:, 4, 2].tolist() == [-0.5, 0]
    assert cut.offsets[:, 4, 6].tolist() == [-0.5, 1.5]
    assert (~cut.offsets[0].isnan()).tolist() == (labels > 0).tolist()
