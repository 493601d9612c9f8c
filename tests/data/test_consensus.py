"""The vote of several people, drawn as rows of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError
from delineate.data import majority, staple
from delineate.data.consensus import best_partners


def row(text: str) -> NDArray[np.uint8]:
    return np.array([UNLABELLED if letter == "?" else int(letter) for letter in text], np.uint8)


def test_the_class_of_most_people_wins() -> None:
    found = majority([row("0112"), row("0110"), row("0022")])
    np.testing.assert_array_equal(found.labels, row("0112"))
    np.testing.assert_allclose(found.doubt, [0, 1 / 3, 1 / 3, 1 / 3], atol=1e-6)


def test_of_two_people_the_border_runs_half_way() -> None:
    found = majority([row("0000111111"), row("0000000011")])
    np.testing.assert_array_equal(found.labels, row("0000001111"))


def test_who_says_nothing_does_not_vote() -> None:
    found = majority([row("1?1?"), row("10??"), row("01??")])
    np.testing.assert_array_equal(found.labels[[0, 2, 3]], row("11?"))
    assert found.doubt[3] == 0


def test_touching_objects_stay_apart_in_the_consensus() -> None:
    ids = [np.array([0, 1, 1, 1, 2, 2]), np.array([0, 5, 5, 5, 9, 9]), np.array([0, 3, 3, 4, 4, 4])]
    found = majority([(one > 0).astype(np.uint8) for one in ids], objects=ids)
    assert found.objects is not None
    np.testing.assert_array_equal(found.objects, [0, 1, 1, 1, 2, 2])


def test_an_object_that_one_of_three_drew_leaves_no_id() -> None:
    ids = [np.array([1, 1, 0, 2]), np.array([1, 1, 0, 0]), np.array([1, 1, 0, 0])]
    found = majority([(one > 0).astype(np.uint8) for one in ids], objects=ids)
    assert found.objects is not None
    np.testing.assert_array_equal(found.objects, [1, 1, 0, 0])


def test_who_left_out_an_object_says_nothing_about_its_border() -> None:
    found = majority([row("0011111100"), row("0111111110"), row("0001111000"), row("0000000000")])
    np.testing.assert_array_equal(found.labels, row("0011111100"))
    assert found.doubt[5] == 0.25


def test_with_objects_that_two_of_five_left_out_the_other_three_decide() -> None:
    drawn = [row("0011111100"), row("0111111110"), row("0001111000"), row("0000000000"), row("0000000000")]
    found = majority(drawn, objects=[(one > 0).astype(int) for one in drawn])
    np.testing.assert_array_equal(found.labels, row("0011111100"))


def test_an_object_that_one_of_two_drew_is_not_agreed_on() -> None:
    assert not majority([row("0011111100"), row("0000000000")]).labels.any()


def test_who_is_silent_about_an_object_has_not_left_it_out() -> None:
    found = majority([row("011000"), row("000000"), row("????00"), row("011000")])
    np.testing.assert_array_equal(found.labels, row("011000"))


def test_partners_share_most_with_each_other() -> None:
    one, other = best_partners(np.array([1, 1, 1, 2, 2, 3]), np.array([7, 7, 8, 8, 8, 0]))
    assert dict(zip(one.tolist(), other.tolist(), strict=True)) == {1: 7, 2: 8}


def test_staple_takes_silence_for_no_opinion() -> None:
    whole = np.zeros((20, 20), np.uint8)
    whole[5:15, 5:15] = 1
    half = whole.copy()
    half[:, 10:] = UNLABELLED
    found = staple([whole, whole, half], label=1)
    np.testing.assert_allclose(found.sensitivity, 1, atol=1e-3)
    np.testing.assert_allclose(found.specificity, 1, atol=1e-3)
    np.testing.assert_array_equal(found.probability > 0.5, whole == 1)
    nobody = staple([np.full((2, 2), UNLABELLED, np.uint8)] * 2, label=1)
    assert np.isnan(nobody.probability).all()


def test_staple_trusts_the_two_who_agree() -> None:
    good, poor = np.zeros((2, 20, 20), np.uint8)
    good[5:15, 5:15] = poor[5:8, 5:15] = 1
    found = staple([good, good, poor], label=1)
    np.testing.assert_allclose(found.sensitivity, [1, 1, 0.3], atol=1e-3)
    np.testing.assert_array_equal(found.probability > 0.5, good == 1)


def test_staple_of_an_absent_class_is_undefined() -> None:
    found = staple([np.zeros((4, 4), np.uint8)] * 2, label=1)
    assert np.isnan(found.sensitivity).all()
    assert not found.probability.any()


def test_people_who_drew_at_different_sizes_have_no_consensus() -> None:
    with pytest.raises(DataError, match="differ in size"):
        majority([row("01"), row("011")])
