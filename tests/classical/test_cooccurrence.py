"""Every map is what scikit-image counts in the window of that pixel."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from delineate.classical.cooccurrence import ANGLES, PROPERTIES, quantised, texture_maps
from delineate.core import DataError


def counted(picture, levels, window_px, distances, angles, properties):
    """The maps, window by window, by scikit-image."""
    half = window_px // 2
    padded = np.pad(picture, half, mode="symmetric")
    maps = np.zeros((len(distances), len(angles), len(properties), *picture.shape))
    for row, column in np.ndindex(picture.shape):
        window = padded[row : row + window_px, column : column + window_px]
        matrix = graycomatrix(window, distances, angles, levels=levels, symmetric=True, normed=True)
        for at, name in enumerate(properties):
            maps[:, :, at, row, column] = graycoprops(matrix, name)
    return maps


@pytest.mark.parametrize(
    ("shape", "levels", "window_px", "distances"),
    [((13, 11), 8, 5, (1, 2)), ((9, 14), 32, 7, (1, 3.5)), ((5, 4), 4, 9, (1,)), ((1, 6), 3, 3, (1,))],
)
def test_every_property_is_that_of_scikit_image(shape, levels, window_px, distances):
    picture = np.random.default_rng(0).integers(0, levels, shape).astype(np.uint8)
    picture[: shape[0] // 2] //= 3  # not all windows alike
    maps = texture_maps(picture, levels=levels, window_px=window_px, distances=distances)
    expected = counted(picture, levels, window_px, distances, ANGLES, PROPERTIES)
    np.testing.assert_allclose(maps, expected, rtol=2e-6, atol=2e-6)


def test_many_rows_are_more_than_one_strip():
    picture = np.random.default_rng(1).integers(0, 6, (150, 12)).astype(np.uint8)
    maps = texture_maps(picture, levels=6, window_px=5, angles=ANGLES[:2])
    rows = [0, 63, 64, 65, 127, 128, 149]
    for row in rows:
        part = np.pad(picture, 2, mode="symmetric")[row : row + 5, :]
        for column in (0, 5, 11):
            matrix = graycomatrix(
                part[:, column : column + 5], [1], ANGLES[:2], 6, symmetric=True, normed=True
            )
            for at, name in enumerate(PROPERTIES):
                np.testing.assert_allclose(
                    maps[:, :, at, row, column], graycoprops(matrix, name), rtol=3e-6, atol=3e-6
                )


def test_a_flat_picture_has_no_contrast_and_full_correlation():
    maps = texture_maps(np.full((6, 7), 3), levels=8, window_px=5)
    values = dict(zip(PROPERTIES, maps[0, 0, :, 2, 2].tolist(), strict=True))
    assert values == pytest.approx({
        "contrast": 0, "dissimilarity": 0, "homogeneity": 1, "energy": 1, "correlation": 1, "entropy": 0,
        "mean": 3, "variance": 0,
    }, abs=1e-9)  # fmt: skip


def test_averaged_maps_are_the_mean_over_angles():
    picture = np.random.default_rng(2).integers(0, 16, (20, 17))
    apart = texture_maps(picture, levels=16, window_px=7)
    averaged = texture_maps(picture, levels=16, window_px=7, averaged=True)
    np.testing.assert_allclose(averaged, apart.mean(1), rtol=1e-5, atol=1e-5)


def test_one_property_alone_is_the_same_as_among_all():
    picture = np.random.default_rng(3).integers(0, 16, (9, 9))
    every = texture_maps(picture, levels=16, window_px=5)
    for at, name in enumerate(PROPERTIES):
        np.testing.assert_array_equal(
            texture_maps(picture, levels=16, window_px=5, properties=(name,))[:, :, 0], every[:, :, at]
        )


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"levels": 3}, "do not fit into 3"),
        ({"levels": 1000}, "2 to 256 levels"),
        ({"window_px": 4}, "odd number"),
        ({"window_px": 1001}, "odd number"),
        ({"distances": (5,)}, "no pair of pixels"),
        ({"distances": (0,)}, "no pair of pixels"),
        ({"properties": ("colour",)}, "choose from contrast"),
    ],
)
def test_what_does_not_fit_is_refused(wanted, says):
    with pytest.raises(DataError, match=says):
        texture_maps(np.full((8, 8), 7), **({"levels": 8, "window_px": 5} | wanted))


def test_pictures_that_are_not_integers_or_not_flat_are_refused():
    for picture in (np.zeros((4, 4)), np.zeros((2, 4, 4), int), np.zeros((0, 4), int)):
        with pytest.raises(DataError, match="integers"):
            texture_maps(picture, levels=4)


def test_quantised_levels_are_of_equal_width():
    grey = np.linspace(0, 1, 1001)
    counts = np.bincount(quantised(grey, levels=4))
    assert counts.tolist() == [250, 250, 250, 251]
    with pytest.raises(DataError, match="rising range"):
        quantised(grey, levels=4, low=1, high=1)
