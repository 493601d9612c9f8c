from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from delineate.core import DataError
from delineate.score import ObjectScores, components, match_objects, pool_objects


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
    assert scores.iou_sum == 5 / 7
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
    assert (scores.tp, scores.fp, scores.fn, scores.iou_sum) == (1, 1, 0, 0.5)
    assert scores.spurious[0].id == 2


def test_two_objects_merged_into_one_are_found_once() -> None:
    scores = match_objects(np.array([1, 1, 2, 2]), np.array([4, 4, 4, 4]))
    assert (scores.tp, scores.fp, scores.fn, scores.iou_sum) == (1, 0, 1, 0.5)
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
        assert (scores.tp, scores.fp, scores.fn, scores.iou_sum) == (1, 0, 0, 1.0)


def test_pooling_adds_counts_before_it_divides() -> None:
    one_of_one = ObjectScores(tp=1, fp=0, fn=0, iou_sum=1.0)
    ten_of_hundred = ObjectScores(tp=10, fp=0, fn=90, iou_sum=6.0)
    assert pool_objects([one_of_one, ten_of_hundred]).ap50 == 11 / 101


def test_touching_corners_are_two_components() -> None:
    assert components(np.eye(3, dtype=bool)).max() == 3


def test_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match="crop or resample"):
        match_objects(np.zeros((2, 2), int), np.zeros((2, 3), int))


ids = arrays(np.int64, (4, 5), elements=st.sampled_from([0, 1, 2, 3, 70_000, 2**31]))


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
    assert scores.iou_sum == pytest.approx(chosen.sum())
    assert (scores.tp + scores.fn, scores.tp + scores.fp) == table.shape
    assert (len(scores.missed), len(scores.spurious)) == (scores.fn, scores.fp)
