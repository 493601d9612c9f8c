"""Thresholds that keep misses rare, and temperatures that make probabilities come true."""

import numpy as np
import pytest

from delineate.core import DataError, tempered
from delineate.score import (
    fitted_temperature,
    missed_foreground,
    risk_controlled_threshold,
)


def images(count: int, *, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Flat images of 40 foreground pixels whose probabilities are better in some images than in others."""
    draw = np.random.default_rng(seed)
    truth = [np.repeat(np.array([1, 0], np.uint8), 40) for _ in range(count)]
    likely = [
        np.concatenate([draw.beta(draw.uniform(1, 6), 1, 40), draw.beta(1, 3, 40)]) for _ in range(count)
    ]
    return truth, likely


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_the_promise_is_kept_on_average_and_not_by_drawing_everything(alpha: float) -> None:
    missed = []
    for seed in range(300):
        truth, likely = images(40, seed=seed)
        threshold = risk_controlled_threshold(truth[:39], likely[:39], alpha=alpha)
        missed.append(missed_foreground(truth[39], likely[39], threshold=threshold))
    error = np.std(missed) / np.sqrt(len(missed))
    assert np.mean(missed) <= alpha + 2 * error
    assert np.mean(missed) >= alpha - 1 / 40 - 2 * error - 0.01  # as much as 1 / (n + 1) below, and no more


def test_a_threshold_one_step_higher_would_break_the_rule() -> None:
    truth, likely = images(30, seed=3)
    threshold = risk_controlled_threshold(truth, likely, alpha=0.2)

    def corrected(at: float) -> float:
        risks = [missed_foreground(t, p, threshold=at) for t, p in zip(truth, likely, strict=True)]
        return (sum(risks) + 1) / 31

    inside = np.concatenate([p[t == 1] for t, p in zip(truth, likely, strict=True)])
    assert corrected(threshold) <= 0.2 < corrected(float(inside[inside > threshold].min()))


def test_a_patient_with_many_images_counts_once() -> None:
    truth = [np.array([1, 1])] * 6
    bad, good = np.array([0.2, 0.2]), np.array([0.8, 0.8])
    likely = [bad, bad, bad, good, good, good]
    # The bad patient is one of four: (1 + 0 + 0 + 0 + 1) / 5 = 0.4; image by image it would be 3 of 6.
    assert risk_controlled_threshold(truth, likely, alpha=0.45, groups=list("aaabcd")) == 0.8
    assert risk_controlled_threshold(truth, likely, alpha=0.45) == 0.2


def test_images_without_foreground_do_not_water_the_promise_down() -> None:
    truth, likely = images(20, seed=1)
    empty = [np.zeros(80, np.uint8)] * 30
    alone = risk_controlled_threshold(truth, likely, alpha=0.1)
    assert risk_controlled_threshold(truth + empty, likely + likely[:1] * 30, alpha=0.1) == alone


def test_unlabelled_pixels_are_no_foreground() -> None:
    assert missed_foreground(np.array([1, 255]), np.array([0.9, 0.1]), threshold=0.5) == 0.0


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_an_alpha_that_is_no_share_is_refused(alpha: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        risk_controlled_threshold(*images(3, seed=0), alpha=alpha)


def test_too_few_cases_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(DataError, match=r"give 19 or more, or an alpha of 0\.053"):
        risk_controlled_threshold(*images(18, seed=0), alpha=0.05)
    risk_controlled_threshold(*images(19, seed=0), alpha=0.05)


def test_the_temperature_that_was_planted_is_found() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, (3, 200, 200))
    true = np.exp(logits) / np.exp(logits).sum(0)
    truth = (draw.random((200, 200)) > true.cumsum(0)).sum(0).astype(np.uint8)
    sure = np.exp(logits * 3) / np.exp(logits * 3).sum(0)  # three times too sure
    found = fitted_temperature([truth], [sure.astype(np.float32)])
    assert found.temperature == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(tempered(sure, temperature=3.0), true, atol=1e-4)


def test_a_temperature_changes_no_label() -> None:
    likely = np.random.default_rng(0).dirichlet([0.2] * 4, 1000).T.astype(np.float32)
    for temperature in (0.1, 0.7, 1.0, 1.3, 15.0):
        softer = tempered(likely, temperature=temperature)
        np.testing.assert_array_equal(softer.argmax(0), likely.argmax(0))
        np.testing.assert_allclose(softer.sum(0), 1, atol=1e-5)


def test_a_temperature_without_truth_is_refused() -> None:
    with pytest.raises(DataError, match="no pixel is labelled"):
        fitted_temperature([np.full((2, 2), 255, np.uint8)], [np.full((2, 2, 2), 0.5, np.float32)])
