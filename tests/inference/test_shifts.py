"""Averaging over shifts takes away what depends on the grid, and nothing else."""

import numpy as np
import pytest

from delineate.core import DataError
from delineate.inference import shift_averaged
from delineate.inference.shifts import offsets_of


def pixelwise(image):
    return np.moveaxis(image, -1, 0).astype(np.float32)


def blocks_of_two(image):
    """Each block of 2 x 2 (x 2) pixels answers as its first pixel."""
    likely = image[..., 0]
    for axis in range(likely.ndim):
        likely = likely.take(np.arange(likely.shape[axis]) // 2 * 2, axis)
    return likely[None].astype(np.float32)


@pytest.mark.parametrize("sides", [(9, 12), (5, 6, 7)])
def test_what_has_no_grid_stays_as_it_is(sides):
    image = np.random.default_rng(0).random((*sides, 2)).astype(np.float32)
    averaged = shift_averaged(pixelwise, shifts=4, divisor=8, dims=len(sides))
    np.testing.assert_allclose(averaged(image), pixelwise(image), rtol=1e-6)


def test_with_all_shifts_the_grid_is_gone():
    """Each pixel then gets the mean of itself and its neighbours before it, wherever the image begins."""
    image = np.random.default_rng(0).random((9, 12, 1)).astype(np.float32)
    averaged = shift_averaged(blocks_of_two, shifts=4, divisor=2, dims=2)(image)[0]
    window = np.lib.stride_tricks.sliding_window_view(image[..., 0], (2, 2)).mean((2, 3))
    np.testing.assert_allclose(averaged[1:, 1:], window, rtol=1e-6)


def test_only_the_last_axes_are_moved():
    seen = []
    shift_averaged(
        lambda image: (seen.append(image.shape), pixelwise(image))[1], shifts=4, divisor=4, dims=2
    )(np.zeros((3, 8, 8, 1)))
    assert [shape[0] for shape in seen] == [3] * 4


@pytest.mark.parametrize(("divisor", "dims"), [(16, 2), (8, 3), (6, 2)])
def test_so_many_shifts_are_different_and_begin_with_none(divisor, dims):
    for shifts in (1, 2, 3, 4, 7, 8):
        offsets = offsets_of(shifts, divisor=divisor, dims=dims)
        assert len(set(offsets)) == shifts
        assert offsets[0] == (0,) * dims
        assert max(map(max, offsets)) < divisor
    assert (
        len({tuple(by % 2 for by in one) for one in offsets_of(2**dims, divisor=divisor, dims=dims)})
        == 2**dims
    )


@pytest.mark.parametrize("shifts", [0, -1, 17])
def test_numbers_of_shifts_that_there_are_not_are_refused(shifts):
    with pytest.raises(DataError, match="give a number from 1 to 16"):
        shift_averaged(pixelwise, shifts=shifts, divisor=4, dims=2)
