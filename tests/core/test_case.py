"""What a case takes, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from delineate.core import Case, DataError

IMAGE, LABELS = np.zeros((4, 5, 1)), np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    "spacing", [[2, 0.5], np.array([2, 0.5]), np.array([2, 0.5], np.float32), (2.0, 0.5)]
)
def test_a_spacing_is_a_tuple_however_it_was_given(spacing: Any) -> None:
    assert Case("a", IMAGE, spacing=spacing).spacing == (2.0, 0.5)


@pytest.mark.parametrize("spacing", [0.5, [0.5], np.array([1.0, np.nan]), [[1, 2], [3, 4]], "mm"])
def test_a_spacing_that_is_not_one_positive_number_per_axis_is_refused(spacing: Any) -> None:
    with pytest.raises(DataError, match="give one positive number per axis"):
        Case("a", IMAGE, spacing=spacing)


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        (IMAGE.tolist(), "give a NumPy array"),
        (torch.zeros(4, 5, 1), "give a NumPy array"),
        (None, "give a NumPy array"),
        (IMAGE.astype(complex), "give real numbers"),
        (IMAGE.astype(str), "give real numbers"),
        (np.ma.masked_equal(IMAGE, 0), "fill what is masked"),
    ],
)
def test_an_image_that_is_no_array_of_real_numbers_is_refused(image: Any, remedy: str) -> None:
    with pytest.raises(DataError, match=f"image a is .*{remedy}"):
        Case("a", image)


@pytest.mark.parametrize("wrong", [LABELS.tolist(), torch.zeros(4, 5, dtype=torch.uint8), LABELS + 0.5])
@pytest.mark.parametrize("what", ["labels", "objects"])
def test_labels_and_objects_that_are_no_array_of_integers_are_refused(what: str, wrong: Any) -> None:
    with pytest.raises(DataError, match=f"{what} of a are .*: give a NumPy array of integers"):
        Case("a", IMAGE, **{what: wrong})
