"""The range of intensities is that of the camera, as far as images tell."""

import numpy as np
import pytest

from delineate.core import DataError
from delineate.data.intensities import Intensities, intensities


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 9], np.uint8, Intensities(0, 255, whole=True)),
        ([7, 1000], np.uint16, Intensities(0, 1023, whole=True)),
        ([0, 4095], np.uint16, Intensities(0, 4095, whole=True)),
        ([0, 4096], np.int32, Intensities(0, 16383, whole=True)),
        ([-1000, 3000], np.int16, Intensities(-1000, 3000, whole=True)),
        ([0.0, 0.7], np.float32, Intensities(0, 1, whole=False)),
        ([0.0, 200.5], np.float64, Intensities(0, 255, whole=False)),
        ([-2.0, 3.0, np.nan], np.float64, Intensities(-2, 3, whole=False)),
    ],
)
def test_the_range_is_the_smallest_that_holds_all(values, dtype, expected):
    assert intensities([np.array(values, dtype)]) == expected


def test_a_dark_image_among_bright_ones_has_their_range():
    dark, bright = np.array([3, 9], np.uint16), np.array([5, 4000], np.uint16)
    assert intensities([dark, bright]).high == 4095


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            np.array([0, 60000], np.uint16),
            r"uint8 \(0 to 255\) and of uint16 \(0 to 65535\) have no common range",
        ),
        (np.array([0, 3000], np.int32), r"uint8 \(0 to 255\) and of int32 \(0 to 4095\)"),
        (np.array([0, 0.7], np.float32), r"float32 \(0 to 1\) and of uint8 \(0 to 255\)"),
        (np.array([False, True]), r"bool \(0 to 1\) and of uint8 \(0 to 255\)"),
    ],
)
def test_types_whose_grey_levels_are_of_other_sizes_have_no_range(other, said):
    with pytest.raises(DataError, match=said + ".*: convert them to one type"):
        intensities([np.array([0, 255], np.uint8), other])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (
            np.array([-1000, 3000], np.int16),
            np.array([-1024.0, 2000.5]),
            Intensities(-1024, 3000, whole=False),
        ),
        (np.array([0, 9], np.uint8), np.array([0, 200], np.uint16), Intensities(0, 255, whole=True)),
        (np.array([0, 9], np.uint8), np.zeros(3, np.float32), Intensities(0, 255, whole=False)),
    ],
    ids=["Hounsfield units", "few bits in many", "a blank one"],
)
def test_types_that_hold_the_same_have_one_range(one, other, expected):
    assert intensities([one, other]) == intensities([other, one]) == expected


def test_four_levels_of_255_are_four_in_8_bits():
    assert Intensities(0, 255, whole=True).of_255(4) == 4


def test_no_range_is_said():
    with pytest.raises(DataError, match="single intensity"):
        intensities([np.zeros(3, np.float32)])
