from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from delineate.score import dice, iou

pairs = array_shapes(min_dims=1, max_dims=3, max_side=5).flatmap(
    lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2]))] * 2)
)


def test_dice_and_iou_of_a_drawn_grid() -> None:
    truth = np.array([[1, 1, 0], [1, 1, 0]])  # 4 pixels
    predicted = np.array([[0, 1, 1], [0, 1, 0]])  # 3 pixels, 2 of them right
    assert dice(truth, predicted, label=1) == 4 / 7
    assert iou(truth, predicted, label=1) == 2 / 5


def test_the_two_slabs_of_the_reference_tests() -> None:
    truth, predicted = np.zeros((2, 100, 100, 100), np.uint8)
    truth[:50], predicted[:51] = 1, 1
    assert round(dice(truth, predicted, label=1), 3) == 0.990


def test_unlabelled_pixels_are_in_neither_mask() -> None:
    truth = np.array([1, 1, 255, 255, 0])
    predicted = np.array([1, 0, 1, 0, 1])
    assert dice(truth, predicted, label=1) == 2 * 1 / (2 + 2)
    assert iou(truth, predicted, label=1) == 1 / 3


def test_boolean_masks_are_taken_as_they_are() -> None:
    assert dice(np.array([True, True, False]), np.array([True, False, False]), label=1) == 2 / 3


@given(pairs)
def test_they_are_what_sets_of_pixels_give(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = ({tuple(at) for at in np.argwhere(array == 1)} for array in pair)
    if a | b:
        assert dice(*pair, label=1) == 2 * len(a & b) / (len(a) + len(b))
        assert iou(*pair, label=1) == len(a & b) / len(a | b)
    else:
        assert np.isnan(dice(*pair, label=1))
        assert np.isnan(iou(*pair, label=1))
