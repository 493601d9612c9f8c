from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import brier_score_loss

from delineate.core import DataError
from delineate.score import border_band, brier, calibration, expected_calibration_error, pool_calibrations

truths = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 255]))
likelihoods = arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32))


def test_a_promise_that_is_kept_has_no_error() -> None:
    truth = np.array([[1, 1, 1, 0], [0, 0, 0, 1]])
    likely = np.array([[0.75] * 4, [0.25] * 4])
    assert expected_calibration_error(truth, likely, label=1) == 0
    assert brier(truth, likely, label=1) == 0.1875  # what is left is doubt, not dishonesty


def test_sure_and_right_is_best_and_sure_and_wrong_is_worst() -> None:
    truth = np.array([[1, 0]])
    right, wrong = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert (expected_calibration_error(truth, right, label=1), brier(truth, right, label=1)) == (0, 0)
    assert (expected_calibration_error(truth, wrong, label=1), brier(truth, wrong, label=1)) == (1, 1)


@given(truths, likelihoods)
def test_the_brier_score_is_that_of_scikit_learn(truth: np.ndarray, likely: np.ndarray) -> None:
    said = truth != 255
    value = brier(truth, likely, label=1)
    if not said.any():
        assert math.isnan(value)
        return
    expected = brier_score_loss(truth[said] == 1, likely[said].astype(float), pos_label=True)
    assert value == pytest.approx(expected, abs=1e-12)


@given(truths, likelihoods)
def test_the_calibration_error_is_that_of_a_plain_loop_over_bins(
    truth: np.ndarray, likely: np.ndarray
) -> None:
    pairs = [(float(p), t == 1) for p, t in zip(likely.flat, truth.flat, strict=True) if t != 255]
    total = 0.0
    for number in range(15):
        inside = [
            (p, t) for p, t in pairs if number / 15 <= p < (number + 1) / 15 or (number == 14 and p == 1)
        ]
        total += abs(sum(t for _, t in inside) - sum(p for p, _ in inside))
    found = calibration(truth, likely, label=1)
    if pairs and all(abs(p * 15 - round(p * 15)) > 1e-6 or p in (0, 1) for p, _ in pairs):
        assert found.ece == pytest.approx(total / len(pairs), abs=1e-9)


@given(truths, likelihoods, st.sampled_from([0.0, 0.5, 1.0]))
def test_what_is_predicted_on_unlabelled_pixels_changes_nothing(
    truth: np.ndarray, likely: np.ndarray, planted: float
) -> None:
    other = np.where(truth == 255, np.float32(planted), likely)
    one, two = calibration(truth, likely, label=1), calibration(truth, other, label=1)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    assert one.squared == two.squared


def test_images_are_pooled_by_their_pixels() -> None:
    small = calibration(np.array([[1]]), np.array([[0.0]]), label=1)
    large = calibration(np.ones((3, 3), int), np.ones((3, 3)), label=1)
    assert pool_calibrations([small, large]).brier == pytest.approx(0.1)
    assert math.isnan(pool_calibrations([]).ece)


def test_the_band_runs_on_both_sides_of_a_border_and_not_along_what_nobody_labelled() -> None:
    truth = np.array([[0, 0, 0, 0, 1, 1, 255, 0]])
    assert border_band(truth, width_px=1).astype(int).tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]]
    assert border_band(truth, width_px=2).astype(int).tolist() == [[0, 0, 1, 1, 1, 1, 0, 0]]
    assert not border_band(np.zeros((3, 3), int)).any()
    with pytest.raises(DataError, match="give 1 or more"):
        border_band(truth, width_px=0)


def test_only_the_pixels_of_the_band_count_there() -> None:
    truth, likely = np.array([[0, 0, 0, 1, 1, 1]]), np.array([[0.0, 0, 0.5, 0.5, 1, 1]])
    band = border_band(truth, width_px=1)
    assert calibration(truth, likely, label=1, within=band).brier == 0.25
    assert calibration(truth, likely, label=1).brier == pytest.approx(0.5 / 6)


@pytest.mark.parametrize(
    ("likely", "said"),
    [
        (np.array([[0.5, math.nan]]), "1 of 2 probabilities are not finite"),
        (np.array([[-3.0, 4.0]]), "from -3 to 4: apply softmax or sigmoid"),
        (np.array([[0, 255]], np.uint8), "are uint8: give floating-point"),
        (np.array([[0.5]]), "truth is 1 x 2 but the probabilities are 1 x 1"),
    ],
)
def test_what_is_no_probability_is_refused_with_a_remedy(likely: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        calibration(np.array([[0, 1]]), likely, label=1)


def test_a_probability_that_does_not_count_may_be_anything() -> None:
    truth = np.array([[1, 0, 255, 255]], np.uint8)
    found = calibration(truth, np.array([[1.0, 0.0, math.nan, 7.0]]), label=1)
    assert (found.ece, found.pixels.sum()) == (0, 2)
    with pytest.raises(DataError, match="1 of 2 probabilities are not finite"):
        calibration(truth, np.array([[1.0, math.nan, 0.0, 0.0]]), label=1)


def test_what_is_to_count_is_told_in_booleans_of_the_same_shape() -> None:
    truth, likely = np.array([[1, 0], [1, 0]]), np.full((2, 2), 0.5)
    for within in (np.array([[1, 0], [0, 0]]), np.ones((2, 3), bool)):
        with pytest.raises(DataError, match="give booleans of one shape"):
            calibration(truth, likely, label=1, within=within)
