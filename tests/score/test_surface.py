from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist

from delineate.core import DataError
from delineate.score import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff,
    hausdorff95,
    surface_dice,
    surface_distances,
)
from delineate.score.border import border_voxels
from delineate.score.elements import surface_elements
from delineate.score.nearest import nearest_distances


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


@settings(max_examples=1000, deadline=None)
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
    line = np.ones((1, 3), bool)
    assert border_voxels(line, line)[0].tolist() == [[0, 0], [0, 1], [0, 2]]
    ring = np.argwhere(np.pad([[1, 1, 1], [1, 0, 1], [1, 1, 1]], 1))
    square = np.pad(np.ones((3, 3), bool), 1)
    np.testing.assert_array_equal(border_voxels(square, square)[1], ring)


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=6), elements=st.integers(0, 3)))
def test_borders_are_the_masks_less_their_erosion_whether_voxels_are_walked_or_whole_arrays(
    drawn: np.ndarray,
) -> None:
    masks = (drawn % 2 == 1, drawn >= 2)
    expected = [np.argwhere(mask & ~binary_erosion(mask)) for mask in masks]
    for walked_below in (0, 1.1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("delineate.score.border.FEW", walked_below)
            patch.setattr("delineate.score.border.SLAB", 0)
            for given_as in (np.ascontiguousarray, np.asfortranarray):
                for found, wanted in zip(border_voxels(*map(given_as, masks)), expected, strict=True):
                    np.testing.assert_array_equal(found, wanted)


@given(pairs_with_spacing())
def test_nothing_changes_where_empty_rows_are_cut_out_of_a_large_array(
    drawn: tuple[np.ndarray, np.ndarray, tuple[float, ...]],
) -> None:
    truth, predicted, spacing = drawn
    whole = surface_distances(truth, predicted, label=1, spacing=spacing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("delineate.score.border.SLAB", 3)
        patch.setattr("delineate.score.pair.SLAB", 3)
        cut_out = surface_distances(truth, predicted, label=1, spacing=spacing)
    np.testing.assert_array_equal(whole.from_truth, cut_out.from_truth)
    np.testing.assert_array_equal(whole.from_predicted, cut_out.from_predicted)
    assert whole.farthest == cut_out.farthest


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 2.1), (3.0, 0.4, 1.1)])
def test_a_table_of_all_pairs_and_search_trees_give_the_same(spacing: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 300, (2, 500, 3))
    expected = cdist(a * np.array(spacing), b * np.array(spacing))
    for pairs_at_most in (0, 2**20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("delineate.score.nearest.TABLE", pairs_at_most)
            there, back = nearest_distances(a, b, spacing=spacing)
        np.testing.assert_allclose(there, expected.min(axis=1), rtol=1e-12)
        np.testing.assert_allclose(back, expected.min(axis=0), rtol=1e-12)


def test_points_too_far_out_for_whole_numbers_in_32_bits_are_still_exact() -> None:
    a, b = np.array([[90_000, 90_001]]), np.array([[90_001, 90_003]])
    there, back = nearest_distances(a, b, spacing=(1.0, 1.0))
    assert there[0] == back[0] == pytest.approx(math.sqrt(5), rel=1e-12)


@pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, -2), (1, math.nan), (1, math.inf)])
def test_a_spacing_that_is_not_one_positive_number_per_axis_is_refused(spacing: tuple[float, ...]) -> None:
    grid = np.array([[0, 1]])
    with pytest.raises(DataError, match="2 spatial axes: give one positive number per axis"):
        hausdorff(grid, grid, label=1, spacing=spacing)


@settings(max_examples=1000, deadline=None)
@given(pairs_with_spacing())
def test_percentile_average_and_share_are_what_brute_force_gives(
    drawn: tuple[np.ndarray, np.ndarray, tuple[float, ...]],
) -> None:
    truth, predicted, spacing = drawn
    points = [
        np.argwhere(mask & ~binary_erosion(mask)) * np.array(spacing)
        for mask in (truth == 1, (predicted == 1) & (truth != 255))
    ]
    measured = surface_distances(truth, predicted, label=1, spacing=spacing)
    if not (len(points[0]) and len(points[1])):
        empty = math.nan if not len(points[0]) and not len(points[1]) else math.inf
        assert measured.average == measured.percentile(95) == empty or math.isnan(empty)
        assert measured.farthest is None
        return
    table = cdist(*points)
    there, back = table.min(axis=1), table.min(axis=0)
    expected = max(np.percentile(side, 95, method="inverted_cdf") for side in (there, back))
    assert measured.percentile(95) == pytest.approx(expected, abs=1e-9)
    assert hausdorff95(truth, predicted, label=1, spacing=spacing) == measured.percentile(95)
    assert measured.averages == pytest.approx((there.mean(), back.mean()))
    expected = np.concatenate([there, back]).mean()
    assert average_surface_distance(truth, predicted, label=1, spacing=spacing) == pytest.approx(expected)
    near = np.concatenate([there, back]) <= 1.2
    assert measured.within(1.2) == pytest.approx(near.mean())


@given(pairs_with_spacing())
def test_the_pair_that_is_farthest_apart_lies_on_both_surfaces_at_the_hausdorff_distance(
    drawn: tuple[np.ndarray, np.ndarray, tuple[float, ...]],
) -> None:
    truth, predicted, spacing = drawn
    measured = surface_distances(truth, predicted, label=1, spacing=spacing)
    if measured.farthest is None:
        return
    here, there = (tuple(int(x) for x in point) for point in measured.farthest)
    of_truth, of_predicted = border_voxels(truth == 1, (predicted == 1) & (truth != 255))
    assert list(here) in of_truth.tolist()
    assert list(there) in of_predicted.tolist()
    apart = (np.array(here) - there) * np.array(spacing)
    assert np.linalg.norm(apart) == pytest.approx(measured.hausdorff)


def test_surface_elements_give_the_values_of_the_reference_tests() -> None:
    truth, predicted = np.zeros((2, 128, 128), np.uint8)
    truth[50, 70], predicted[50, 72] = 1, 1
    points = surface_distances(truth, predicted, label=1, spacing=(2, 1), convention="elements")
    assert points.averages == (1.5, 1.5)
    assert (points.hausdorff, points.percentile(95), points.within(1)) == (2, 2, 0.5)
    truth, predicted = np.zeros((2, 100, 100, 100), np.uint8)
    truth[:50], predicted[:51] = 1, 1
    slabs = surface_distances(truth, predicted, label=1, spacing=(2, 1, 1), convention="elements")
    assert slabs.averages == pytest.approx((0.322, 0.339), abs=5e-4)
    assert (slabs.hausdorff, slabs.percentile(95)) == (2, 2)
    assert slabs.within(1) == pytest.approx(0.836, abs=5e-4)
    assert surface_dice(truth, predicted, label=1, tolerance=1, spacing=(2, 1, 1)) == slabs.within(1)


def test_a_missed_mask_and_two_empty_ones_have_the_declared_values() -> None:
    full, empty = np.ones((3, 3), np.uint8), np.zeros((3, 3), np.uint8)
    for convention in ("voxels", "elements"):
        missed = surface_distances(full, empty, label=1, convention=convention)
        assert (missed.hausdorff, missed.average, missed.within(5)) == (math.inf, math.inf, 0)
        nothing = surface_distances(empty, empty, label=1, convention=convention)
        assert all(math.isnan(x) for x in (nothing.hausdorff, nothing.average, nothing.within(5)))
        assert missed.overlaps(5) == pytest.approx((0, math.nan), nan_ok=True)
        assert nothing.overlaps(5) == pytest.approx((math.nan, math.nan), nan_ok=True)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 0.5)])
def test_the_elements_of_a_rectangle_have_its_length_less_four_corners(spacing: tuple[float, float]) -> None:
    _, lengths = surface_elements(np.ones((5, 9), bool), spacing)
    straight = 2 * (4 * spacing[0] + 8 * spacing[1])
    assert lengths.sum() == pytest.approx(straight + 4 * math.hypot(*spacing) / 2)


def test_the_elements_of_a_ball_have_its_area() -> None:
    z, y, x = np.ogrid[-21:22, -42:43, -42:43]
    _, areas = surface_elements((2 * z) ** 2 + y**2 + x**2 < 40**2, (2.0, 1.0, 1.0))
    assert areas.sum() == pytest.approx(4 * math.pi * 40**2, rel=0.12)  # a staircase is a little longer


def test_weights_move_a_percentile() -> None:
    far, ones, places = np.array([0.0, 10.0]), np.ones(2), np.array([[0], [10]])
    for heavy, expected in ((99.0, 0), (9.0, 10)):
        weights = np.array([heavy, 1.0])
        measured = SurfaceDistances(far, 0 * far, weights, ones, places, places, (1.0,))
        assert measured.percentile(95) == expected


def test_questions_that_cannot_be_answered_are_refused_with_a_remedy() -> None:
    line = np.ones((3,), np.uint8)
    with pytest.raises(DataError, match="surface elements are defined in 2D and 3D"):
        surface_distances(line, line, label=1, convention="elements")
    with pytest.raises(DataError, match="no convention corners: choose voxels or elements"):
        surface_distances(line, line, label=1, convention="corners")
    measured = surface_distances(line, line, label=1)
    with pytest.raises(DataError, match="percentile is 0"):
        measured.percentile(0)
    with pytest.raises(DataError, match="tolerance is -1"):
        measured.within(-1)
    with pytest.raises(DataError, match="tolerance is nan"):
        measured.overlaps(math.nan)


@given(arrays(bool, (2, 2, 2)))
def test_a_surface_is_as_large_seen_from_inside_as_from_outside(cell: np.ndarray) -> None:
    def area_within(mask: np.ndarray) -> float:
        padded = np.pad(mask, 1, mode="edge")  # only the surface between the eight voxels is asked for
        corners, areas = surface_elements(padded, (2.0, 1.0, 0.7))
        return float(areas[(corners == 2).all(axis=1)].sum())

    assert area_within(cell) == pytest.approx(area_within(~cell))
