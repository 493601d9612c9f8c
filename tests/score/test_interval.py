"""Bootstrap intervals: of the mean where it is known, over groups, and where nothing can be drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from delineate.score import difference_interval, intervals
from delineate.score.interval import ratio_interval


def test_of_many_values_it_is_the_textbook_interval_of_the_mean() -> None:
    values = np.random.default_rng(3).normal(0.8, 0.1, 400)
    low, high = intervals(values, [str(i) for i in range(400)]).mean
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 8)


def test_cases_of_one_group_are_drawn_together() -> None:
    values = np.repeat([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 50)
    alone = intervals(values, [str(i) for i in range(300)]).mean
    together = intervals(values, [str(i // 50) for i in range(300)]).mean
    assert together[1] - together[0] > 4 * (alone[1] - alone[0])


def test_the_median_is_that_of_drawn_values_and_may_be_infinite() -> None:
    found = intervals([1.0, 2.0, 3.0, math.inf, math.inf], list("abcde"))
    assert found.median == (1.0, math.inf)
    assert found.mean[0] < 1 < 2 < 3 < found.mean[1]  # of three groups it reaches beyond the values


def test_undefined_cases_are_left_out() -> None:
    values, names = [0.5, math.nan, 0.7, 0.9], list("abcd")
    assert intervals(values, names) == intervals([0.5, 0.7, 0.9], list("acd"))


@pytest.mark.parametrize("values", [[], [math.nan, math.nan], [0.5, math.nan]])
def test_with_fewer_than_two_groups_there_is_none(values: list[float]) -> None:
    found = intervals(values, [str(i) for i in range(len(values))])
    assert found.mean is found.median is None


def test_with_one_finite_value_the_mean_has_none() -> None:
    found = intervals([2.0, math.inf], ["a", "b"])
    assert found.mean is None
    assert found.median == (2.0, math.inf)


def test_it_is_the_same_each_time_and_for_a_thousand_cases_quick_enough_to_repeat() -> None:
    values = np.linspace(0, 1, 1000)
    names = [str(i) for i in range(1000)]
    assert intervals(values, names) == intervals(values, names)


def test_a_pooled_ratio_varies_as_its_groups_do() -> None:
    same = ratio_interval([5, 5, 5, 5], [10, 10, 10, 10], "abcd")
    assert same == (0.5, 0.5)
    low, high = ratio_interval([10, 0, 10, 0], [10, 10, 10, 10], "abcd")
    assert low < 0.3 < 0.7 < high
    assert ratio_interval([10, 0, 10, 0], [10, 10, 10, 10], "aaaa") is None
    assert ratio_interval([1, 0], [10, 0], "ab") is None  # the second has nothing to say


@pytest.mark.parametrize("count", [3, 5, 20])
def test_of_few_cases_the_interval_still_holds_the_mean_nineteen_times_of_twenty(count: int) -> None:
    rng = np.random.default_rng(count)
    names = [str(i) for i in range(count)]
    drawn = [intervals(rng.normal(0.8, 0.1, count), names, resamples=500).mean for _ in range(300)]
    assert np.mean([low <= 0.8 <= high for low, high in drawn]) > 0.91


@pytest.mark.parametrize("count", [2, 3, 8])
def test_of_few_cases_beside_many_the_interval_still_holds_the_difference(count: int) -> None:
    rng = np.random.default_rng(count)
    inside, names = [True] * count + [False] * 40, [str(i) for i in range(count + 40)]
    drawn = [difference_interval(rng.normal(0.8, 0.1, count + 40), inside, names) for _ in range(600)]
    assert np.mean([low <= 0 <= high for low, high in drawn]) > 0.94


def test_a_difference_within_each_patient_is_told_from_that_between_patients() -> None:
    patients = np.repeat(np.linspace(0.3, 0.9, 10), 2)
    values, inside = patients + np.tile([0.0, -0.05], 10), [False, True] * 10
    low, high = difference_interval(values, inside, [str(i // 2) for i in range(20)])
    assert (low, high) == pytest.approx((-0.05, -0.05))
    low, high = difference_interval(values, inside, [str(i) for i in range(20)])
    assert low < -0.1 < 0.1 < high
