from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from delineate.core import DataError
from delineate.score import Partition, components, match_objects, pool_objects


def test_a_drawn_pair_is_matched_as_by_hand() -> None:
    truth = np.array(
        [
            [1, 1, 1, 0, 2, 2],
            [1, 1, 1, 0, 2, 2],
            [0, 0, 0, 0, 0, 0],
            [3, 3, 0, 0, 0, 0],
        ]
    )
    predicted = np.array(
        [
            [5, 5, 5, 5, 0, 6],
            [5, 5, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 8, 8],
        ]
    )
    # 1 and 5: 5 pixels shared, 7 in the union. 2 and 6: 1 of 4, too little. 3 has nobody, nor has 8.
    scores = match_objects(truth, predicted, spacing=(2.0, 0.5))
    assert (scores.tp, scores.fp, scores.fn) == (1, 2, 2)
    assert scores.found_iou.sum() == 5 / 7
    assert scores.ap50 == 1 / 5
    assert scores.f1 == 2 / 6
    assert scores.pq == (5 / 7) / 3
    assert [(one.id, one.pixels, one.size, one.centroid) for one in scores.missed] == [
        (2, 4, 4.0, (0.5, 4.5)),
        (3, 2, 2.0, (3.0, 0.5)),
    ]
    assert [(one.id, one.centroid) for one in scores.spurious] == [(8, (3.0, 4.5)), (6, (0.0, 5.0))]


def test_an_object_cut_into_exact_halves_is_found_once() -> None:
    scores = match_objects(np.array([4, 4, 4, 4]), np.array([1, 1, 2, 2]))
    assert (scores.tp, scores.fp, scores.fn, scores.found_iou.sum()) == (1, 1, 0, 0.5)
    assert scores.spurious[0].id == 2


def test_two_objects_merged_into_one_are_found_once() -> None:
    scores = match_objects(np.array([1, 1, 2, 2]), np.array([4, 4, 4, 4]))
    assert (scores.tp, scores.fp, scores.fn, scores.found_iou.sum()) == (1, 0, 1, 0.5)
    assert scores.missed[0].id == 2


def test_just_less_than_half_is_no_match() -> None:
    scores = match_objects(np.array([1, 1, 1, 1, 1, 0]), np.array([9, 9, 0, 0, 0, 0]))
    assert (scores.tp, scores.fp, scores.fn) == (0, 1, 1)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64])
def test_ids_may_be_large_and_need_not_follow_each_other(dtype: type) -> None:
    largest = min(np.iinfo(dtype).max, 2**31)
    truth = np.array([[0, 3, largest], [0, 3, largest]], dtype)
    scores = match_objects(truth, truth)
    assert (scores.tp, scores.fp, scores.fn, scores.pq) == (2, 0, 0, 1.0)


def test_no_objects_on_either_side_is_undefined_and_on_one_side_is_zero() -> None:
    nothing, one = np.zeros((3, 3), int), np.eye(3, dtype=int)
    assert math.isnan(match_objects(nothing, nothing).ap50)
    assert match_objects(one, nothing).ap50 == 0.0
    assert match_objects(nothing, one).pq == 0.0


def test_what_is_predicted_on_unlabelled_pixels_changes_nothing() -> None:
    truth = np.array([1, 1, 0, 0, 0, 0])
    unlabelled = np.array([False, False, False, True, True, True])
    for planted in ([0, 0, 0], [7, 7, 7], [1, 7, 8]):
        predicted = np.array([1, 1, 0, *planted])
        scores = match_objects(truth, predicted, unlabelled=unlabelled)
        assert (scores.tp, scores.fp, scores.fn, scores.found_iou.sum()) == (1, 0, 0, 1.0)


def test_pooling_adds_counts_before_it_divides() -> None:
    hundred = np.arange(1, 101)
    one_of_one = match_objects(hundred[:1], hundred[:1])
    ten_of_hundred = match_objects(hundred, np.where(hundred <= 10, hundred, 0))
    pooled = pool_objects([one_of_one, ten_of_hundred])
    assert pooled.ap50 == 11 / 101
    assert pooled.untouched == 90


def test_touching_corners_are_two_components() -> None:
    assert components(np.eye(3, dtype=bool)).max() == 3


def test_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match="crop or resample"):
        match_objects(np.zeros((2, 2), int), np.zeros((2, 3), int))


ids = arrays(np.int64, (4, 5), elements=st.sampled_from([0, 1, 2, 3, 70_000, 2**31]))


def test_a_mask_of_booleans_has_no_ids_and_is_sent_to_get_some() -> None:
    mask = np.array([[True, False, True]])
    for pair in ((mask, mask), (mask, components(mask)), (components(mask), mask)):
        with pytest.raises(DataError, match=r"give ids, such as those of `components\(mask\)`"):
            match_objects(*pair)


@pytest.mark.parametrize("spacing", [0.5, (0.5,), (0.5, math.nan), (1, 1, 1), "mm"])
def test_a_spacing_that_is_not_one_positive_number_per_axis_is_refused(spacing: object) -> None:
    with pytest.raises(DataError, match="give one positive number per axis"):
        match_objects(np.ones((2, 2), int), np.ones((2, 2), int), spacing=spacing)  # type: ignore[arg-type]


@given(ids, ids)
def test_it_is_what_sets_of_pixels_and_the_best_assignment_give(
    truth: np.ndarray, predicted: np.ndarray
) -> None:
    from scipy.optimize import linear_sum_assignment

    sets = [
        [{tuple(at) for at in np.argwhere(array == one)} for one in np.unique(array) if one]
        for array in (truth, predicted)
    ]
    table = np.array([[len(a & b) / len(a | b) for b in sets[1]] for a in sets[0]]).reshape(
        len(sets[0]), len(sets[1])
    )
    enough = np.where(table >= 0.5, table, 0)
    rows, columns = linear_sum_assignment(enough, maximize=True)
    chosen = enough[rows, columns]
    scores = match_objects(truth, predicted)
    assert scores.tp == np.count_nonzero(chosen)
    assert scores.found_iou.sum() == pytest.approx(chosen.sum())
    assert (scores.tp + scores.fn, scores.tp + scores.fp) == table.shape
    assert (len(scores.missed), len(scores.spurious)) == (scores.fn, scores.fp)


def test_average_precision_falls_with_the_iou_that_is_asked() -> None:
    truth, predicted = np.zeros((2, 20), int)
    truth[:10], predicted[:7] = 1, 1  # IoU 0.7
    truth[12:14], predicted[12:14] = 2, 2  # IoU 1
    scores = match_objects(truth, predicted)
    assert [scores.ap(at) for at in (0.5, 0.7, 0.75, 0.9)] == [1.0, 1.0, 1 / 3, 1 / 3]
    assert scores.sq == pytest.approx(0.85)
    with pytest.raises(DataError, match=r"from an IoU of 0.5 on"):
        scores.ap(0.4)


def test_recall_and_precision_by_size_say_which_objects_are_lost() -> None:
    truth = np.array([1, 1, 1, 1, 0, 2, 0, 3, 0, 4, 4, 4])
    predicted = np.array([1, 1, 1, 1, 0, 0, 0, 3, 5, 6, 0, 0])
    small, large = match_objects(truth, predicted, spacing=(0.5,)).by_size([1.0])
    assert (small.low, small.high, small.true, small.found, small.touched) == (0.0, 1.0, 2, 1, 1)
    assert (small.predicted, small.right) == (3, 1)  # 3 is right, 5 and the bit of 4 are not
    assert (large.true, large.found, large.touched, large.predicted, large.right) == (2, 1, 2, 1, 1)
    assert (small.recall, small.precision, large.recall) == (0.5, 1 / 3, 0.5)
    with pytest.raises(DataError, match="must rise"):
        match_objects(truth, predicted).by_size([2, 1])


def test_without_edges_sizes_are_dealt_into_quarters_of_the_true_objects() -> None:
    ids = np.repeat(np.arange(1, 9), np.arange(1, 9))
    assert [one.true for one in match_objects(ids, ids).by_size()] == [2, 2, 2, 2]
    assert match_objects(ids * 0, ids * 0).by_size() == ()
    assert [one.predicted for one in match_objects(ids * 0, ids).by_size()] == [2, 2, 2, 2]
    specks = np.array(
        [1, 0, 2, 0, 3, 0, 4, 0, 5, 5, 0, 6, 6]
    )  # a quarter and more of one pixel, and none below
    assert [(one.high, one.true) for one in match_objects(specks, specks).by_size()] == [
        (2, 4),
        (math.inf, 2),
    ]


def test_merges_and_splits_are_told_from_objects_that_are_merely_missed() -> None:
    truth = np.array([1, 1, 2, 2, 0, 3, 3, 3, 3, 3, 0, 4, 4])
    predicted = np.array([1, 1, 1, 1, 0, 2, 2, 3, 3, 3, 0, 0, 0])
    scores = match_objects(truth, predicted)
    assert (scores.merges, scores.splits) == (1, 1)
    assert [(one.id, one.covered) for one in scores.missed] == [(2, 1.0), (4, 0.0)]
    assert scores.untouched == 1


@given(ids, ids)
def test_rand_and_information_are_those_of_scikit_image_where_pixels_without_an_object_are_alone(
    truth: np.ndarray, predicted: np.ndarray
) -> None:
    from skimage.metrics import adapted_rand_error, variation_of_information
    from skimage.segmentation import relabel_sequential

    found = match_objects(truth, predicted).partition
    if not truth.any():
        assert math.isnan(found.v_rand)
        assert math.isnan(found.voi)
        assert math.isnan(found.v_info)
        return
    alone = np.where(predicted == 0, 3e9 + np.arange(predicted.size).reshape(predicted.shape), predicted)
    small = [relabel_sequential(array)[0] for array in (truth, alone.astype(np.int64))]
    split, merge = variation_of_information(*small, ignore_labels=(0,))
    assert (found.voi_split, found.voi_merge) == pytest.approx((split, merge), abs=1e-9)
    if found.true_pairs and found.predicted_pairs:
        error, _, _ = adapted_rand_error(*small, ignore_labels=(0,))
        assert found.v_rand == pytest.approx(1 - error)
        assert found.v_rand == pytest.approx(
            2 * found.rand_split * found.rand_merge / max(found.rand_split + found.rand_merge, 1e-12)
        )


def test_shared_information_is_one_for_equal_partitions_and_none_for_independent_ones() -> None:
    rows, columns = np.indices((4, 4)) + 1
    assert match_objects(rows, rows * 3).partition.v_info == 1.0
    assert match_objects(rows, columns).partition.v_info == pytest.approx(0, abs=1e-12)
    assert match_objects(rows, np.ones_like(rows)).partition.v_info == 0.0
    assert match_objects(np.ones_like(rows), np.ones_like(rows)).partition.v_info == 1.0


def test_partitions_of_several_images_weigh_by_their_pixels() -> None:
    whole = match_objects(np.ones(4, int), np.ones(4, int))
    torn = match_objects(np.ones(4, int), np.array([1, 1, 2, 2]))
    both = pool_objects([whole, torn]).partition
    assert (both.voi_split, both.voi_merge) == (0.5, 0.0)
    assert both.rand_split == (12 + 4) / (12 + 12)
    assert math.isnan(Partition().v_rand)


def test_an_object_touched_by_a_single_pixel_was_not_missed_completely() -> None:
    truth, predicted = np.ones((180, 180), int), np.zeros((180, 180), int)
    predicted[0, 0] = 1
    found = match_objects(truth, predicted)
    assert found.untouched == 0
    assert found.missed[0].covered == 1 / 32_400
