from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist

from delineate.core import DataError
from delineate.score import hausdorff
from delineate.score.surface import border


def by_brute_force(truth: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Every border voxel against every other, borders by SciPy's erosion: nothing shared with the code."""
    points = []
    for mask in (truth == 1, (predicted == 1) & (truth != 255)):
        points.append(np.argwhere(mask & ~binary_erosion(mask)) * np.array(spacing))
    if not len(points[0]) and not len(points[1]):
        return math.nan
    if not len(points[0]) or not len(points[1]):
        return math.inf
    table = cdist(*points)
    return float(max(table.min(axis=0).max(), table.min(axis=1).max()))


@st.composite
def pairs_with_spacing(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    shape = draw(array_shapes(min_dims=1, max_dims=3, max_side=7))
    elements = st.sampled_from([0, 0, 1, 1, 1, 255])
    truth = draw(arrays(np.uint8, shape, elements=elements))
    predicted = draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1])))
    spacing = draw(st.tuples(*[st.sampled_from([0.25, 0.7, 1.0, 3.0, 11.0])] * len(shape)))
    return truth, predicted, spacing


@given(pairs_with_spacing())
def test_it_is_what_brute_force_gives(drawn: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    truth, predicted, spacing = drawn
    expected = by_brute_force(truth, predicted, spacing)
    assert hausdorff(truth, predicted, label=1, spacing=spacing) == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )


def test_blobs_with_an_inside_are_what_brute_force_gives() -> None:
    rng = np.random.default_rng(5)
    z, y, x = np.ogrid[:12, :15, :18]
    for _ in range(20):
        masks = []
        for _ in range(2):
            centre, radius = rng.uniform(2, 10, 3), rng.uniform(2, 6)
            masks.append((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2)
        truth, predicted = (mask.astype(np.uint8) for mask in masks)
        spacing = tuple(rng.uniform(0.3, 4, 3))
        found = hausdorff(truth, predicted, label=1, spacing=spacing)
        assert found == pytest.approx(by_brute_force(truth, predicted, spacing), abs=1e-9)


def test_two_points_two_pixels_apart_of_the_reference_tests() -> None:
    truth, predicted = np.zeros((2, 128, 128), np.uint8)
    truth[50, 70], predicted[50, 72] = 1, 1
    assert hausdorff(truth, predicted, label=1, spacing=(2, 1)) == 2.0
    assert hausdorff(truth.T, predicted.T, label=1, spacing=(2, 1)) == 4.0


def test_the_two_slabs_of_the_reference_tests() -> None:
    truth, predicted = np.zeros((2, 100, 100, 100), np.uint8)
    truth[:50], predicted[:51] = 1, 1
    assert hausdorff(truth, predicted, label=1, spacing=(2, 1, 1)) == 2.0


def test_a_missed_object_scores_infinity() -> None:
    truth = np.array([[0, 1, 0]])
    assert hausdorff(truth, truth * 0, label=1) == math.inf


def test_a_missed_satellite_is_as_far_as_it_lies_away_however_small() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[5:45, 5:45] = 1
    predicted = truth.copy()
    truth[60, 44] = 1  # one pixel of 1601, 16 rows below the large lesion, whose last row is 44
    assert hausdorff(truth, predicted, label=1, spacing=(0.5, 0.5)) == 8.0


def test_a_hole_counts_by_its_own_border() -> None:
    truth = np.ones((9, 9), np.uint8)
    predicted = truth.copy()
    predicted[4, 4] = 0
    # the four pixels around the hole are border too; the nearest border of truth is the edge, 3 pixels away
    assert hausdorff(truth, predicted, label=1) == 3.0


def test_the_edge_of_the_image_is_border() -> None:
    assert border(np.ones((1, 3), bool)).all()
    np.testing.assert_array_equal(
        border(np.pad(np.ones((3, 3), bool), 1)), np.pad([[1, 1, 1], [1, 0, 1], [1, 1, 1]], 1).astype(bool)
    )


@pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, -2), (1, math.nan), (1, math.inf)])
def test_a_spacing_that_is_not_one_positive_number_per_axis_is_refused(spacing: tuple[float, ...]) -> None:
    grid = np.array([[0, 1]])
    with pytest.raises(DataError, match="2 spatial axes: give one positive number per axis"):
        hausdorff(grid, grid, label=1, spacing=spacing)
