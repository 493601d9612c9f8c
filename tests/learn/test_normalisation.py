"""Intensities as the network sees them, reckoned by hand."""

import numpy as np
import pytest

from delineate.core import DataError
from delineate.learn.normalisation import Normalisation, normalised


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
