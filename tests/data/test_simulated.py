"""What is planted is what was asked for, measured on discs whose areas are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError
from delineate.data import Style, simulated


def case_of(ids: NDArray[np.int32], name: str = "a") -> Case:
    return Case(name, np.zeros((*ids.shape, 1), np.uint8), labels=(ids > 0).astype(np.uint8), objects=ids)


def disc(radius: float, *, side: int = 64, middle: tuple[float, float] = (31.4, 31.8)) -> NDArray[np.int32]:
    rows, columns = np.indices((side, side))
    return (np.hypot(rows - middle[0], columns - middle[1]) <= radius).astype(np.int32)


@pytest.mark.parametrize("by", [-2.0, -0.5, 1.0, 2.5])
def test_a_disc_grows_to_the_disc_of_the_larger_radius(by: float) -> None:
    redrawn = simulated(case_of(disc(12)), Style(larger_px=by)).objects
    assert redrawn is not None
    radius = math.sqrt((redrawn > 0).sum() / math.pi)
    assert radius - 12 == pytest.approx(by, abs=0.15)


def test_objects_that_touch_stay_apart_when_they_are_drawn_larger() -> None:
    ids = np.zeros((20, 30), np.int32)
    ids[5:15, 5:15], ids[5:15, 15:25] = 1, 2
    redrawn = simulated(case_of(ids), Style(larger_px=2)).objects
    assert redrawn is not None
    np.testing.assert_array_equal(redrawn[8], np.repeat([0, 1, 2, 0], [3, 12, 12, 3]))


def test_everything_is_moved_by_whole_pixels() -> None:
    moved = simulated(case_of(disc(9)), Style(moved_px=(3, -2))).objects
    np.testing.assert_array_equal(moved, np.roll(disc(9), (3, -2), (0, 1)))


def test_only_small_objects_are_missed_and_the_same_ones_each_time() -> None:
    ids = np.zeros((200, 200), np.int32)
    for i in range(400):
        ids[i // 20 * 10, i % 20 * 10 : i % 20 * 10 + 1 + i % 2] = i + 1  # of one pixel or two
    style = Style(misses=0.25, small_px=2)
    left = simulated(case_of(ids), style, seed=3).objects
    assert left is not None
    kept = np.unique(left[left > 0])
    assert set(range(2, 401, 2)) <= set(kept.tolist())
    assert 0.15 < 1 - np.count_nonzero(kept % 2) / 200 < 0.35
    np.testing.assert_array_equal(simulated(case_of(ids), style, seed=3).objects, left)
    assert (simulated(case_of(ids), style, seed=4).objects != left).any()


def test_smoothing_takes_a_spike_away() -> None:
    ids = disc(15)
    ids[31, 40:60] = 1
    smooth = simulated(case_of(ids), Style(smooth_px=2)).objects
    assert smooth is not None
    assert smooth[31, 55] == 0
    assert smooth[31, 42] == 1


def test_volumes_are_redrawn_slice_by_slice_and_classes_and_unlabelled_pixels_stay() -> None:
    labels = np.zeros((2, 9, 9), np.uint8)
    labels[0, 3:6, 3:6] = 2
    labels[:, 8] = UNLABELLED
    redrawn = simulated(Case("a", np.zeros((2, 9, 9, 1)), labels=labels), Style(larger_px=1))
    assert redrawn.labels is not None
    assert redrawn.objects is None
    np.testing.assert_array_equal(redrawn.labels[0, 4], [0, 0, 2, 2, 2, 2, 2, 0, 0])
    assert (redrawn.labels[1, :8] == 0).all()
    assert (redrawn.labels[:, 8] == UNLABELLED).all()


def test_an_object_that_is_eroded_away_is_gone() -> None:
    assert not simulated(case_of(disc(2)), Style(larger_px=-4)).objects.any()  # type: ignore[union-attr]


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(DataError, match="a share from 0 to 1"):
        Style(misses=1.5)
