"""The contract of the family: whatever stands in SCORES keeps it, and a new line there is covered at once."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from delineate.core import ClassTable, DataError
from delineate.score import MORE_SCORES, SCORES, Score, score_case, surface_dice_at

DOCS = Path(__file__).parents[2] / "docs" / "correctness"

TRUTH = np.array(
    [
        [0, 1, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 0, 0, 2],
        [0, 1, 1, 0, 0, 0, 2],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)
PREDICTED = np.array(
    [
        [0, 0, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 2, 2],
        [1, 0, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)

EVERY = [*SCORES.values(), *MORE_SCORES.values(), surface_dice_at(0)]
every_score = pytest.mark.parametrize("score", EVERY, ids=[score.name for score in EVERY])


def same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12) or (math.isnan(a) and math.isnan(b))


@every_score
def test_identical_masks_have_the_best_value(score: Score) -> None:
    assert score.of(TRUTH, TRUTH, label=1, spacing=(0.5, 3)) == score.best
    volume = np.stack([TRUTH, TRUTH, TRUTH * 0])
    assert score.of(volume, volume, label=2, spacing=(5, 1, 1)) == score.best


@every_score
def test_wrong_masks_are_worse_than_identical_ones_and_no_worse_than_a_miss(score: Score) -> None:
    value = score.of(TRUTH, PREDICTED, label=1, spacing=(1, 1))
    nothing = np.zeros_like(TRUTH)
    missed = score.of(TRUTH, nothing, label=1, spacing=(1, 1))
    if score.name == "specificity":  # blind to misses: what it is read for is the other way round
        missed = score.of(nothing, np.ones_like(TRUTH), label=1, spacing=(1, 1))
    if score.direction == "higher":
        assert missed <= value < score.best
    elif score.direction == "lower":
        assert missed >= value > score.best
    else:
        assert abs(missed - score.best) >= abs(value - score.best) > 0


@every_score
def test_empty_masks_have_the_declared_value(score: Score) -> None:
    nothing = np.zeros_like(TRUTH)
    assert same(score.of(TRUTH, nothing, label=1), score.when_missed)
    assert same(score.of(nothing, np.ones_like(TRUTH), label=1), score.when_spurious)
    assert same(score.of(nothing, nothing, label=1), score.when_both_empty)
    assert same(score.of(TRUTH, TRUTH, label=7), score.when_both_empty)


@every_score
def test_what_is_counted_or_measured_once_answers_as_the_function_does(score: Score) -> None:
    for there, guess in itertools.product((TRUTH, PREDICTED, TRUTH * 0), repeat=2):
        case = score_case(there, guess, classes=ClassTable.numbered(3), spacing=(1.5, 0.5), scores=[score])
        for label in (1, 2):
            value = score.of(there, guess, label=label, spacing=(1.5, 0.5))
            assert same(case.values[f"class_{label}"][score.name], value)


@every_score
def test_a_distance_doubles_with_doubled_spacing_and_nothing_else_changes(score: Score) -> None:
    single = score.of(TRUTH, PREDICTED, label=1, spacing=(1.5, 0.5))
    doubled = score.of(TRUTH, PREDICTED, label=1, spacing=(3.0, 1.0))
    assert doubled == (2 * single if score.is_distance else single)


@every_score
@given(
    arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, 255])),
    arrays(np.uint8, (5, 6), elements=st.integers(0, 2)),
)
def test_mirrored_turned_and_moved_masks_have_the_same_score(
    score: Score, truth: np.ndarray, predicted: np.ndarray
) -> None:
    if score.name == "centre_line_dice":
        return  # which of two middle pixels thinning keeps depends on where it begins
    value = score.of(truth, predicted, label=1, spacing=(2, 1))
    mirrored = score.of(truth[::-1], predicted[::-1], label=1, spacing=(2, 1))
    turned = score.of(truth.T, predicted.T, label=1, spacing=(1, 2))
    assert same(mirrored, value)
    assert same(turned, value)
    if score.name not in ("specificity", "boundary_iou"):  # these two know how large the image is
        room = [np.pad(array, ((3, 1), (0, 2))) for array in (truth, predicted)]
        if score.in_space and (truth == 255).any():
            return
        assert same(score.of(*room, label=1, spacing=(2, 1)), value)


@every_score
def test_unlabelled_pixels_change_nothing(score: Score) -> None:
    truth = TRUTH.copy()
    truth[:, 3:5] = 255
    value = score.of(truth, PREDICTED, label=1)
    for planted in (0, 1, 2, 255):
        other = PREDICTED.copy()
        other[truth == 255] = planted
        assert same(score.of(truth, other, label=1), value), planted


@every_score
def test_a_truth_that_is_all_unlabelled_is_undefined(score: Score) -> None:
    assert math.isnan(score.of(np.full_like(TRUTH, 255), PREDICTED, label=1))


@every_score
def test_truth_and_prediction_may_be_swapped_where_this_is_declared(score: Score) -> None:
    there = score.of(TRUTH, PREDICTED, label=1, spacing=(2, 1))
    back = score.of(PREDICTED, TRUTH, label=1, spacing=(2, 1))
    assert there == back or not score.symmetric


@every_score
def test_other_integer_types_and_odd_strides_give_the_same_value(score: Score) -> None:
    value = score.of(TRUTH, PREDICTED, label=1)
    assert score.of(TRUTH.astype(np.int64), PREDICTED.astype(np.uint16), label=1) == value
    assert score.of(TRUTH[::-1, ::-1], PREDICTED[::-1, ::-1], label=1) == value
    assert score.of(np.asfortranarray(TRUTH), PREDICTED, label=1) == value


@every_score
def test_the_arrays_are_left_as_they_are(score: Score) -> None:
    truth, predicted = TRUTH.copy(), PREDICTED.copy()
    truth[0, 0] = 255
    kept = truth.copy()
    truth.setflags(write=False)
    predicted.setflags(write=False)
    score.of(truth, predicted, label=1)
    np.testing.assert_array_equal(truth, kept)


@every_score
def test_probabilities_are_refused_with_a_remedy(score: Score) -> None:
    with pytest.raises(DataError, match=r"the prediction is float64: give integer class indices"):
        score.of(TRUTH, PREDICTED.astype(float), label=1)


@every_score
def test_another_shape_is_refused_with_both_sizes(score: Score) -> None:
    with pytest.raises(DataError, match="truth is 4 x 7 but the prediction is 4 x 6"):
        score.of(TRUTH, PREDICTED[:, :-1], label=1)


@every_score
def test_the_label_of_unlabelled_pixels_is_no_class(score: Score) -> None:
    with pytest.raises(DataError, match="255 means that nobody labelled"):
        score.of(TRUTH, PREDICTED, label=255)


@every_score
def test_it_has_a_page_worked_by_hand_and_a_row_in_the_index(score: Score) -> None:
    assert (DOCS / score.page).read_text(encoding="utf-8").startswith("# ")
    assert f"]({score.page})" in (DOCS / "index.md").read_text()


@every_score
@pytest.mark.parametrize("truth", [TRUTH.tolist(), np.ma.masked_equal(TRUTH, 2), np.array(1), None])
def test_what_is_no_plain_array_of_pixels_is_refused(score: Score, truth: object) -> None:
    with pytest.raises(DataError, match=r"truth is (no array of pixels|a masked array).*: (give|fill)"):
        score.of(truth, PREDICTED, label=1, spacing=(1.0, 1.0))  # type: ignore[arg-type]


@every_score
@pytest.mark.parametrize("label", ["1", None, 1.5, math.nan])
def test_a_label_that_is_no_whole_number_is_refused(score: Score, label: object) -> None:
    with pytest.raises(DataError, match="give the index of a class"):
        score.of(TRUTH, PREDICTED, label=label, spacing=(1.0, 1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("label", [1, 1.0, True, np.uint8(1), np.float64(1)])
def test_any_number_that_is_whole_is_a_label(label: int) -> None:
    assert SCORES["dice"].of(TRUTH, PREDICTED, label=label, spacing=(1, 1)) == pytest.approx(10 / 17)
