"""Intensities as the network sees them, reckoned by hand."""

import numpy as np
import pytest

from delineate.classical.taught import check_finite
from delineate.core import DataError
from delineate.data.faults import image_problems
from delineate.data.picture import Picture
from delineate.learn.normalisation import NORMALISATIONS, Normalisation, normalised, scale_of, scale_of_parts


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


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("bright", [1.0, 0.0001])
def test_an_image_that_comes_in_parts_is_scaled_as_at_once(monkeypatch, kind, bright):
    """Every seventh pixel is looked at, of which hardly any is bright in one of two cases; parts are no multiple of it."""
    monkeypatch.setattr("delineate.learn.normalisation.ENOUGH", 3000)
    rng = np.random.default_rng(0)
    image = (rng.integers(0, 4000, (21_000, 1, 2)) * (rng.random((21_000, 1, 2)) < bright)).astype(np.uint16)
    whole = scale_of(image, NORMALISATIONS[kind])
    parts = scale_of_parts(np.split(image, [1, 10, 5000, 20_998]), NORMALISATIONS[kind], pixels=21_000)
    if kind == "percentiles":
        assert parts == whole
        values = image[::7].astype(np.float32) if bright == 1 else image.astype(np.float32)
        low, high = np.percentile(values[:, 0, 0], (1.0, 99.8) if bright == 1 else (0, 100))
        assert (parts.low[0], parts.span[0]) == (low, high - low)
    np.testing.assert_allclose(parts.low, whole.low, rtol=1e-5)
    np.testing.assert_allclose(parts.span, whole.span, rtol=1e-5)


def test_a_pixel_that_is_nan_in_every_channel_is_one_pixel_wherever_it_is_told():
    image = np.zeros((4, 5, 3))
    image[1, 2] = np.nan
    with pytest.raises(DataError, match="the image has 1 pixels"):
        normalised(image, Normalisation())
    with pytest.raises(DataError, match="the image has 1 pixels"):
        check_finite(image, name="the image")
    (problem,) = image_problems(
        Picture(image, (1.0, 1.0), "px", None, ".tif", ()), name="a.tif", where="a.tif"
    )
    assert "holds 1 pixels" in str(problem)
