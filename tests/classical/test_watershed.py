"""Objects out of a threshold: how many, of what size, in 2D and in volumes, and when the image is empty."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.classical import Watershed
from delineate.core import Case
from delineate.data.samples import coins


def pairs(seed, *, thick=1):
    """Six bright discs in touching pairs, their ids, and a few specks."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((72, 96), np.int32)
    grid = np.indices(ids.shape)
    for number, (row, column) in enumerate(((14, 16), (14, 30), (52, 20), (52, 34), (30, 66), (44, 66)), 1):
        ids[np.hypot(grid[0] - row, grid[1] - column) < 8] = number
    picture = np.where(ids > 0, 160, 30) + rng.normal(0, 8, ids.shape)
    picture[rng.integers(0, 72, 6), rng.integers(80, 96, 6)] = 255
    image, labels = picture.clip(0, 255).astype(np.uint8)[..., None], (ids > 0).astype(np.uint8)
    if thick > 1:
        image, labels, ids = (np.stack([array] * thick) for array in (image, labels, ids))
    spacing = () if thick == 1 else (4.0, 1.0, 1.0)
    return Case(str(seed), image, labels=labels, objects=ids, spacing=spacing)


@pytest.mark.parametrize("thick", [1, 3])
def test_touching_objects_come_apart_and_specks_go(thick):
    method = Watershed().fit([pairs(0, thick=thick), pairs(1, thick=thick)])
    assert method.settings.spacing == (() if thick == 1 else (4.0, 1.0, 1.0))
    probabilities, ids = method.outline(pairs(2, thick=thick).image)
    assert ids.max() == 6
    np.testing.assert_array_equal(probabilities[1] > 0, ids > 0)


def test_scribbles_choose_the_threshold_and_leave_the_markers_at_their_default():
    case = pairs(0)
    labels = np.where(np.arange(72)[:, None] % 9 == 0, case.labels, np.uint8(255))
    settings = Watershed().fit([Case("scribbled", case.image, labels=labels)]).settings
    assert (settings.landscape, settings.smallest_px) == ("distance", 0)
    assert settings.threshold.bright


def test_an_image_without_anything_has_no_objects():
    method = Watershed().fit([pairs(0)])
    probabilities, ids = method.outline(np.full((20, 30, 1), 9, np.uint8))
    assert ids.max() == 0
    assert probabilities[1].sum() == 0


def test_more_coins_are_found_than_by_connected_pieces():
    train, held_out = coins()
    method = Watershed().fit(train)
    _, ids = method.outline(held_out[1].image)
    assert ids.dtype == np.int32
    assert ids.max() >= 1
